"""The example policies; beside them lie configurations of services."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples"
POLICIES = sorted(path for path in FOLDER.glob("*.toml") if not path.name.startswith("service"))
