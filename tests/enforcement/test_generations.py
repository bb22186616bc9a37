"""Records on disk: whole or not at all, one at a time, and honest about what cannot be read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from op25b.enforcement.generations import KEPT, Generation, Records
from op25b.errors import Missing, UserError
from op25b.ruleset.compare import digest
from op25b.ruleset.lower import lower
from tests.support.enforced import NOW, loaded, policy

TEXT = policy("ac")
ONE = Generation(1, TEXT, NOW.isoformat(), digest(lower(loaded(TEXT), NOW)), NOW.isoformat(), {"g1_main": "00"}, False)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    found = Records(tmp_path / "deep" / "state")
    with found.locked():
        pass
    return found


def test_what_is_written_is_read(records: Records) -> None:
    assert (records.numbers(), records.read(1)) == ([], None)
    records.write(ONE)
    records.write(replace(ONE, number=12))
    assert records.numbers() == [1, 12]
    assert records.read(1) == ONE
    records.confirm(1)
    assert records.read(1) == replace(ONE, confirmed=True)
    records.confirm(7)
    assert records.read(7) is None


def test_the_ruleset_is_made_again(records: Records) -> None:
    records.write(ONE)
    found = records.read(1)
    assert found is not None
    assert digest(found.ruleset()) == ONE.digest


def test_a_policy_that_is_no_longer_accepted() -> None:
    with pytest.raises(UserError, match="generation 1 was made from a policy"):
        replace(ONE, policy="nonsense = true").ruleset()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"number": 1}', b'{"more": 1}'])
def test_what_cannot_be_read_is_none(records: Records, content: bytes) -> None:
    (records.folder / "00000001.json").write_bytes(content)
    assert records.read(1) is None
    assert records.numbers() == [1]


def test_other_files_are_left_alone(records: Records) -> None:
    for name in ("notes.json", "1a.json", "00000003.json.bak"):
        (records.folder / name).touch()
    assert records.numbers() == []
    for number in range(1, KEPT + 3):
        records.write(replace(ONE, number=number))
    records.forget_old({1})
    assert records.numbers() == [1, *range(3, KEPT + 3)]
    assert (records.folder / "notes.json").exists()


def test_a_write_that_fails_leaves_the_record_before(records: Records) -> None:
    records.write(ONE)
    (records.folder / "new").symlink_to("/dev/full")
    with pytest.raises(Missing, match=r"cannot be written \(No space left on device\)"):
        records.write(replace(ONE, digest="other"))
    assert records.read(1) == ONE


def test_what_a_kill_left_half_written_is_passed_over(records: Records) -> None:
    (records.folder / "new").write_text(json.dumps(asdict(ONE))[:40])
    assert records.numbers() == []
    records.write(ONE)
    assert records.read(1) == ONE
    assert sorted(path.name for path in records.folder.iterdir()) == ["00000001.json", "lock"]


def test_one_at_a_time(records: Records) -> None:
    with records.locked(), pytest.raises(UserError, match="at this moment"), Records(records.folder).locked():
        pass
    with records.locked():
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Missing, match="name another --state"), Records(tmp_path / "file").locked():
        pass


@pytest.mark.root
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 65534)
        try:
            with Records(tmp_path / "state").locked():
                os._exit(0)
        except Missing:
            os._exit(Missing.exit_status)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
