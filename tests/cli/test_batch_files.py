"""`explain --batch`: the same rows in the same order, judged as one by one; bad rows reported, never dropped."""

from __future__ import annotations

import csv
import gzip
import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from op25b.cli import batch, flowfile
from op25b.cli.main import run
from op25b.policy.model import Policy
from op25b.policy.verdict import Flow, Judge
from tests.cli.conftest import EXAMPLES, Op25b
from tests.support.policies import cases

SONET = EXAMPLES / "sonet.toml"
GOOD = "198.19.0.1,203.0.113.9,25,2008-04-01T00:00:00+09:00"
ANSWER = "block,covered,phase/flets-lines"
HEADER = "src,dst,dport,at"
ZONES = (UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-3, minutes=-30)))


@pytest.fixture
def flows(tmp_path: Path) -> Any:
    """Write lines as a CSV file."""

    def write(*lines: str, name: str = "flows.csv") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return path

    return write


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def written(asked: Sequence[tuple[Flow, datetime]], chosen: random.Random) -> list[list[str]]:
    """Flows as rows of text, in the many ways in which they can be written."""
    found = []
    for flow, at in asked:
        src, dst = str(flow.src), str(flow.dst)
        if flow.src.version == 4 and chosen.random() < 0.2:
            src = f"::ffff:{src}"
        if flow.dst.version == 6 and chosen.random() < 0.3:
            dst = flow.dst.exploded
        time = at.astimezone(chosen.choice(ZONES)).isoformat().replace("+00:00", chosen.choice(("Z", "+00:00")))
        names = {6: ("6", "tcp", "TCP", ""), 17: ("17", "udp", "Udp")}
        sport = "" if flow.sport is None else str(flow.sport)
        found.append([src, f" {dst}", str(flow.dport), time, sport, chosen.choice(names[flow.proto]), 'a "b", c'])
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases(), st.randoms(use_true_random=False))
def test_batch_is_one_by_one(
    tmp_path: Path, case: tuple[Policy, list[tuple[Flow, datetime]]], chosen: random.Random
) -> None:
    policy, asked = case
    source, out = tmp_path / "flows.csv", tmp_path / "out.csv"
    lines = written(asked, chosen)
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["src", "dst", "dport", "at", "sport", "proto", "note"], *lines])
    batch.explain(policy, source, out, None)
    judge = Judge(policy)
    expected = [[*line, *judge.outcome(flow, at)] for line, (flow, at) in zip(lines, asked, strict=True)]
    assert rows(out.read_text("utf-8"))[1:] == expected


def test_same_rows_same_order_untouched(op25b: Op25b, flows: Any) -> None:
    path = flows(
        "note,src,at,dst,more,dport",
        '"a ""q"", b",198.19.0.1,2008-04-01T00:00:00+09:00,203.0.113.9,007,25',
        ",2001:db8:4000::1,2008-03-31 15:00Z,2001:db8:ffff::9,,25",
        "日本,198.19.32.1,2008-04-01T00:00:00.123456+09:00,203.0.113.9,1e3,25",
    )
    result = op25b("explain", SONET, "--batch", path)
    assert (result.status, result.err) == (0, "")
    given_rows = rows(path.read_text("utf-8"))
    answers = ["verdict,reason,rule", ANSWER, ANSWER, "pass,line-not-covered,phase/flets-lines"]
    assert rows(result.out) == [[*row, *end.split(",")] for row, end in zip(given_rows, answers, strict=True)]
    # what needs no quotes has none
    assert "日本,198.19.32.1,2008" in result.out


