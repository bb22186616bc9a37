"""A disk that fills up under load: 452, nothing is lost, and mail goes on once there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.submission.driver.test_kills import UNLIMITED
from tests.support.disks import enlarge, small
from tests.support.load import Load, number_of
from tests.support.service import Service, eventually
from tests.support.sink import Delivery, Sink


def spooled(service: Service) -> set[int]:
    """Numbers of the messages in the spool, each of them whole."""
    found = service.spooled("disk/spool")
    to = [tuple(each.address for each in envelope.recipients) for envelope, _ in found]
    return {number_of(Delivery("", to, body)) for to, (_, body) in zip(to, found, strict=True)}


@pytest.mark.root
def test_a_full_disk(tmp_path: Path) -> None:
    with Sink() as sink, small(tmp_path / "disk", 4):
        service = Service(tmp_path, workers=2, tables=UNLIMITED.format(port=sink.port))
        service.config.write_text(service.config.read_text().replace('spool = "spool"', 'spool = "disk/spool"'))
        with service, Load(service.relay) as load:
            load.wait_for(20)
            load.wait_for_refusal("452")
            assert "op25b_submission_spool_failed_total 0.0" not in service.get("/metrics")
            refused = {line["reason"] for line in service.log() if line["event"] == "spool failed"}
            assert refused == {"No space left on device"}
            before = set(load.acknowledged)
            assert before <= spooled(service)
            enlarge(tmp_path / "disk", 64)
            load.wait_for(20)
        assert set(load.refused) == {"452"}
        service.parts = ()
        with service:
            eventually(lambda: not service.waiting("disk/spool"), 60)
        assert load.acknowledged <= {number_of(each) for each in sink.got}


@pytest.mark.root
def test_a_full_disk_under_the_relay(tmp_path: Path) -> None:
    """The relay goes on handing on, though it cannot write that down, and so makes room."""
    with Sink() as sink, small(tmp_path / "disk", 4):
        service = Service(tmp_path, workers=2, tables=UNLIMITED.format(port=sink.port), parts=())
        service.config.write_text(service.config.read_text().replace('spool = "spool"', 'spool = "disk/spool"'))
        with service:
            with Load(service.relay) as load:
                load.wait_for_refusal("452")
            eventually(lambda: load.acknowledged <= {number_of(each) for each in sink.got}, 60)
