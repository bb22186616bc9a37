"""The process follows a lease file, across its own end."""

from __future__ import annotations

from pathlib import Path

from op25b.subscribers.accounting.config import LeaseFile
from op25b.subscribers.accounting.numbers import Counted
from tests.subscribers.accounting.conftest import LeaseService
from tests.support.service import eventually


def test_a_file_that_changes_while_the_process_is_away(service: LeaseService, tmp_path: Path) -> None:
    path = tmp_path / "dnsmasq.leases"
    path.write_text("0 02:00:00:00:00:0a 192.0.2.10 * *\ngarbage\n")
    names = tmp_path / "names.csv"
    names.write_text("02:00:00:00:00:0a,taro\n")
    file = LeaseFile(name="dhcp", path=path, format="dnsmasq", names_file=names)
    service.settings = service.settings.model_copy(update={"files": (file,)})
    service.start()
    eventually(lambda: service.holder("192.0.2.10") == "taro")
    eventually(lambda: service.counted(Counted.FILE_LINE) == 1)
    service.kill()
    path.write_text("0 02:00:00:00:00:0b 192.0.2.11 * *\n")
    service.start()
    eventually(lambda: service.holder("192.0.2.11") == "02:00:00:00:00:0b")
    eventually(lambda: service.holder("192.0.2.10") is None)