BAD = [
    ("1.2.3,203.0.113.9,25,2008-04-01T00:00:00+09:00", "src '1.2.3' is not an address; write"),
    ("198.19.0.256,203.0.113.9,25,2008-04-01T00:00:00Z", "src '198.19.0.256' is not an address"),
    ("198.019.0.1,203.0.113.9,25,2008-04-01T00:00:00Z", "src '198.019.0.1' is not an address"),
    ("198.19.0.1.,203.0.113.9,25,2008-04-01T00:00:00Z", "is not an address"),
    ("198.19..1,203.0.113.9,25,2008-04-01T00:00:00Z", "is not an address"),
    ("198.19.0.1,,25,2008-04-01T00:00:00Z", "dst is empty"),
    ("198.19.0.1,host,25,2008-04-01T00:00:00Z", "dst 'host' is not an address"),
    ("198.19.0.1,2001:db8::1,25,2008-04-01T00:00:00Z", "src and dst are of different families"),
    ("198.19.0.1,203.0.113.9,,2008-04-01T00:00:00Z", "dport is empty"),
    ("198.19.0.1,203.0.113.9,65536,2008-04-01T00:00:00Z", "dport '65536' is not a port; write"),
    ("198.19.0.1,203.0.113.9,-1,2008-04-01T00:00:00Z", "dport '-1' is not a port"),
    ("198.19.0.1,203.0.113.9,smtp,2008-04-01T00:00:00Z", "dport 'smtp' is not a port"),
    (f"198.19.0.1,203.0.113.9,{'9' * 5000},2008-04-01T00:00:00Z", "is not a port"),
    ("198.19.0.1,203.0.113.9,25,2008-04-01T00:00:00", "has no offset from UTC; write"),
    ("198.19.0.1,203.0.113.9,25,1207000000", "is not a time; write"),
    ("198.19.0.1,203.0.113.9,25,2008-02-30T00:00:00Z", "is not a time; write"),
    ("198.19.0.1,203.0.113.9,25,", "at is empty"),
    ("198.19.0.1,203.0.113.9", "has 2 fields, and the header has 4"),
    ("198.19.0.1,203.0.113.9,25,2008-04-01T00:00:00Z,more", "has 5 fields, and the header has 4; only the first"),
]


