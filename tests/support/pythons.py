"""The Pythons of this machine that the check on customers' machines must run under."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_VERSIONS = range(8, 16)


def _found() -> list[str]:
    """One of each version, the oldest first: those on PATH, Debian's, pyenv's."""
    pythons: dict[tuple[int, int], str] = {}
    for minor in _VERSIONS:
        name = f"python3.{minor}"
        pyenv = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}"))
        for path in (*map(str, pyenv), f"/usr/bin/{name}", shutil.which(name)):
            if path and Path(path).exists() and _runs(path):
                pythons.setdefault((3, minor), path)
    pythons.setdefault((sys.version_info.major, sys.version_info.minor), sys.executable)
    return [path for _, path in sorted(pythons.items())]


def _runs(path: str) -> bool:
    """A shim may stand for a version that is not there."""
    return subprocess.run([path, "-c", "import ssl"], capture_output=True, check=False).returncode == 0


PYTHONS = _found()
