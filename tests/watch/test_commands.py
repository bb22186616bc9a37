"""`op25b watch`: what is shown, what is exported, what an operator does."""

from __future__ import annotations

import csv
import email
import io
import json
import re
import signal
import subprocess
import sys
from base64 import b64decode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.watch import cases
from op25b.watch.states import Step
from tests.cli.conftest import Op25b
from tests.support.attempts import bot, home_server, mail_program
from tests.watch.test_watcher import World, policy


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with a bot (in quarantine), a mail program, a home server, and an IPv6 bot that nobody is known to be."""
    url = f"sqlite:///{tmp_path}/op25b.db"
    upgrade(url)
    world = World(Store(url), policy(notice=["bot", "mail-program"], quarantine=["bot"], quarantine_after_hours=1))
    world.leases = {f"198.18.0.{number}/32": [(0, name)] for number, name in ((1, "=bob"), (2, "mia"), (3, "sam"))}
    attempts = [*bot("198.18.0.1", 1, 300, 9000), *mail_program("198.18.0.2", (1, 2)), *home_server("198.18.0.3", 5, 3)]
    world.until(4, [*attempts, *bot("2001:db8:1::7", 2)])
    world.store.close()
    return url


@pytest.fixture
def numbers(op25b: Op25b, url: str) -> dict[str, int]:
    listed = op25b("watch", "list", "--json", "--store", url).data
    return {case["subscriber"] or case["prefix"]: case["id"] for case in listed}


def test_list_shows_who_tries_and_what_is_due(op25b: Op25b, url: str) -> None:
    found = op25b("watch", "list", "--store", url)
    assert found.status == 0
    listed = {line.split()[1]: line.split()[2:6] for line in found.out.splitlines()[1:]}
    assert {name: row[:2] for name, row in listed.items()} == {
        "=bob": ["bot", "quarantined"],
        "mia": ["mail-program", "noticed"],
        "sam": ["home-server", "open"],
        "2001:db8:1::/64": ["bot", "open"],
    }
    due = op25b("watch", "list", "--due", "--json", "--store", url).data
    assert [(case["subscriber"], case["notice"]) for case in due] == [("mia", "watch/mail-program")]
    bots = op25b("watch", "list", "--kind", "bot", "--json", "--store", url).data
    assert len(bots) == 2


def test_show_has_the_evidence(op25b: Op25b, url: str, numbers: dict[str, int]) -> None:
    case = op25b("watch", "show", numbers["=bob"], "--json", "--store", url).data
    assert case["evidence"]["lease"]["subscriber"] == "=bob"
    assert {each["met"] for each in case["evidence"]["criteria"] if each["rule"] == "bot: fast"} == {True}
    text = op25b("watch", "show", numbers["=bob"], "--store", url).out
    assert re.search(r"bot: fast +targets in one hour +\d+ +>= +100 +yes", text)
    assert op25b("watch", "show", 99, "--store", url).status == 2


def test_close_and_release(op25b: Op25b, url: str, numbers: dict[str, int]) -> None:
    listed = op25b("watch", "quarantine", "list", "--json", "--store", url).data
    assert [each["subscriber"] for each in listed] == ["=bob"]
    assert op25b("watch", "quarantine", "release", "mia", "--store", url).status == 2
    assert op25b("watch", "quarantine", "release", "=bob", "--why", "cleaned", "--store", url).status == 0
    assert op25b("watch", "quarantine", "list", "--json", "--store", url).data == []
    assert op25b("watch", "close", numbers["sam"], "--store", url).status == 0
    again = op25b("watch", "close", numbers["sam"], "--store", url)
    assert (again.status, again.err) == (2, f"case {numbers['sam']} is closed: close is not possible\n")
    states = {case["id"]: case["state"] for case in op25b("watch", "list", "--all", "--json", "--store", url).data}
    assert (states[numbers["=bob"]], states[numbers["sam"]]) == ("released", "closed")


def test_csv_is_harmless_in_a_spreadsheet(op25b: Op25b, url: str) -> None:
    rows = list(csv.DictReader(io.StringIO(op25b("watch", "export", "--store", url).out)))
    assert [row["subscriber"] for row in rows if row["kind"] == "bot"] == ["'=bob", ""]
    assert len(rows) == 4


def test_xarf_has_what_its_schema_asks_for(op25b: Op25b, url: str, numbers: dict[str, int], example: Any) -> None:
    cases = numbers["=bob"], numbers["2001:db8:1::/64"]
    done = op25b("watch", "export", *cases, "--as", "xarf", "--policy", example("netlaputa"), "--store", url)
    assert done.status == 0, done.err
    reports = [json.loads(line) for line in done.out.splitlines()]
    assert [report["source_identifier"] for report in reports] == ["198.18.0.1", "2001:db8:1::"]
    for report in reports:
        check_xarf(report)
    assert "=bob" not in done.out + b64decode(reports[0]["evidence"][0]["payload"]).decode()


def check_xarf(report: dict[str, Any]) -> None:
    """What xarf-core.json and types/connection-infected-host.json of XARF v4 require, by hand."""
    assert re.fullmatch(r"4\.[0-9]+\.[0-9]+", report["xarf_version"])
    assert UUID(report["report_id"]).version == 4
    for name in ("timestamp", "first_seen", "last_seen"):
        assert datetime.fromisoformat(report[name]).tzinfo is not None
    for name in ("reporter", "sender"):
        assert set(report[name]) == {"org", "contact", "domain"}
        assert report[name]["contact"].endswith(f"@{report[name]['domain']}")
        assert len(report[name]["org"]) <= 200
    assert (report["category"], report["type"], report["protocol"]) == ("connection", "infected_host", "tcp")
    assert report["bot_type"] in ("malicious", "unknown")
    assert report["destination_port"] == 25
    assert report["total_requests"] >= 1
    assert len(report["description"]) <= 1000
    for item in report["evidence"]:
        assert set(item) == {"content_type", "description", "payload", "hash", "size"}
        content = b64decode(item["payload"], validate=True)
        assert (item["hash"], item["size"]) == (f"sha256:{sha256(content).hexdigest()}", len(content))
        assert json.loads(content)["criteria"]


def test_arf_is_read_back(op25b: Op25b, url: str, numbers: dict[str, int], example: Any) -> None:
    done = op25b(
        "watch", "export", numbers["=bob"], "--as", "arf", "--policy", example("netlaputa"), "--to", "abuse@b.example",
        "--store", url,
    )  # fmt: skip
    assert done.status == 0, done.err
    message = email.message_from_string(done.out)
    assert message.defects == []
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "feedback-report"
    assert message["To"] == "abuse@b.example"
    text, report, headers = message.get_payload()
    kinds = [part.get_content_type() for part in (text, report, headers)]
    assert kinds == ["text/plain", "message/feedback-report", "text/rfc822-headers"]
    fields = email.message_from_string(
        report.get_payload(0).as_string() if report.is_multipart() else report.get_payload()
    )
    assert (fields["Feedback-Type"], fields["Version"], fields["Source-IP"]) == ("virus", "1", "198.18.0.1")
    assert int(fields["Incidents"]) == 300
    assert "=bob" not in done.out


@pytest.mark.parametrize("as_", ["xarf", "arf"])
def test_a_mail_program_is_no_abuse(op25b: Op25b, url: str, numbers: dict[str, int], example: Any, as_: str) -> None:
    done = op25b("watch", "export", numbers["mia"], "--as", as_, "--policy", example("netlaputa"), "--store", url)
    assert (done.status, done.out) == (2, "")
    assert "no abuse" in done.err


def test_reports_need_a_policy_and_arf_one_case(op25b: Op25b, url: str, example: Any) -> None:
    assert op25b("watch", "export", "--as", "xarf", "--store", url).status == 2
    assert op25b("watch", "export", "--as", "arf", "--policy", example("netlaputa"), "--store", url).status == 2


def test_follow_shows_a_case_as_it_changes_until_interrupted(url: str, numbers: dict[str, int]) -> None:
    program = [sys.executable, "-m", "op25b", "watch", "follow", "--json", "--store", url]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        first = [json.loads(following.stdout.readline()) for _ in numbers]
        assert {case["id"] for case in first} == set(numbers.values())
        store = Store(url)
        with store.write() as connection:
            case = cases.find(connection, numbers["sam"])
            cases.step(connection, case, Step.CLOSE, By("op", datetime.now(UTC), ""))
        store.close()
        changed = json.loads(following.stdout.readline())
        assert (changed["id"], changed["state"]) == (numbers["sam"], "closed")
        following.send_signal(signal.SIGINT)
        following.wait(10)
        assert "Traceback" not in following.stderr.read()