@pytest.mark.parametrize(("bad", "why"), BAD)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_bad_row_keeps_its_place(op25b: Op25b, flows: Any, tmp_path: Path, bad: str, why: str, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    result = op25b("explain", SONET, "--batch", flows(HEADER, GOOD, "", bad, GOOD), "--out", out)
    assert (result.status, result.out) == (2, "")
    first, last = result.err.splitlines()
    assert ": row 2: " in first
    assert why in first
    assert "1 of 3 rows could not be judged" in last
    if suffix == ".csv":
        found = rows(out.read_text())[1:]
    else:
        found = [[each or "" for each in row.values()] for row in pq.read_table(out).to_pylist()]
    padded = [*bad.split(","), "", "", ""][:4]
    assert found == [[*GOOD.split(","), *ANSWER.split(",")], [*padded, "", "", ""], found[0]]


def test_many_misshapen_rows(op25b: Op25b, flows: Any) -> None:
    path = flows(HEADER, *["too,few"] * 20_000, GOOD, *["end of flows"] * 3)
    result = op25b("explain", SONET, "--batch", path)
    assert "20003 of 20004 rows" in result.err
    found = rows(result.out)
    assert len(found) == 20_005
    assert found[20_001] == [*GOOD.split(","), *ANSWER.split(",")]
    assert found[-1] == ["end of flows", *[""] * 6]


def test_all_bad_rows_are_counted_and_twenty_are_told(op25b: Op25b, flows: Any) -> None:
    result = op25b("explain", SONET, "--batch", flows(HEADER, *["x,y,25,z"] * 50, GOOD))
    assert result.status == 2
    assert len(result.err.splitlines()) == batch.SHOWN + 1
    assert "50 of 51 rows" in result.err
    assert result.out.splitlines()[-1] == f"{GOOD},{ANSWER}"


def test_protocols(op25b: Op25b, flows: Any) -> None:
    given_rows = [f"{GOOD},40000,{proto}" for proto in ("tcp", "6", "", "UDP", "17", "icmp", "256", "what")]
    result = op25b("explain", SONET, "--batch", flows(f"{HEADER},sport,proto", *given_rows))
    assert [row[-2] for row in rows(result.out)[1:]] == ["covered"] * 3 + ["not-port-25"] * 3 + ["", ""]
    assert "proto '256' is not a protocol" in result.err


@pytest.mark.parametrize("block", [600, 1 << 12, 1 << 20])
def test_misshapen_rows_among_many_blocks(
    op25b: Op25b, flows: Any, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(flowfile, "BLOCK", block)
    chosen = random.Random(25)
    given_rows = []
    for number in range(400):
        end = chosen.choice((f"{number}", f'"{number}, and\nmore"', f"{number}", "")) if number % 7 else None
        given_rows.append(
            f"198.19.0.{number % 256},203.0.113.9,25,2008-04-01T00:00:00Z" + (f",{end}" if end is not None else "")
        )
        if number % 50 == 0:
            given_rows.append("")
    text = "\n".join((f"{HEADER},note", *given_rows))
    path = flows(text)
    result = op25b("explain", SONET, "--batch", path)
    expected = [[*row, *[""] * (5 - len(row))] for row in rows(path.read_text()) if row]
    assert [row[:-3] for row in rows(result.out)] == expected
    misshapen = [number for number, row in enumerate(rows(path.read_text())[1:], 1) if len(row) == 4]
    assert [row[-2] for row in rows(result.out)[1:]].count("") == len(misshapen) == 58
    for line in result.err.splitlines()[: batch.SHOWN]:
        number = int(line.split(": row ")[1].split(":")[0])
        assert rows(result.out)[number][-3:] == ["", "", ""]


def test_parquet(op25b: Op25b, tmp_path: Path) -> None:
    source, out = tmp_path / "flows.parquet", tmp_path / "out.parquet"
    moment = datetime(2008, 4, 1, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array([3, 1, 2, 4]),
            "src": pa.array(["198.19.0.1", "2001:db8:4000::1", None, "198.19.32.1"]).dictionary_encode(),
            "dst": pa.array(["203.0.113.9", "2001:db8:ffff::9", "203.0.113.9", "203.0.113.9"]),
            "dport": pa.array([25, 25, 25, 25], pa.uint16()),
            "proto": pa.array([6, None, 6, 6], pa.uint8()),
            "at": pa.array([moment] * 4, pa.timestamp("ns", "Asia/Tokyo")),
        }
    )
    pq.write_table(table, source)
    result = op25b("explain", SONET, "--batch", source, "--out", out)
    assert result.status == 2
    assert ": row 3: src is empty" in result.err
    found = pq.read_table(out)
    assert found.drop_columns(["verdict", "reason", "rule"]).equals(table)
    assert found["reason"].to_pylist() == ["covered", "covered", None, "line-not-covered"]
    assert rows(op25b("explain", SONET, "--batch", source).out)[1][:3] == ["3", "198.19.0.1", "203.0.113.9"]


@pytest.mark.parametrize(
    ("column", "values", "mend"),
    [
        ("at", pa.array([datetime(2008, 4, 1)]), "timestamps without a time zone; write"),  # noqa: DTZ001
        ("at", pa.array([1207000000]), "column at has the type int64; write it as text"),
        ("src", pa.array([3324182529]), "column src has the type int64; write it as text"),
        ("dport", pa.array([25.0]), "column dport has the type double"),
    ],
)
def test_parquet_of_other_types(op25b: Op25b, tmp_path: Path, column: str, values: Any, mend: str) -> None:
    path = tmp_path / "flows.parquet"
    good = dict(zip(HEADER.split(","), ([each] for each in GOOD.split(",")), strict=True))
    pq.write_table(pa.table(good | {column: values}), path)
    result = op25b("explain", SONET, "--batch", path, "--out", tmp_path / "out.csv")
    assert result.status == 2
    assert mend in result.err
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "mend"),
    [
        (b"", "is empty; write"),
        (b"\n\n", "Empty CSV file"),
        (b"src\n1.2.3.4\n", "one column only"),
        (b"src,dst,at\n", "no column dport among src, dst, at; write"),
        (b"src,dst,dport,at,src\n", "two columns are named src"),
        (b"src,dst,dport,at,rule\n", "there is a column rule already"),
        (b"src,\xff\xfe,dport\n", "line 1 is not UTF-8; convert"),
        (f"{HEADER}\n{GOOD}\n".encode() + b"\xff,2\n", "line 3 is not UTF-8; convert"),
        (f'{HEADER}\n{GOOD}\n"198.19.0.1,{GOOD}\n'.encode(), "a quoted field is not closed; write its closing quote"),
        (b"PAR1 and nothing else", "Parquet"),
    ],
)
def test_not_a_flow_file(op25b: Op25b, tmp_path: Path, content: bytes, mend: str) -> None:
    path, out = tmp_path / "flows.csv", tmp_path / "out.csv"
    path.write_bytes(content)
    out.write_text("as before")
    result = op25b("explain", SONET, "--batch", path, "--out", out)
    assert result.status == 2
    assert result.err.startswith(f"{path}")
    assert mend in result.err
    assert out.read_text() == "as before"
    assert sorted(tmp_path.iterdir()) == [path, out]


