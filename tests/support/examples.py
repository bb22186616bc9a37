"""The example policies; beside them lies the configuration of a service."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples"
POLICIES = sorted(path for path in FOLDER.glob("*.toml") if path.name != "service.toml")
