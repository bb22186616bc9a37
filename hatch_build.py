"""Build hook: compiles the gettext catalogues, so that only their sources are kept in the repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def compile_catalogues(root: Path) -> None:
    """Write a .mo beside every .po under root/src that is newer than it, or has none.

    Raises ValueError, with file and line, for a catalogue that cannot be parsed.
    """
    for source in sorted(root.glob("src/op25b/locale/*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as text:
            try:
                catalogue = read_po(text, locale=source.parent.parent.name, abort_invalid=True)
            except Exception as fault:
                raise ValueError(f"{source}: {fault}") from fault
        part = target.with_suffix(".mo.part")
        with part.open("wb") as out:
            write_mo(out, catalogue)
        part.replace(target)


class CataloguesHook(BuildHookInterface[Any]):
    """Runs for wheels, source distributions and editable installs alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compile_catalogues(Path(self.root))


if __name__ == "__main__":
    try:
        compile_catalogues(Path(__file__).parent)
    except ValueError as fault:
        sys.exit(str(fault))