def test_files_that_cannot_be_opened(op25b: Op25b, flows: Any, tmp_path: Path) -> None:
    for arguments, name in (
        ((tmp_path / "none.csv",), "none.csv"),
        ((tmp_path / "none.parquet",), "none.parquet"),
        ((tmp_path,), tmp_path.name),
        ((flows(HEADER, GOOD), "--out", tmp_path / "none" / "out.csv"), "none"),
        ((flows(HEADER, GOOD), "--out", tmp_path / "out.txt"), ".csv or .parquet"),
    ):
        result = op25b("explain", SONET, "--batch", *arguments)
        assert (result.status, result.out) == (2, "")
        assert name in result.err
        assert len(result.err.splitlines()) == 1


def test_a_header_alone(op25b: Op25b, flows: Any) -> None:
    result = op25b("explain", SONET, "--batch", flows(HEADER))
    assert (result.status, result.out) == (0, f"{HEADER},verdict,reason,rule\n")


def test_compressed_and_with_a_byte_order_mark(op25b: Op25b, tmp_path: Path) -> None:
    path = tmp_path / "flows.csv.gz"
    path.write_bytes(gzip.compress(f"\ufeff{HEADER}\r\n{GOOD}\r\n".encode()))
    assert rows(op25b("explain", SONET, "--batch", path).out)[1] == [*GOOD.split(","), *ANSWER.split(",")]


def test_a_pipe(tmp_path: Path) -> None:
    given_rows = f"{HEADER}\n{GOOD}\n".encode()
    command = [sys.executable, "-m", "op25b", "explain", SONET, "--batch", "/dev/stdin"]
    result = subprocess.run(command, input=given_rows, capture_output=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (0, b"")
    assert rows(result.stdout.decode())[1] == [*GOOD.split(","), *ANSWER.split(",")]


def test_interrupted_it_leaves_nothing(tmp_path: Path) -> None:
    pipe, out = tmp_path / "flows.csv", tmp_path / "out.csv"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "op25b", "explain", SONET, "--batch", pipe, "--out", out]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process, pipe.open("wb") as file:
        # more than a block: what comes of it is in the temporary file, and it waits for more
        file.write(f"{HEADER}\n".encode() + f"{GOOD}\n".encode() * (2 * flowfile.BLOCK // len(GOOD)))
        file.flush()
        process.send_signal(signal.SIGINT)
        file.close()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == b""
    assert sorted(tmp_path.iterdir()) == [pipe]


FIELDS = st.sampled_from(
    [*GOOD.split(","), "", " ", '"', '"25"', "::", "::ffff:1.2.3.4", "1.2.3.4.5", "25 ", "tcp", "\x00", "２５", "é"]
) | st.text(max_size=6)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(FIELDS, max_size=8), max_size=8), st.booleans())
@example([["1.2.3.4"] * 4], False)
def test_whatever_is_in_it_no_traceback(tmp_path: Path, given_rows: list[list[str]], quoted: bool) -> None:
    path, out = tmp_path / "flows.csv", tmp_path / "out.csv"
    out.unlink(missing_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        file.write(f"{HEADER},sport,proto\n")
        if quoted:
            csv.writer(file).writerows(given_rows)
        else:
            file.writelines(",".join(row) + "\n" for row in given_rows)
    status = run(["explain", str(SONET), "--batch", str(path), "--out", str(out)])
    assert status in (0, 2)
    if quoted and out.exists():
        kept = sum(1 for row in given_rows if row)
        assert len(rows(out.read_text("utf-8", errors="surrogatepass"))) == kept + 1
