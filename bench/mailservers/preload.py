"""preload.c, compiled: a disk that is slower to sync, a listener with a longer backlog."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from figures import needs

from mailservers.debs import ROOT

_SOURCE = Path(__file__).with_name("preload.c")


def library() -> Path:
    """The shared object. Raises Missing without a C compiler."""
    made = ROOT / "preload.so"
    if not made.exists() or made.stat().st_mtime < _SOURCE.stat().st_mtime:
        needs("gcc")
        ROOT.mkdir(parents=True, exist_ok=True)
        new = made.with_suffix(f".{os.getpid()}")
        subprocess.run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(new), str(_SOURCE), "-ldl"], check=True)
        new.rename(made)
    return made


def environment(*, sync_us: int = 0, backlog: int = 0) -> dict[str, str]:
    """What a server is started with, so that this is loaded into it."""
    return {"LD_PRELOAD": str(library()), "BENCH_SYNC_US": str(sync_us), "BENCH_BACKLOG": str(backlog)}
