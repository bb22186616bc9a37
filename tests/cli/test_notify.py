"""op25b notify and op25b rollout as they are called: what is shown, what is refused, what goes on paper."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from op25b.cli import notify_mail
from op25b.cli.main import run
from op25b.store import upgrade
from tests.support.examples import FOLDER
from tests.support.running import eventually
from tests.support.service import PASSWORD, USER, Service
from tests.support.sink import Sink

POLICY = str(FOLDER / "nmtnet.toml")
AT = "2010-11-01T00:00:00+09:00"
PEOPLE = """id,email,language,name,postal_code,address,fax
n1,p1@friends.example,ja,徳島 太郎,770-0831,徳島市一番町1,
n2,,ja,阿波 花子,770-0832,徳島市一番町2,
n3,,en,Pat,,,088-655-0000
n4,,,,,,
"""


@pytest.fixture
def people(tmp_path: Path) -> str:
    path = tmp_path / "people.csv"
    path.write_text("\ufeff" + PEOPLE, encoding="utf-8")
    return str(path)


def notify(*arguments: str) -> int:
    return run(["notify", POLICY, "--phase", "all-dynamic", "--at", AT, *arguments])


def test_a_dry_run_shows_and_sends_nothing(people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = f"sqlite:///{tmp_path}/none.db"
    assert notify("--to", people, "--dry-run", "--store", store) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("phase all-dynamic, notice tentative: mail 1, fax 1, letter 2; nothing was sent\n")
    assert "実施予定" in shown
    assert "another notice" in shown
    assert notify("--to", people, "--dry-run", "--json", "--store", store) == 0
    assert json.loads(capsys.readouterr().out)["people"] == 4
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ('id,email,name\nn1,a@b.example,"x\nBcc: c@d.example"\n', "row 2: name holds a line break"),
        ("id,email,name\nn1,a@b.example,=1+1\nn1,a\n", "row 2: name begins with '='"),
        ("id,email\nn1,a@b.example\nn2,b@c.example\0\n", "row 3: a NUL character"),
        ("id,email\nn1," + "x" * 200_000 + "\n", "row 2: field larger"),
        ("mail\nx\n", "row 1: unknown column 'mail'"),
    ],
)
def test_a_bad_list_is_refused_by_row(rows: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "people.csv"
    path.write_text(rows)
    assert notify("--to", str(path), "--store", f"sqlite:///{tmp_path}/none.db") == 2
    said = capsys.readouterr().err
    assert f"{path}: {told}" in said
    assert "nothing was sent" in said
    assert not (tmp_path / "none.db").exists()


def test_faults_are_told_up_to_a_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id\n" + "=x\n" * 1000)
    assert notify("--to", str(path)) == 2
    assert f"{path}: 980 more bad rows" in capsys.readouterr().err
    path.write_bytes("id\n太郎\n".encode("cp932"))
    assert notify("--to", str(path)) == 2
    assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--phase", "all"], "there is no phase 'all'; there are already-covered, all-dynamic"),
        (["--stage", "date"], "there is no date notice"),
        (["--at", "2010-11-01"], "has no offset"),
        ([], "say with --user and --password-file as whom"),
        (["--user", "x", "--password-file", "/nonexistent"], "cannot be read"),
        (["--user", "x", "--password-file", "people.csv", "--server", "h:x"], "is not a server"),
    ],
)
def test_what_is_asked_for_wrongly(
    arguments: list[str], told: str, people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["notify", POLICY, "--phase", "all-dynamic", "--at", AT, "--to", people]
    assert run([*common, "--store", f"sqlite:///{tmp_path}/op25b.db", *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Service, Sink]]:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    with Sink() as sink:
        relay = f'[relay]\nsmart_host = {{ host = "127.0.0.1", port = {sink.port} }}\n'
        with Service(tmp_path, tables=relay, parts=()) as running:
            yield running, sink


def access(service: Service) -> list[str]:
    folder = service.folder
    return [
        "--server", f"127.0.0.1:{service.implicit}", "--user", USER, "--from", USER, "--ca", str(folder / "ca.pem"),
        "--password-file", str(folder / "password"),
    ]  # fmt: skip


def test_paper_for_those_whom_mail_does_not_reach(
    service: tuple[Service, Sink], people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running, sink = service
    common = ["--to", people, "--store", running.store, *access(running), "--json"]
    # 465 is spoken to with TLS at once only where it is called so: 587 is tried with STARTTLS
    common[common.index("--server") + 1] = f"127.0.0.1:{running.starttls}"
    assert notify(*common, "--unreached", str(tmp_path / "unreached.csv")) == 0
    assert json.loads(capsys.readouterr().out) == {
        "phase": "all-dynamic", "stage": "tentative", "people": 4, "sent": 1, "refused": 0, "letters": 0, "faxes": 0,
        "unreached": 3,
    }  # fmt: skip
    eventually(lambda: [each.recipients for each in sink.got] == [("p1@friends.example",)])
    with (tmp_path / "unreached.csv").open(newline="") as file:
        assert [(row["id"], row["why"]) for row in csv.DictReader(file)] == [
            ("n2", "no mail address; letter"),
            ("n3", "no mail address; fax"),
            ("n4", "no mail address; letter"),
        ]
    papers = ["--letters", str(tmp_path / "letters.pdf"), "--faxes", str(tmp_path / "faxes.pdf")]
    assert notify(*common, *papers) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sent"], found["letters"], found["faxes"], found["unreached"]) == (0, 1, 1, 1)
    assert (tmp_path / "letters.pdf").read_bytes().startswith(b"%PDF")
    # printed once, and the file that is there stays
    assert notify(*common, *papers) == 0
    assert json.loads(capsys.readouterr().out)["letters"] == 0
    assert run(["rollout", POLICY, "--at", AT, "--store", running.store]) == 0
    assert "people 4, mail 1, taken 1, delivered 1, to print 1, printed 2" in capsys.readouterr().out


def test_a_server_with_another_store_gets_one_mail_and_no_more(
    service: tuple[Service, Sink],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running, sink = service
    other = f"sqlite:///{tmp_path}/other.db"
    upgrade(other)
    monkeypatch.setattr(notify_mail, "SEEN_SECONDS", 2)
    path = tmp_path / "people.csv"
    path.write_text("id,email\nn1,a@b.example\nn2,b@b.example\n")
    arguments = [*access(running), "--store", other]
    arguments[1] = f"127.0.0.1:{running.starttls}"
    assert notify("--to", str(path), *arguments) == 2
    assert "has noted nothing of it in this store" in capsys.readouterr().err
    eventually(lambda: len(sink.got) == 1)


def test_a_certificate_that_is_not_trusted(
    service: tuple[Service, Sink], people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    running, sink = service
    arguments = ["--to", people, "--store", running.store, *access(running)]
    arguments[arguments.index("--server") + 1] = f"127.0.0.1:{running.starttls}"
    at = arguments.index("--ca")
    assert notify(*arguments[:at], *arguments[at + 2 :]) == 2
    assert "its certificate is not good" in capsys.readouterr().err
    assert not sink.got
