"""Two hosts with Postfix, an op25b beside each, and one PostgreSQL for both."""

from __future__ import annotations

import os
import smtplib
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from op25b.store import upgrade
from tests.support.databases import schema
from tests.support.postfix import PostfixHost, installed
from tests.support.service import MESSAGE, PASSWORD

pytestmark = [pytest.mark.root, installed]

JIRO = "jiro@netlaputa.example"


def _account(url: str, *words: str, secret: str = "") -> None:
    command = [sys.executable, "-m", "op25b", "account", *words]
    subprocess.run(command, env=os.environ | {"OP25B_STORE": url}, input=secret, text=True, check=True, timeout=60)


def test_an_account_is_the_same_at_every_host(postgresql: str, tmp_path: Path) -> None:
    url = schema(postgresql)
    upgrade(url)
    with ExitStack() as stack:
        hosts = []
        for name in ("east", "west"):
            (tmp_path / name).mkdir()
            hosts.append(stack.enter_context(PostfixHost(tmp_path / name, store=url)))
        _account(url, "add", JIRO, secret=f"{PASSWORD}\n")
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
