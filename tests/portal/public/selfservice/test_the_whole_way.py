"""imart's customer, in a real browser: from the POP password at a real Dovecot to a mail that is taken on 587."""

from __future__ import annotations

import os
import smtplib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from playwright.sync_api import Browser, Page

from op25b.store import upgrade
from op25b.subscribers.credentials.tries import FAILURE_SECONDS
from tests.portal.public.selfservice.conftest import POP_PASSWORD, TARO, Visitor
from tests.support import everybody
from tests.support.browser import visit
from tests.support.databases import schema
from tests.support.dovecot import NEEDED, Dovecot, pop_tls
from tests.support.running import Running, free_ports
from tests.support.service import POLICY, Service

pytestmark = NEEDED

PROVIDER = POLICY.replace(
    "[[own_servers]]",
    """[[provider.brands]]
name = "imart"
display = { ja = "imart", en = "imart" }
domains = ["imart.example"]
[credentials]
user_name = "issued"
self_service = true
[[own_servers]]""",
)
PORTAL = """
policy = "policy.toml"
store = "{store}"
user = "nobody"
[health]
port = {health}
[portal]
url = "http://127.0.0.1:{port}"
port = {port}
trusted_proxies = ["127.0.0.1/32"]
[portal.pop]
host = "localhost"
port = {pop}
"""


@dataclass
class House:
    """The way out, a POP server, and the pages as a process that is somebody else than the other two."""

    mail: Service
    pop: Dovecot
    portal: Running
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pages(self) -> int:
        """The process that serves them."""
        return next(pid for pid in self.portal.children() if _comm(pid) == "op25b portal")


@pytest.fixture(scope="module")
def house(postgresql: str) -> Iterator[House]:
    store = schema(postgresql)
    upgrade(store)
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(TemporaryDirectory(prefix="op25b-"))) for _ in range(2)]
        mail = Service(folders[0], policy=PROVIDER, store=store)
        pop = stack.enter_context(pop_tls({TARO: POP_PASSWORD}, mail.authority))
        port, health = free_ports(2)
        folders[1].chmod(0o755)
        (folders[1] / "policy.toml").write_text(PROVIDER)
        (folders[1] / "service.toml").write_text(PORTAL.format(store=store, port=port, health=health, pop=pop.pop3s))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        # where this host's trusted authorities are
        patch.setenv("SSL_CERT_FILE", str(folders[1] / "ca.pem"))
        mail.authority.cert_pem.write_to_path(folders[1] / "ca.pem")
        (folders[1] / "python").mkdir()
        portal = Running(folders[1], health, ("--only", "portal"), everybody.program(folders[1] / "python"))
        stack.enter_context(mail)
        stack.enter_context(portal)
        yield House(mail, pop, portal, port)


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _apply(page: Page, password: str) -> None:
    page.get_by_label("メールアドレス").fill(TARO)
    page.get_by_label("現在のPOPパスワード").fill(password)
    page.get_by_role("button", name="申し込む").click()


@pytest.mark.parametrize("javascript", [True, False])
def test_from_the_pop_password_to_a_mail_on_587(house: House, browser: Browser, javascript: bool) -> None:
    with visit(browser, javascript=javascript) as seen:
        page = seen.page
        page.goto(f"{house.url}/ja/credentials")
        page.get_by_role("link", name="imartのお客さまはこちら").first.click()
        _apply(page, "wrong")
        assert "一致しませんでした" in page.get_by_role("alert").inner_text()
        assert page.get_by_label("メールアドレス").input_value() == TARO
        assert page.get_by_label("現在のPOPパスワード").input_value() == ""
        _apply(page, POP_PASSWORD)
        assert page.get_by_role("heading", level=1).inner_text() == "ユーザー名とパスワードを発行しました"
        user_name, password, host = page.locator("main code").all_inner_texts()
        assert seen.elsewhere() == []
    assert host == "mail.netlaputa.example"
    with smtplib.SMTP("127.0.0.1", house.mail.starttls, timeout=30) as client:
        client.starttls(context=house.mail.client_tls)
        client.login(user_name, password)
        assert client.sendmail(TARO, ["hanako@example.com"], f"From: {TARO}\r\n\r\nHello\r\n") == {}
    (envelope, _), *_ = reversed(house.mail.spooled())
    assert (envelope.sender, envelope.origin.account) == (TARO, user_name)
    for log in (house.portal.folder / "log", house.mail.folder / "log"):
        assert password not in log.read_text()
        assert POP_PASSWORD not in log.read_text()


def test_the_time_of_an_answer_does_not_tell_who_is_a_customer(house: House) -> None:
    """At the real server, which takes its own time over each."""

    def seconds(address: str, source: str) -> float:
        with httpx.Client(base_url=house.url, headers={"X-Forwarded-For": source}, timeout=30) as client:
            visitor = Visitor(client)
            visitor.open("/en/credentials/imart")
            started = time.monotonic()
            assert visitor.apply("wrong", address).status_code == 422
            return time.monotonic() - started

    with ThreadPoolExecutor(2) as threads:
        for each in threads.map(seconds, [TARO, "nobody@imart.example"], ["203.0.113.1", "203.0.113.2"]):
            assert each >= FAILURE_SECONDS


def test_the_process_has_no_way_to_the_spool_or_to_the_filter(house: House) -> None:
    pid = house.pages()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"
    assert "0" not in status["Uid"].split()
    spool = house.mail.folder / "spool"
    opened = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    assert [each for each in opened if str(house.mail.folder) in each] == []
    assert _unix_paths(opened) == []
    assert _families(pid) == set()
    # what somebody who has taken it over may do
    denied = os.fork()
    if denied == 0:
        os.setgroups([])
        os.setuid(int(status["Uid"].split()[0]))
        os._exit(0 if not os.access(spool, os.R_OK | os.X_OK) and not os.access(spool, os.W_OK) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(denied, 0)[1]) == 0


def _unix_paths(opened: list[str]) -> list[str]:
    """Of the sockets among these, those that have a path."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    named = {f"socket:[{each[6]}]": each[7] for each in lines if len(each) > 7}
    return [named[each] for each in opened if each in named]


def _families(pid: int) -> set[str]:
    """Kinds of sockets by which a filter is changed or packets are read, of a process: there are none."""
    held = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for kind in ("netlink", "packet"):
        lines = Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
        found |= {kind for line in lines if f"socket:[{line.split()[-1]}]" in held}
    return found


def test_a_slow_or_hostile_client_keeps_nobody_waiting(house: House) -> None:
    held = [socket.create_connection(("127.0.0.1", house.port), 10) for _ in range(50)]
    for each in held:
        each.sendall(b"POST /ja/credentials/imart HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
    with socket.create_connection(("127.0.0.1", house.port), 10) as client:
        client.sendall(b"GET /ja/credentials HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
    for each in held:
        each.close()
