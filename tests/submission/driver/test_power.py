"""Loss of power under load, on a real file system that loses what was not synced."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.submission.driver.test_kills import UNLIMITED
from tests.support.disks import Crashing
from tests.support.load import Load, number_of
from tests.support.service import Service, eventually
from tests.support.sink import Sink

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("mkfs.ext4") is None, reason="needs mkfs.ext4: apt install e2fsprogs"),
]
UNSYNCED = "import os; os.fdatasync = os.fsync = lambda fd: None; from op25b.cli.main import main; main()"


def test_the_file_system_loses_what_was_not_synced(tmp_path: Path) -> None:
    with Crashing(tmp_path / "image", tmp_path / "disk") as disk:
        for name in ("synced", "unsynced"):
            fd = os.open(disk.mount / name, os.O_WRONLY | os.O_CREAT)
            os.write(fd, b"x" * 5000)
            if name == "synced":
                os.fsync(fd)
            os.close(fd)
        disk.lose_power()
        disk.come_back()
        assert (disk.mount / "synced").read_bytes() == b"x" * 5000
        assert not (disk.mount / "unsynced").exists() or not (disk.mount / "unsynced").read_bytes()


def lose_power(folder: Path, times: int, **changes: tuple[str, ...]) -> set[int]:
    """Numbers of messages that were acknowledged and never came. What comes is whole."""
    acknowledged = set[int]()
    with Sink() as sink, Crashing(folder / "image", folder / "disk") as disk:
        service = Service(folder, workers=2, tables=UNLIMITED.format(port=sink.port), parts=(), **changes)
        service.config.write_text(service.config.read_text().replace('spool = "spool"', 'spool = "disk/spool"'))
        first = 1
        for moment in range(times):
            service.__enter__()
            with Load(service.relay, first=first) as load:
                load.wait_for(20 + 17 * moment)
                # what is acknowledged later does not count: nobody answers without power, and a sync that is under
                # way when the journal is aborted may still be told that all is well
                acknowledged |= load.acknowledged
                disk.lose_power()
            first = load.next
            service.kill()
            disk.come_back()
        with service:
            eventually(lambda: not service.waiting("disk/spool"), 60)
    return acknowledged - {number_of(each) for each in sink.got}


def test_what_was_acknowledged_survives(tmp_path: Path) -> None:
    assert lose_power(tmp_path, 3) == set()


def test_a_service_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    assert lose_power(tmp_path, 1, program=(sys.executable, "-c", UNSYNCED)) != set()
