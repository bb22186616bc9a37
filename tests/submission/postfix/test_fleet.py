"""Two hosts with Postfix, an op25b beside each, and one PostgreSQL for both."""

from __future__ import annotations

import io
import smtplib
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from op25b.cli.main import run
from op25b.store import upgrade
from tests.support.databases import schema
from tests.support.postfix_host import PostfixHost, installed
from tests.support.service import MESSAGE, PASSWORD

pytestmark = [pytest.mark.root, installed]

JIRO = "jiro@netlaputa.example"


def _account(url: str, *words: str) -> None:
    assert run(["account", *words, "--store", url]) == 0


def test_an_account_is_the_same_at_every_host(postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = schema(postgresql)
    upgrade(url)
    with ExitStack() as stack:
        hosts = []
        for name in ("east", "west"):
            (tmp_path / name).mkdir()
            hosts.append(stack.enter_context(PostfixHost(tmp_path / name, store=url)))
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        _account(url, "add", JIRO)
        for host in hosts:
            with host.customer(JIRO) as client:
                client.sendmail(JIRO, ["x@elsewhere.example"], MESSAGE)
        with hosts[0].customer(JIRO) as before:
            _account(url, "suspend", JIRO, "--why", "sends spam")
            for host in hosts:
                with pytest.raises(smtplib.SMTPAuthenticationError) as refused, host.customer(JIRO):
                    pass
                assert b"suspended" in refused.value.smtp_error
            before.mail(JIRO)
            assert before.rcpt("x@elsewhere.example")[0] == 525
        _account(url, "resume", JIRO, "--why", "cleaned")
        for host in hosts:
            with host.customer(JIRO) as client:
                client.sendmail(JIRO, ["x@elsewhere.example"], MESSAGE)
        _is_away(url, hosts[1])


def _is_away(url: str, host: PostfixHost) -> None:
    """Nobody is told that his password is wrong because the accounts cannot be read."""
    name = url.rpartition("%3D")[2]
    with host.customer(JIRO) as before, psycopg.connect(url.partition("&")[0], autocommit=True) as database:
        database.execute(f"ALTER SCHEMA {name} RENAME TO {name}_away")
        try:
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused, host.customer(JIRO):
                pass
            assert refused.value.smtp_code == 454
            before.mail(JIRO)
            code, text = before.rcpt("x@elsewhere.example")
            assert (code, text[:6]) == (450, b"4.3.0 ")
        finally:
            database.execute(f"ALTER SCHEMA {name}_away RENAME TO {name}")
        assert before.rcpt("x@elsewhere.example")[0] == 250
