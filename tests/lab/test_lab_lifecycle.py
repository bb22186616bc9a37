"""A lab's beginning and end, crashes included: whatever is killed, nothing stays behind."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from op25b.errors import Missing, UserError
from op25b.lab import Kind, Lab, attach, attempt, connect, down, lab_names, namespaces, records, up

from .conftest import TOY, now

SOURCE = Path(__file__).parents[2] / "src"
SMALL = replace(TOY, pools=TOY.pools[:1], servers=TOY.servers[1:], customers=(), home_servers=())


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for name in lab_names(tmp_path):
        down(name, directory=tmp_path)


def small(name: str, directory: Path) -> Lab:
    return up(name, SMALL, now=now(), directory=directory)


def marked(marker: str) -> set[int]:
    """The living processes that have the marker in their environment."""
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and marker.encode() in (entry / "environ").read_bytes():
                found.add(int(entry.name))
    return found - {os.getpid()}


def namespaces_of(lab: Lab) -> set[str]:
    inside = lab.run("edge", ["sh", "-c", "readlink /proc/self/ns/pid /proc/self/ns/mnt /proc/self/ns/net"])
    return set(inside.stdout.split())


def namespaces_in_use() -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found |= {os.readlink(process / "ns" / kind) for kind in ("pid", "mnt", "net")}
    return found


def connects(lab: Lab) -> Kind:
    return attempt(lab, "sub-flets", connect(str(lab.plan.host("foreign").address(4)), 25)).outcome.kind


def test_up_twice_is_the_same_lab_and_down_twice_is_quiet(directory: Path) -> None:
    first = small("one", directory)
    assert small("one", directory).record == first.record
    assert attach("one", directory=directory) == first
    assert down("one", directory=directory)
    assert not down("one", directory=directory)
    assert attach("one", directory=directory) is None
    assert list(directory.iterdir()) == []


def test_up_for_another_provider_takes_the_place(directory: Path) -> None:
    first = small("one", directory)
    other = up("one", replace(SMALL, reserved=("192.0.2.0/28",)), now=now(), directory=directory)
    assert other.record != first.record
    assert not first.record.alive
    assert str(other.plan.subscriber("flets").address(4)) == "192.0.2.16"


def test_two_labs_do_not_know_of_each_other(directory: Path) -> None:
    before = set(Path("/run/netns").glob("*"))
    one, two = small("one", directory), small("two", directory)
    block = "add table inet x\nadd chain inet x f { type filter hook forward priority 0; policy drop; }\n"
    one.run("edge", ["nft", "-f", "-"], input=block, check=True)
    tried = attempt(one, "sub-flets", connect(str(one.plan.host("foreign").address(4)), 25, seconds=0.3))
    assert tried.outcome.kind is Kind.SILENT
    assert connects(two) is Kind.CONNECTED
    down("one", directory=directory)
    assert connects(two) is Kind.CONNECTED
    assert set(Path("/run/netns").glob("*")) == before


def test_a_killed_holder_takes_everything_with_it(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = f"OP25B_TEST=holder-{directory}"
    monkeypatch.setenv(*marker.split("=", 1))
    lab = small("one", directory)
    inside, mounts = namespaces_of(lab), Path("/proc/self/mountinfo").read_text()
    assert inside & namespaces_in_use()
    assert lab.record.holder in marked(marker)
    handle = os.pidfd_open(lab.record.holder)
    os.kill(lab.record.holder, signal.SIGKILL)
    assert select.select([handle], [], [], 10)[0]
    os.close(handle)
    wait_for_none(marker)
    assert not inside & namespaces_in_use()
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert attach("one", directory=directory) is None
    assert connects(small("one", directory)) is Kind.CONNECTED


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.3, 0.5])
def test_a_starter_killed_half_way_leaves_nothing_that_down_does_not_remove(directory: Path, seconds: float) -> None:
    marker = f"OP25B_TEST=starter-{directory}"
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from pathlib import Path\n"
        "from tests.lab.test_lab_lifecycle import small\n"
        "print('starting', flush=True)\n"
        "small('one', Path(sys.argv[3]))\n"
        "print('up', flush=True)\n"
    )
    name, value = marker.split("=", 1)
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(SOURCE), str(SOURCE.parent), str(directory)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {name: value},
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "starting\n"
        try:
            starter.wait(seconds)
        except subprocess.TimeoutExpired:
            starter.kill()
    down("one", directory=directory)
    wait_for_none(marker)
    assert list(directory.iterdir()) == []


def wait_for_none(marker: str) -> None:
    """Processes outside the lab's own namespaces, such as nsenter, see its end a moment later. Postfix
    clears its environment: that all of it is gone shows in the namespaces in use."""
    deadline = time.monotonic() + 10
    while left := marked(marker):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        json.dumps({"holder": os.getpid(), "started": 1, "rootless": False, "policy": ""}),
        json.dumps({"holder": 2**22 + 1, "started": 1, "rootless": False, "policy": ""}),
    ],
    # of the same names in every process that collects the tests
    ids=["empty", "cut", "another process", "no process"],
)
def test_a_stale_record_is_noticed_and_harms_nobody(directory: Path, text: str) -> None:
    (directory / "one.json").write_text(text)
    assert attach("one", directory=directory) is None
    assert not down("one", directory=directory)
    (directory / "one.json").write_text(text)
    assert small("one", directory).record.alive


def test_a_holder_that_is_faster_than_its_starter_is_known(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await_ready = namespaces._await_ready

    def late(ours: socket.socket) -> int | None:
        select.select([ours], [], [], 20)
        return await_ready(ours)

    monkeypatch.setattr(namespaces, "_await_ready", late)
    assert small("one", directory).record.alive


def test_a_holder_that_is_gone_at_once_is_no_lab(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "start_time", lambda pid: os.kill(pid, signal.SIGKILL))
    with pytest.raises(Missing, match="the lab needs "):
        small("one", directory)


def test_a_name_is_no_path(directory: Path) -> None:
    with pytest.raises(UserError, match="not a name"):
        attach("../one", directory=directory)


def test_a_command_that_overstays_is_killed_inside_too(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = small("one", directory)
    marker = f"OP25B_TEST=late-{directory}"
    monkeypatch.setenv(*marker.split("=", 1))
    with pytest.raises(subprocess.TimeoutExpired):
        lab.run("edge", ["sleep", "60"], seconds=0.2)
    wait_for_none(marker)


def test_records_are_locked_while_they_change(directory: Path) -> None:
    with records.locked(directory, "one") as path:
        held = subprocess.run(["flock", "--nonblock", path, "true"], check=False)
    assert held.returncode == 1
