"""The POP password at a real Dovecot, over TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import pytest
import trustme

from op25b.subscribers.credentials.pop_login import PopLogin, PopServer
from op25b.subscribers.credentials.proofs import Away
from tests.subscribers.credentials.conftest import VISITOR
from tests.support.dovecot import NEEDED, Dovecot, pop_tls
from tests.support.service import free_ports

pytestmark = NEEDED

AUTHORITY = trustme.CA()
TARO = "taro@imart.example"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with pop_tls({TARO: "himitsu 1", "hanako": "ひみつ"}, AUTHORITY) as running:
        yield running


def asked(server: PopServer, address: str, password: str, context: ssl.SSLContext | None = None) -> bool:
    if context is None:
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
    login = PopLogin(server, context)
    try:
        return asyncio.run(login.check(address, password, VISITOR))
    finally:
        login.close()


def implicit(dovecot: Dovecot) -> PopServer:
    return PopServer(host="localhost", port=dovecot.pop3s)


def test_over_tls_from_the_first_byte_and_by_stls(dovecot: Dovecot) -> None:
    starttls = PopServer(host="localhost", port=dovecot.pop3, tls="starttls")
    for server in (implicit(dovecot), starttls):
        assert asked(server, TARO, "himitsu 1")
        assert not asked(server, TARO, "himitsu 2")
        assert not asked(server, "nobody@imart.example", "himitsu 1")


def test_a_server_that_knows_users_by_their_local_part(dovecot: Dovecot) -> None:
    server = PopServer(host="localhost", port=dovecot.pop3s, user_name="local-part")
    assert asked(server, "hanako@imart.example", "ひみつ")


def test_the_server_hears_who_asks(dovecot: Dovecot) -> None:
    assert asked(implicit(dovecot), TARO, "himitsu 1")
    assert f"rip={VISITOR}" in dovecot.log()


def test_a_line_end_is_no_second_command(dovecot: Dovecot) -> None:
    assert not asked(implicit(dovecot), TARO, "x\r\nUSER taro@imart.example\r\nPASS himitsu 1")
    assert not asked(implicit(dovecot), f"{TARO}\nPASS himitsu 1\n", "himitsu 1")


def test_a_certificate_of_somebody_else_gets_no_password(dovecot: Dovecot) -> None:
    with pytest.raises(Away, match="certificate"):
        asked(implicit(dovecot), TARO, "himitsu 1", ssl.create_default_context())


def test_no_server_no_answer() -> None:
    with pytest.raises(Away, match="refused"):
        asked(PopServer(host="localhost", port=free_ports(1)[0]), TARO, "himitsu 1")
