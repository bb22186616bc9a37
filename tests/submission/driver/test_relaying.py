"""The relay beside the workers: woken at once, counted, watched over."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from op25b.submission.driver.relaying import Alarm
from op25b.submission.spool.bell import NAME, Bell
from tests.support.service import MESSAGE, USER, Service, eventually, free_ports


def test_a_relay_that_sleeps_is_woken(tmp_path: Path) -> None:
    async def play() -> None:
        stop = asyncio.Event()
        alarm = Alarm(tmp_path, stop)
        bell = Bell(tmp_path)
        for _ in range(3):
            began = time.monotonic()
            asyncio.get_running_loop().call_later(0.1, bell.ring)
            await alarm.sleep(60)
            assert time.monotonic() - began < 20
        began = time.monotonic()
        await alarm.sleep(0.1)
        assert time.monotonic() - began >= 0.1, "one ring wakes once"
        alarm.end()
        await alarm.sleep(60)
        await alarm.sleep(60)
        bell.close()
        alarm.close()

    asyncio.run(play())


def test_without_a_bell_it_looks_by_itself(tmp_path: Path) -> None:
    async def play() -> None:
        (tmp_path / NAME).write_bytes(b"")
        alarm = Alarm(tmp_path, asyncio.Event())
        assert alarm.longest == 0.2
        await alarm.sleep(alarm.longest)
        alarm.close()

    asyncio.run(play())


class Mailbox:
    """A next hop that knows nobody called nobody, and puts off whoever is called later."""

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, to: str, options: list[str]) -> str:
        answers = {"nobody": "550 5.1.1 no such mailbox", "later": "450 4.2.0 later"}
        answer = answers.get(to.partition("@")[0], "250 2.1.5 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(to)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return "250 2.0.0 taken"


def numbers(text: str) -> dict[str, float]:
    """The relay's, by name and label value."""
    found = re.findall(r'^op25b_relay_(\w+)(?:\{\w+="([^"]*)"\})? ([-+.e\d]+)$', text, re.M)
    return {f"{name}:{label}" if label else name: float(value) for name, label, value in found}


def test_its_numbers_outlive_it(tmp_path: Path) -> None:
    port, closed = free_ports(2)
    controller = Controller(Mailbox(), hostname="127.0.0.1", port=port)
    controller.start()
    tables = f"""
[relay]
smart_host = {{ host = "127.0.0.1", port = {port} }}
[[relay.routes]]
domain = "dead.example"
host = "127.0.0.1"
port = {closed}
"""
    to = [f"{name}@elsewhere.example" for name in ("friend", "nobody", "later")]
    wanted = {
        "recipients_total:delivered": 2,  # the bounce as well
        "recipients_total:bounced": 1,
        "recipients_total:deferred": 2,
        "replies_total:2yz": 2,
        "replies_total:4yz": 1,
        "replies_total:5yz": 1,
        "replies_total:none": 1,
        "reports_total": 1,
        "connections_total:failed": 1,
        "starts_total": 1,
        "messages": 2,
        "messages_held": 0,
        "recipients_under_way": 0,
        f"destinations_failing:127.0.0.1:{closed}": 1,
        f"destinations:127.0.0.1:{port}": 1,
        "destinations:mx": 0,
    }
    with Service(tmp_path, tables=tables, parts=()) as service, service.customer() as client:
        assert client.sendmail(USER, to, MESSAGE) == {}
        assert client.sendmail(USER, ["friend@dead.example"], MESSAGE) == {}
        found: dict[str, float] = {}

        def all_there() -> bool:
            found.update(numbers(service.get("/metrics")))
            return found.items() >= wanted.items()

        try:
            eventually(all_there)
        except AssertionError:
            assert found == found | wanted
        assert found["oldest_message_seconds"] > 0
        health = json.loads(service.get("/healthz"))
        assert (health["ok"], health["relay"]) == (True, "ok")

        [relay] = [pid for pid in children(service) if pid not in service.pids()][:1]
        os.kill(relay, signal.SIGKILL)
        eventually(lambda: numbers(service.get("/metrics"))["starts_total"] == 2)
        assert numbers(service.get("/metrics"))["recipients_total:delivered"] == 2
    controller.stop()


def children(service: Service) -> list[int]:
    assert service._process is not None
    pid = service._process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_relay_alone_has_a_page_of_its_own_if_wanted(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with Service(tmp_path) as service:
        service.config.write_text(service.config.read_text().replace("[health]", f"[health]\nrelay_port = {port}"))
        alone = subprocess.Popen([sys.executable, "-m", "op25b", "serve", service.config, "--only", "relay"])
        try:
            service.health = port

            def answers() -> bool:
                try:
                    return json.loads(service.get("/healthz")) == {"ok": True, "relay": "ok"}
                except OSError:
                    return False

            eventually(answers)
            assert "op25b_submission" not in service.get("/metrics")
            assert numbers(service.get("/metrics"))["starts_total"] == 1
        finally:
            alone.terminate()
            assert alone.wait(30) == 0
