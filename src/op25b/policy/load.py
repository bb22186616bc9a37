"""From the text of a policy file to the policy, or to all of its faults at once.

Three rounds see the whole file: its syntax, each table on its own, and what must hold between them. A table
with a fault is left out of the third round; the good ones are still checked against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from op25b.policy import checks, holes, syntax, wording
from op25b.policy.faults import Fault
from op25b.policy.model import Policy
from op25b.policy.parts import LISTS, Parts
from op25b.policy.positions import Path, Positions


@dataclass(frozen=True)
class Loaded:
    """What a policy file holds: the policy when there is no error, and its faults in the order of the file."""

    policy: Policy | None
    errors: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def load(text: str) -> Loaded:
    """Load a policy; never raises. For bytes see `op25b.policy.syntax.decode`."""
    reading = syntax.read(text)
    where = Positions(reading.text)
    policy, refused = _validate(reading.document)
    if reading.faults:
        # what a faulty line held is not known: nothing is missed, and nothing compared
        known = [error for error in refused if error["type"] != "missing"]
        return _loaded(None, [*reading.faults, *(_fault(error, reading.document, where) for error in known)])
    parts = Parts.of(reading.document, policy, {_table(error["loc"]) for error in refused})
    found = [*(_fault(error, reading.document, where) for error in refused), *checks.errors(parts, where)]
    return _loaded(policy, [*found, *holes.warnings(parts, where)])


def _loaded(policy: Policy | None, faults: list[Fault]) -> Loaded:
    faults = sorted(set(faults))
    errors = tuple(fault for fault in faults if fault.severity == "error")
    warnings = tuple(fault for fault in faults if fault.severity == "warning")
    return Loaded(None if errors else policy, errors, warnings)


def _validate(document: dict[str, Any]) -> tuple[Policy | None, list[ErrorDetails]]:
    try:
        return Policy.model_validate(document, by_alias=True, by_name=False), []
    except ValidationError as error:
        found = error.errors(include_url=False)
    # an element that is at fault does not make a list empty
    return None, [error for error in found if error["type"] != "too_short" or not error["input"]]


def _table(path: Path) -> Path:
    """The table that a fault spoils: an item of a list of tables, or all of a key of the file."""
    return path[:2] if len(path) > 1 and path[0] in LISTS else path[:1]


def _fault(error: ErrorDetails, document: dict[str, Any], where: Positions) -> Fault:
    path: Path = error["loc"]
    refused = wording.Refused(path, error["input"], error.get("ctx", {}), wording.table_name(path[:-1], document))
    if error["type"] == "missing":
        place = where.value(path[:-1])
    elif error["type"] == "extra_forbidden":
        place = where.key(path)
    else:
        place = where.value(path)
    return Fault(*place, *wording.words(error["type"], refused))
