"""Log-ins by OpenID Connect: at a real provider (oidc-provider on Node), and at one that lies."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from op25b.errors import UserError
from op25b.portal.console.config import OpenId
from op25b.portal.staff.openid import Denied, Provider
from op25b.portal.staff.roles import Person, Role
from op25b.processes import listening
from tests.support import openid_provider
from tests.support.openid_provider import CLIENT, SECRET
from tests.support.staff import counted, key

REDIRECT = "http://127.0.0.1:9/openid"
ROLES = {"noc": ("network", "mail"), "helpdesk": ("support",)}


def client(issuer: str, folder: Path, **settings: Any) -> Provider:
    given = {"client_id": CLIENT, "client_secret_file": "secret", "roles": ROLES, **settings}
    table = OpenId.model_validate({"issuer": issuer, **given})
    return Provider(table, SECRET, REDIRECT, key(folder), counted, lambda: datetime.now(UTC))


@pytest.fixture(scope="module", params=["RS256", "ES256"])
def real(request: pytest.FixtureRequest) -> Iterator[openid_provider.Running]:
    with listening.single(IPv4Address("127.0.0.1"), 0) as free:
        port = free.getsockname()[1]
    with openid_provider.running(port, REDIRECT, request.param) as found:
        yield found


def test_a_real_provider_says_who_it_is(real: openid_provider.Running, tmp_path: Path) -> None:
    asking = client(real.issuer, tmp_path)
    url, kept = asking.begin()
    asked = parse_qs(urlsplit(url).query)
    assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
    known = asking.finish(real.agreed(url, "jiro"), kept)
    assert known.person == Person("jiro", frozenset({Role.NETWORK, Role.MAIL, Role.SUPPORT}))
    assert known.subject == f"{real.issuer} u-jiro"


def test_who_has_no_group_is_not_let_in(real: openid_provider.Running, tmp_path: Path) -> None:
    asking = client(real.issuer, tmp_path)
    url, kept = asking.begin()
    with pytest.raises(Denied, match="no group that has a role"):
        asking.finish(real.agreed(url, "visitor"), kept)


def test_an_answer_is_for_the_log_in_that_was_begun_and_for_once(real: openid_provider.Running, tmp_path: Path) -> None:
    asking = client(real.issuer, tmp_path)
    (url, kept), (_, other) = asking.begin(), asking.begin()
    back = real.agreed(url, "hanako")
    for wrong, browser, why in (
        (back, other, "another log-in"),
        (back, "", "no log-in under way"),
        (back, kept[:-2] + ("00" if kept[-2:] != "00" else "11"), "no log-in under way"),
        (back | {"iss": "https://elsewhere.example"}, kept, "another provider"),
        ({"state": back["state"], "error": "access_denied"}, kept, "access_denied"),
    ):
        with pytest.raises(Denied, match=why):
            asking.finish(wrong, browser)
    assert asking.finish(back, kept).person.name == "hanako"
    with pytest.raises(Denied, match="invalid_grant"):
        asking.finish(back, kept)


def test_a_provider_of_algorithms_that_are_not_believed(tmp_path: Path) -> None:
    with listening.single(IPv4Address("127.0.0.1"), 0) as free:
        port = free.getsockname()[1]
    with openid_provider.running(port, REDIRECT, "PS256") as found:
        asking = client(found.issuer, tmp_path)
        url, kept = asking.begin()
        with pytest.raises(Denied, match="UnsupportedAlgorithm"):
            asking.finish(found.agreed(url, "hanako"), kept)


KEY, OTHER = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))


class Liar:
    """A provider whose token says what a test wants."""

    def __init__(self) -> None:
        self.key = KEY
        self.published = [self.key]
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.signing: Any = self.key
        self.metadata: dict[str, Any] = {}
        self.further: dict[str, Any] = {}
        self.nonce = ""
        self.issuer = ""

    def token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": "u-1", "aud": CLIENT, "exp": now + 60, "iat": now, "nonce": self.nonce,
            "preferred_username": "hanako", "groups": ["noc"],
        } | self.claims  # fmt: skip
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(self.header, kept, self.signing, algorithms=[self.header["alg"]])

    def app(self) -> FastAPI:
        made = FastAPI()

        @made.get("/.well-known/openid-configuration")
        def metadata() -> dict[str, Any]:
            paths = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
            return {"issuer": self.issuer, **paths, "jwks_uri": f"{self.issuer}/keys", **self.metadata}

        @made.get("/keys")
        def keys() -> dict[str, Any]:
            return {"keys": [each.as_dict(private=False) for each in self.published]}

        @made.post("/token")
        async def token(_: Request) -> dict[str, Any]:
            return {"access_token": "a", "token_type": "Bearer", "id_token": self.token()}

        @made.get("/userinfo")
        def userinfo() -> dict[str, Any]:
            return self.further

        return made


@pytest.fixture
def liar() -> Iterator[Liar]:
    made = Liar()
    with listening.single(IPv4Address("127.0.0.1"), 0) as bound, _serving(made.app(), bound):
        made.issuer = f"http://127.0.0.1:{bound.getsockname()[1]}"
        yield made


@contextmanager
def _serving(app: FastAPI, bound: Any) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    thread = threading.Thread(target=server.run, args=([bound],))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def back(liar: Liar, asking: Provider) -> Any:
    url, kept = asking.begin()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    liar.nonce = asked["nonce"]
    return asking.finish({"state": asked["state"], "code": "c"}, kept)


def test_an_honest_token_is_believed(liar: Liar, tmp_path: Path) -> None:
    assert back(liar, client(liar.issuer, tmp_path)).person == Person("hanako", frozenset({Role.NETWORK, Role.MAIL}))


PAST = datetime.now(UTC) - timedelta(hours=1)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"}, {"aud": "another"}, {"aud": [CLIENT, "another"]}, {"nonce": "another"},
        {"nonce": None}, {"exp": int(PAST.timestamp())}, {"exp": None}, {"sub": None}, {"azp": "another"},
        {"preferred_username": "花子"}, {"preferred_username": None}, {"groups": []}, {"groups": None},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, {"groups": [["noc"]]},
    ],
)  # fmt: skip
def test_a_token_with_a_claim_that_is_not_so(liar: Liar, tmp_path: Path, claims: dict[str, Any]) -> None:
    liar.claims = claims
    liar.further = {"sub": "u-1"}
    with pytest.raises(Denied):
        back(liar, client(liar.issuer, tmp_path))


@pytest.mark.parametrize(
    ("algorithm", "signing"),
    [
        ("none", OctKey.import_key("x" * 32)),
        ("HS256", OctKey.import_key(SECRET * 2)),
        ("PS256", None),
        ("RS256", "other"),
    ],
)
def test_a_token_that_is_signed_otherwise(liar: Liar, tmp_path: Path, algorithm: str, signing: Any) -> None:
    liar.header = {"alg": algorithm, "kid": "one"}
    liar.signing = {None: KEY, "other": OTHER}.get(signing if isinstance(signing, str | None) else "", signing)
    with pytest.raises(Denied, match="token is not good"):
        back(liar, client(liar.issuer, tmp_path))


def test_keys_that_were_changed_are_asked_for_again(liar: Liar, tmp_path: Path) -> None:
    asking = client(liar.issuer, tmp_path)
    assert back(liar, asking)
    liar.signing = RSAKey.import_key(OTHER.as_dict(private=True) | {"kid": "two"})
    liar.published, liar.header = [liar.signing], {"alg": "RS256", "kid": "two"}
    assert back(liar, asking)


def test_further_claims_are_of_the_same_subject(liar: Liar, tmp_path: Path) -> None:
    liar.claims = {"groups": None}
    liar.further = {"sub": "u-1", "groups": ["helpdesk"], "preferred_username": "root"}
    known = back(liar, client(liar.issuer, tmp_path))
    assert known.person == Person("hanako", frozenset({Role.SUPPORT})), "what is signed stands"
    liar.further = {"sub": "u-2", "groups": ["noc"]}
    with pytest.raises(Denied, match="somebody else"):
        back(liar, client(liar.issuer, tmp_path))


@pytest.mark.parametrize(
    "metadata", [{"issuer": "https://elsewhere.example"}, {"token_endpoint": "http://elsewhere.example/token"}]
)
def test_metadata_that_lead_elsewhere(liar: Liar, tmp_path: Path, metadata: dict[str, str]) -> None:
    liar.metadata = metadata
    with pytest.raises(UserError, match="cannot be asked"):
        client(liar.issuer, tmp_path).begin()


def test_a_provider_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="try again later"):
        client("http://127.0.0.1:1", tmp_path).begin()


def test_who_takes_too_long_begins_anew(liar: Liar, tmp_path: Path) -> None:
    asking = client(liar.issuer, tmp_path)
    url, kept = asking.begin()
    asking.clock = lambda: datetime.now(UTC) + timedelta(minutes=11)
    with pytest.raises(Denied, match="too long"):
        asking.finish({"state": parse_qs(urlsplit(url).query)["state"][0], "code": "c"}, kept)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example"}, {"issuer": "https://user@id.example"}, {"issuer": "ftp://id.example"},
        {"roles": {"noc": ["root"]}}, {"roles": {"noc": []}}, {"roles": {"noc": ["approver"]}}, {"client_id": ""},
    ],
)  # fmt: skip
def test_settings_that_are_refused(wrong: dict[str, Any]) -> None:
    good = {"issuer": "https://id.example", "client_id": CLIENT, "client_secret_file": "f", "roles": ROLES}
    OpenId.model_validate(good)
    with pytest.raises(ValueError, match="1 validation error"):
        OpenId.model_validate(good | wrong)
