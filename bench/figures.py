"""What every script here shares: a row of the table, interleaved runs, and a fresh process to measure memory in."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from op25b.errors import Missing

MIB = 1 << 20


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of op25b beside that of one peer.

    `ratio`: how many times better op25b is, above 1 is better; None where a ratio says nothing. `target`: what
    the ratio is to reach. `note`: spread, and what the figure includes.
    """

    work: str
    op25b: str
    peer: str
    ratio: float | None = None
    note: str = ""
    target: str = ""


@dataclass(frozen=True)
class Table:
    """A table of its own, for figures that are more than one peer's."""

    title: str
    head: list[str]
    lines: list[list[str]]

    def markdown(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.lines]
        return "\n".join([self.title, "", *(f"| {' | '.join(line)} |" for line in lines)])


@dataclass(frozen=True)
class Sample:
    """Repeated measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def spread(self, scale: float = 1.0, digits: int = 2) -> str:
        """Smallest and largest, each times `scale`."""
        return f"{min(self.values) * scale:.{digits}f}-{max(self.values) * scale:.{digits}f}"


def interleaved(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Sample]:
    """Each contestant once a round, in turn, so that what else the machine does hits all alike.

    Every second round runs backwards. A contestant returns its own measurement.
    """
    values: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name in list(contestants) if number % 2 == 0 else list(contestants)[::-1]:
            values[name].append(contestants[name]())
    return {name: Sample(tuple(found)) for name, found in values.items()}


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_of_self() -> float:
    """Largest resident size of this process so far, MiB."""
    # not getrusage, whose maximum counts the process that started this one too
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def in_fresh_process(work: Callable[..., Any], *arguments: object) -> Any:
    """What `work` returns in a newly started interpreter, so that its peak memory is its own alone."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


_MEASURE = """
import os, sys, time
start = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
print(time.perf_counter() - start, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run_measured(command: Sequence[str], stdin: str | None = None) -> tuple[float, float]:
    """(seconds, peak resident MiB) of a program that prints nothing. `stdin`: a file to read from."""
    with open(stdin or os.devnull, "rb") as source:
        # A program's peak counts what started it, so that is an interpreter with nothing in it: some 9 MiB.
        starter = [sys.executable, "-I", "-S", "-c", _MEASURE, *command]
        done = subprocess.run(starter, stdin=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[:300]}")
    took, peak = done.stdout.split()
    return float(took), float(peak)


def needs(*programs: str) -> None:
    """Missing unless these programs are installed and this process may make network namespaces."""
    if os.geteuid():
        raise Missing("this needs root: network namespaces and the kernel's packet filter")
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{path}:/usr/sbin:/sbin"
    for program in programs:
        if shutil.which(program) is None:
            raise Missing(f"the program {program} is not installed: apt install {_PACKAGES.get(program, program)}")


_PACKAGES = {"nft": "nftables", "ip": "iproute2", "smtp-sink": "postfix", "unshare": "util-linux"}


def markdown(found: Sequence[Row | Table]) -> str:
    """The rows as a Markdown table, then the tables."""
    rows = [each for each in found if isinstance(each, Row)]
    lines = ["| work | op25b | peer | ratio | target | note |", "|---|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}x"
        lines.append(f"| {row.work} | {row.op25b} | {row.peer} | {ratio} | {row.target} | {row.note} |")
    return "\n\n".join(["\n".join(lines), *(each.markdown() for each in found if isinstance(each, Table))])


def main(run: Callable[[bool], Sequence[Row | Table]]) -> None:
    """A script by itself: its rows as a table; `--quick` for small sizes."""
    try:
        print(markdown(run("--quick" in sys.argv[1:])))
    except Missing as missing:
        print(f"not run: {missing}", file=sys.stderr)
        sys.exit(missing.exit_status)
