"""Policies and addresses of theirs, and the pages that serve them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import strategies as st

from op25b.policy.model import Policy
from op25b.portal.setup.profile import Address, needs_subdomain
from op25b.store import Store, upgrade
from tests.portal.public.conftest import browser, example, portal, serving, store
from tests.support.examples import POLICIES

__all__ = ["browser", "portal", "store"]

EXAMPLES = {path.stem: example(path.stem) for path in POLICIES}
KNOWN = {"netlaputa", "nmtnet", "sonet", "infonia", "campus"}
"""Those that say where mail is read."""
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
LOCALS = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}", fullmatch=True)


@st.composite
def addresses(draw: st.DrawFn, policy: Policy) -> Address:
    """An address of a provider's, under a domain of one of its brands."""
    brand = draw(st.sampled_from(policy.provider.brands))
    apex = draw(st.sampled_from(brand.domains))
    under = needs_subdomain(policy, brand) or draw(st.booleans())
    return Address(draw(LOCALS), f"{draw(LABELS)}.{apex}" if under else apex)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of Netlaputa's pages."""
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/store.db"
    upgrade(url)
    opened = Store(url)
    with serving(EXAMPLES["netlaputa"], opened) as made, made.client() as asking:
        yield asking
    opened.close()
