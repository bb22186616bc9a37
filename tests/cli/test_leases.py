"""op25b who and op25b lease, as a shell calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Op25b

CSV = """\
subscriber,prefix,started,ended
taro,192.0.2.1,2026-03-01T00:00:00+09:00,2026-03-05T00:00:00+09:00
hanako,192.0.2.1,2026-03-03T00:00:00+09:00,
taro,2001:db8::/56,2026-03-01T00:00:00+09:00,
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OP25B_STORE", f"sqlite:///{tmp_path}/op25b.db")
    (tmp_path / "leases.csv").write_text(CSV)
    return tmp_path / "leases.csv"


def test_who_now_and_then(op25b: Op25b, store: Path) -> None:
    assert op25b("lease", "import", store, "--format", "csv", "--json").data == {
        "facts": 4,
        "sessions": 3,
        "changed": 2,
    }
    now = op25b("who", "192.0.2.1")
    assert (now.status, now.out.splitlines()[0]) == (0, "hanako")
    then = op25b("who", "192.0.2.1", "--at", "2026-03-04T00:00:00+09:00", "--json").data
    assert then["holder"]["subscriber"] == "hanako"
    assert [(other["subscriber"], other["until"]) for other in then["others"]] == [
        ("taro", "2026-03-04T15:00:00+00:00")
    ]
    assert set(then["holder"]) == {"subscriber", "prefix", "since", "until", "seen", "source", "session"}
    assert op25b("who", "2001:db8:0:77::1", "--json").data["holder"]["prefix"] == "2001:db8::/56"
    assert [each["prefix"] for each in op25b("lease", "list", "taro", "--json").data] == [
        "192.0.2.1/32",
        "2001:db8::/56",
    ]
    assert "2001:db8::/56" in op25b("lease", "list", "taro").out


def test_nobody(op25b: Op25b, store: Path) -> None:
    op25b("lease", "import", store, "--format", "csv")
    nobody = op25b("who", "192.0.2.9")
    assert (nobody.status, nobody.out[:35]) == (1, "nobody is known to have held 192.0.")
    assert op25b("who", "192.0.2.1", "--at", "2026-02-01T00:00:00Z", "--json").data["holder"] is None


def test_a_bad_line_imports_nothing(op25b: Op25b, store: Path) -> None:
    store.write_text(CSV + "jiro,192.0.2.2/24,2026-03-01T00:00:00Z,\njiro,192.0.2.3,2026")
    refused = op25b("lease", "import", store, "--format", "csv")
    assert refused.status == 2
    assert f"{store}:5: " in refused.err
    assert f"{store}:6: the file ends in the middle" in refused.err
    assert not (store.parent / "op25b.db").exists()


def test_names_for_identities(op25b: Op25b, store: Path) -> None:
    leases, names = store.parent / "dnsmasq.leases", store.parent / "names.csv"
    leases.write_text("0 02:00:00:00:00:0A 192.0.2.10 * *\n")
    names.write_text("02:00:00:00:00:0a,taro\n")
    op25b("lease", "import", leases, "--format", "dnsmasq", "--names", names, "--by", "desk")
    assert op25b("who", "192.0.2.10").out.startswith("taro\n")
    names.write_text("taro\n")
    refused = op25b("lease", "import", leases, "--format", "dnsmasq", "--names", names)
    assert (refused.status, f"{names}:1: it has 1 fields" in refused.err) == (2, True)


@pytest.mark.parametrize("arguments", [["who", "192.0.2"], ["who", "192.0.2.1", "--at", "noon"]])
def test_bad_usage(op25b: Op25b, store: Path, arguments: list[str]) -> None:
    assert op25b(*arguments).status == 2
