"""Policy files: read, loaded, and refused with all of their faults."""

from __future__ import annotations

from pathlib import Path

from op25b.errors import UserError
from op25b.policy import load, syntax
from op25b.policy.faults import Fault
from op25b.policy.load import Loaded
from op25b.policy.model import Policy


def read(path: Path) -> Loaded:
    """Load a file; one that cannot be read or decoded is a fault like any other."""
    text = _text(path)
    return _refused(text) if isinstance(text, Fault) else load.load(text)


def _text(path: Path) -> str | Fault:
    try:
        data = path.read_bytes()
    except OSError as error:
        return Fault(1, 1, f"the file cannot be read ({error.strerror})", "give the path of a policy file")
    return syntax.decode(data)


def _refused(fault: Fault) -> Loaded:
    return Loaded(None, (fault,), ())


def policy(path: Path) -> Policy:
    """The policy of a file; raises UserError with every error, each with its place."""
    return both(path)[1]


def both(path: Path) -> tuple[str, Policy]:
    """The text of a file and the policy that it holds; raises like `policy`."""
    text = _text(path)
    loaded = _refused(text) if isinstance(text, Fault) else load.load(text)
    if isinstance(text, Fault) or loaded.policy is None:
        raise UserError("\n".join(fault.format(str(path)) for fault in loaded.errors))
    return text, loaded.policy
