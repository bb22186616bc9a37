"""One-time codes against RFC 6238's own vectors, and what seals their secrets."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.errors import UserError
from op25b.portal.staff import codes
from tests.support.staff import counted, key

RFC_6238 = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(("second", "code"), [(59, "287082"), (1111111109, "081804"), (2000000000, "279037")])
def test_the_rfcs_codes_are_of_their_steps(second: int, code: str) -> None:
    """RFC 6238, appendix B; the last six of eight digits."""
    at = datetime.fromtimestamp(second, UTC)
    assert codes.at(RFC_6238, at) == code
    assert codes.step(RFC_6238, code, at) == second // 30
    assert codes.step(RFC_6238, f"{code[:3]} {code[3:]}", at) == second // 30, "as apps show it"


@pytest.mark.parametrize(("seconds", "taken"), [(-60, False), (-59, True), (30, True), (31, False)])
def test_a_clock_may_be_off_by_one_step(seconds: int, taken: bool) -> None:
    at = datetime.fromtimestamp(1111111109 + seconds, UTC)
    assert (codes.step(RFC_6238, "081804", at) is not None) is taken


@pytest.mark.parametrize("given", ["", "28708", "2870822", "abcdef", "２８７０８２", "\ud800"])
def test_what_is_no_code_is_of_no_step(given: str) -> None:
    assert codes.step(RFC_6238, given, datetime.fromtimestamp(59, UTC)) is None


def test_what_is_sealed_opens_for_the_same_only(tmp_path: Path) -> None:
    sealing = key(tmp_path)
    sealed = sealing.seal(b"secret", "code of hanako", counted)
    assert b"secret" not in sealed
    assert sealing.open(sealed, "code of hanako") == b"secret"
    assert sealing.open(sealed, "code of jiro") is None, "a row that was moved to another's"
    assert sealing.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "code of hanako") is None
    assert sealing.open(b"", "code of hanako") is None
    (tmp_path / "other").mkdir()
    assert key(tmp_path / "other").open(sealed, "code of hanako") is None


def test_a_key_is_for_its_owner_and_group(tmp_path: Path) -> None:
    file = tmp_path / "key"
    codes.make_key(file, counted)
    assert file.stat().st_mode & 0o777 == 0o640
    with pytest.raises(UserError, match="File exists"):
        codes.make_key(file, counted)
    file.chmod(0o644)
    with pytest.raises(UserError, match="everybody on this host can read it"):
        codes.read_key(file)


@pytest.mark.parametrize("text", ["", "secret", "00" * 31])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(UserError, match="is no key"):
        codes.read_key(file)


def test_what_an_app_reads() -> None:
    assert codes.uri(RFC_6238, "hanako", "op25b") == f"otpauth://totp/op25b:hanako?secret={RFC_6238}&issuer=op25b"


def test_a_secret_has_as_many_bits_as_the_rfc_asks_for() -> None:
    made = codes.fresh(lambda octets: bytes(range(octets)))
    assert len(base64.b32decode(made)) == 20
