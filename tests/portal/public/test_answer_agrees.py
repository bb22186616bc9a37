"""What the page answers, what `explain` says and what the kernel does to a packet agree: random policies and people."""

from __future__ import annotations

import asyncio
import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from op25b.cli import batch
from op25b.policy.model import Policy, Refuse
from op25b.policy.verdict import SMTP, SUBMISSION, TCP, Flow
from op25b.portal.public.application import application
from op25b.ruleset.lower import lower
from op25b.ruleset.nftables import render
from op25b.store import Store, upgrade
from tests.portal.public.conftest import Portal
from tests.support import wire
from tests.support.policies import flows, instants, policies
from tests.support.trio import Trio

pytestmark = pytest.mark.root
SITUATIONS = 100
"""Of each policy."""
REFUSALS = {Refuse.TCP_RESET: {"reset"}, Refuse.ICMP: {"icmp"}, Refuse.DROP: set()}
BOX = re.compile(r'<div class="answer (blocked|soon|free|)"')


@pytest.fixture(scope="module")
def trio() -> Iterator[Trio]:
    with Trio() as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Policy, datetime, list[Flow]]:
    """A policy, an instant, and mail programs that connect to port 25, 587 or 465 of a server."""
    policy = draw(policies())
    asked = flows(policy).filter(lambda flow: flow.proto == TCP and flow.dport in (SMTP, *SUBMISSION))
    return policy, draw(instants(policy)), draw(st.lists(asked, min_size=SITUATIONS, max_size=SITUATIONS))


def answered(policy: Policy, at: datetime, asked: Sequence[Flow], store: Store) -> list[str]:
    """The kind of answer that the page shows to a visitor from each source, in turn in Japanese and in English."""
    portal = Portal(policy, store, now=at)
    app = application(portal.context())

    async def ask() -> list[str]:
        found = []
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=portal.url) as client:
            for number, flow in enumerate(asked):
                path = f"/{('ja', 'en')[number % 2]}/affected"
                query = {"line": "here", "host": str(flow.dst), "port": str(flow.dport)}
                page = await client.get(path, params=query, headers={"X-Forwarded-For": str(flow.src)})
                box = BOX.search(page.text)
                assert box is not None, page.text
                found.append(box[1])
        return found

    return asyncio.run(ask())


def explained(policy: Policy, at: datetime, asked: Sequence[Flow], folder: Path) -> list[str]:
    """The verdicts that `op25b explain --batch` writes."""
    rows = "".join(f"{flow.src},{flow.dst},{flow.dport},{at.isoformat()}\n" for flow in asked)
    (folder / "flows.csv").write_text("src,dst,dport,at\n" + rows)
    batch.explain(policy, folder / "flows.csv", folder / "out.csv", None)
    with (folder / "out.csv").open() as file:
        return [row["verdict"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("many", [10, pytest.param(50, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_the_page_explain_and_the_kernel_agree(trio: Trio, store: Store, tmp_path: Path, many: int) -> None:
    """`many` policies."""
    seen: Counter[str] = Counter()

    @settings(
        max_examples=many,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(scenes())
    def agree(scene: tuple[Policy, datetime, list[Flow]]) -> None:
        policy, at, asked = scene
        trio.load(render(lower(policy, at)))
        numbers = [trio.number() for _ in asked]
        fates = trio.send(
            wire.ip(flow.src, flow.dst, TCP, wire.tcp(flow.src, flow.dst, number, flow.dport, 40000))
            for flow, number in zip(asked, numbers, strict=True)
        )
        refusal = REFUSALS[policy.filter.refuse]
        told = explained(policy, at, asked, tmp_path)
        pages = answered(policy, at, asked, store)
        for flow, number, verdict, page in zip(asked, numbers, told, pages, strict=True):
            refused = verdict == "block"
            assert fates.get(number, set()) == (refusal if refused else {"arrived"}), flow
            assert (page == "blocked") is refused, (flow, verdict, page)
            seen[f"{flow.src.version} {verdict} {page}"] += 1

    agree()
    assert seen.total() >= many * SITUATIONS
    for version in (4, 6):
        assert seen[f"{version} block blocked"] >= many // 2, seen
        assert seen[f"{version} pass free"] >= 10 * many, seen
