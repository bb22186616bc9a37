"""A real Postfix as the next hop, on the loopback, with a configuration of its own."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dns.asyncresolver
import pytest

from op25b.submission.driver.mailboxes import ByCall
from op25b.submission.relay.connect import contexts
from op25b.submission.relay.settings import NextHop
from op25b.submission.spool.envelope import Recipient
from tests.submission.relay.test_connect import STRANGER
from tests.submission.relay.world import DELIVERED, FAILED, world
from tests.support.postfix import NOBODY, folder, running
from tests.support.service import free_ports

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("postfix") is None, reason="needs Postfix: apt install postfix"),
]


@pytest.fixture(scope="module")
def postfix() -> Iterator[tuple[int, Path]]:
    """Its port, and the Maildir of everybody at example.com but `nobody`."""
    (port,) = free_ports(1)
    with folder() as directory:
        pair = STRANGER.issue_cert("mx.example.com")
        pair.private_key_and_cert_chain_pem.write_to_path(directory / "etc/pair.pem")
        settings = {
            "myhostname": "mx.example.com",
            "mynetworks": "",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "virtual_mailbox_domains": "example.com",
            "virtual_mailbox_base": directory,
            "virtual_mailbox_maps": "inline:{bob@example.com=inbox/, carol@example.com=inbox/}",
            "virtual_uid_maps": f"static:{NOBODY}",
            "virtual_gid_maps": f"static:{NOBODY}",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": directory / "etc/pair.pem",
            "smtpd_tls_received_header": "yes",
            "message_size_limit": "100000",
        }
        with running(directory, f"127.0.0.1:{port} inet n - n - - smtpd\n", settings):
            yield port, directory / "inbox" / "new"


def delivered(inbox: Path, count: int) -> list[bytes]:
    """What came in, as soon as it is `count` messages."""
    end = time.monotonic() + 20
    while not inbox.exists() or len(list(inbox.iterdir())) < count:
        assert time.monotonic() < end, "Postfix did not deliver"
        time.sleep(0.05)
    found = [path.read_bytes() for path in inbox.iterdir()]
    for path in inbox.iterdir():
        path.unlink()
    return found


def test_postfix_takes_it_over_tls(tmp_path: Path, postfix: tuple[int, Path]) -> None:
    port, inbox = postfix

    async def play() -> None:
        async with world(tmp_path, smart_host=NextHop("127.0.0.1", port)) as here:
            dots = "From: alice@example.net\r\nSubject: \u00fc\r\n\r\n.\r\n..\r\n.x\r\n".encode()
            queue_id = await here.submit("bob@example.com", "carol@example.com", content=dots)
            for number in range(20):
                await here.submit("bob@example.com", content=b"Subject: n%d\r\n\r\nx\r\n" % number)
            await here.run()
            assert here.states(queue_id) == {"bob@example.com": DELIVERED, "carol@example.com": DELIVERED}
            got = await asyncio.to_thread(delivered, inbox, 22)
            whole = [each for each in got if "Subject: \u00fc\n".encode() in each and each.endswith(b"\n\n.\n..\n.x\n")]
            assert len(whole) == 2
            assert all(b"(using TLSv1.3 with cipher" in each for each in got)
            assert all(b"Return-Path: <alice@example.net>" in each for each in got)

    asyncio.run(play())


def test_postfix_refuses(tmp_path: Path, postfix: tuple[int, Path]) -> None:
    port, inbox = postfix

    async def play() -> None:
        async with world(tmp_path, smart_host=NextHop("127.0.0.1", port)) as here:
            to = (Recipient("bob@example.com", ("SUCCESS",)), "nobody@example.com", "eve@example.org")
            queue_id = await here.submit(*to, sender="carol@example.com")
            large = await here.submit("bob@example.com", sender="", content=b"x" * 120_000 + b"\r\n")
            await here.run(most=timedelta(minutes=5))
            assert here.states(queue_id) == {
                "bob@example.com": DELIVERED, "nobody@example.com": FAILED, "eve@example.org": FAILED,
            }  # fmt: skip
            assert here.last("nobody@example.com")["status"] == "5.1.1"
            assert here.last("eve@example.org")["status"] == "5.7.1"
            assert here.states(large) == {"bob@example.com": FAILED}
            # the message, our bounce of two recipients, and Postfix's own notice of success: it took that over
            got = await asyncio.to_thread(delivered, inbox, 3)
            [bounce] = [each for each in got if b"Reporting-MTA: dns; mail.example.net" in each]
            assert b"nobody@example.com" in bounce
            assert b"eve@example.org" in bounce
            [success] = [each for each in got if b"Reporting-MTA: dns; mx.example.com" in each]
            assert b"Action: delivered" in success

    asyncio.run(play())


def test_it_says_which_mailboxes_there_are(postfix: tuple[int, Path]) -> None:
    """As a service with `local_recipients = "ask"` asks it."""
    port, inbox = postfix
    before = list(inbox.iterdir()) if inbox.exists() else []

    async def ask() -> list[bool]:
        routes = {"example.com": NextHop("127.0.0.1", port)}
        nowhere = dns.asyncresolver.Resolver(configure=False)
        mailboxes = ByCall(routes, "mail.example.net", nowhere, contexts(), time.monotonic)
        return [await mailboxes.has(f"{name}@example.com") for name in ("bob", "nobody", "carol")]

    assert asyncio.run(ask()) == [True, False, True]
    assert (list(inbox.iterdir()) if inbox.exists() else []) == before


def test_what_postfix_cannot_carry_bounces(postfix: tuple[int, Path], tmp_path: Path) -> None:
    """Postfix has CHUNKING and no BINARYMIME; REQUIRETLS it has not either."""
    port, _ = postfix

    async def play() -> None:
        async with world(tmp_path, smart_host=NextHop("127.0.0.1", port)) as here:
            await here.submit("binary@example.com", sender="", body="BINARYMIME", content=b"A: b\r\n\r\n" + b"x" * 2000)
            await here.submit("secret@example.com", sender="", requiretls=True)
            await here.run(most=timedelta(minutes=5))
            assert (here.last("binary@example.com")["event"], here.last("binary@example.com")["status"]) == (
                FAILED, "5.6.3",
            )  # fmt: skip
            assert (here.last("secret@example.com")["event"], here.last("secret@example.com")["status"]) == (
                FAILED, "5.7.30",
            )  # fmt: skip

    asyncio.run(play())
