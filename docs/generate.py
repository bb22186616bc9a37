"""Writes docs/reference/ from the code, so that it cannot drift: `make docs`; a test compares."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from op25b.cli.main import app
from op25b.policy import model
from op25b.policy.reasons import ORDER, Remedy
from op25b.ruleset.limits import limits
from op25b.submission.protocol.transitions import TRANSITIONS, State, Step

REFERENCE = Path(__file__).parent / "reference"
MADE = "<!-- made from the code by `make docs`; edits are overwritten -->\n"
KINDS = {"str": "text", "int": "number", "bool": "true or false", "date": "date", "time": "time of day",
         "datetime": "instant with an offset"}  # fmt: skip


def policy_page() -> str:
    """Every table and key of the policy file."""
    lines = [MADE, "# The policy file", "", *_prose(model), ""]
    for table in _tables(model.Policy, seen=[]):
        lines += [f"## {table.__name__}", "", *_prose(table), "", "| key | value | default | |", "|---|---|---|---|"]
        remarks = _remarks(table)
        for name, field in table.model_fields.items():
            default = "required" if field.is_required() else _default(field)
            key = field.alias or name
            lines.append(f"| `{key}` | {_kind(field.rebuild_annotation())} | {default} | {remarks.get(name, '')} |")
        lines.append("")
    return "\n".join(lines)


def _prose(documented: object) -> list[str]:
    return (inspect.getdoc(documented) or "").splitlines()


def _tables(table: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    if table not in seen:
        seen.append(table)
        for field in table.model_fields.values():
            for part in _leaves(field.rebuild_annotation()):
                if isinstance(part, type) and issubclass(part, BaseModel):
                    _tables(part, seen)
    return seen


def _leaves(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif get_args(annotation) and get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _leaves(part)
    else:
        yield annotation


def _kind(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(parts[0])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin is tuple:
        return f"list of {_kind(parts[0])}"
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(part) for part in parts if part is not type(None)))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{member}`" for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    name = annotation.__name__
    return "prefix" if name.endswith("Network") else "address" if name.endswith("Address") else KINDS.get(name, name)


def _default(field: FieldInfo) -> str:
    value = field.get_default()
    if value is None or value == () or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _remarks(table: type[BaseModel]) -> dict[str, str]:
    """The text that stands under a field in the source."""
    body = ast.parse(inspect.getsource(table)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def reasons_page() -> str:
    """The order of reasons, and the remedies."""
    lines = [
        MADE,
        "# Reasons and remedies",
        "",
        "Reasons are looked for from the top; the first that holds is given.",
        "",
    ]
    lines += ["| | reason | holds when |", "|---|---|---|"]
    lines += [f"| {number} | `{reason}` | {when} |" for number, (reason, when) in enumerate(ORDER, 1)]
    lines += ["", "Remedies: " + ", ".join(f"`{remedy}`" for remedy in Remedy) + ".", ""]
    return "\n".join(lines)


def limits_page() -> str:
    """Ways round the filter, as the defaults of a policy leave them."""
    lines = [
        MADE,
        "# Ways round the filter",
        "",
        "`op25b check POLICY --explain-limits` says the same for your policy.",
        "",
    ]
    lines += ["| way | closed | | what to do |", "|---|---|---|---|"]
    for limit in limits(model.Filter()):
        lines.append(f"| {limit.way} | {'yes' if limit.closed else 'no'} | {limit.what} | {limit.mend or ''} |")
    return "\n".join([*lines, ""])


def states_page() -> str:
    """The states of a submission session: one arrow for each pair, with all the steps between them."""
    arrows: dict[tuple[State, State], list[Step]] = {}
    for state, row in TRANSITIONS.items():
        for step, target in row.items():
            arrows.setdefault((state, target), []).append(step)
    drawn = [f"    {source} --> {target}: {', '.join(steps)}" for (source, target), steps in arrows.items()]
    head = [MADE, "# The states of a submission session", "", "```mermaid", "stateDiagram-v2"]
    return "\n".join([*head, f"    [*] --> {State.START}", *drawn, f"    {State.CLOSED} --> [*]", "```", ""])


def commands_page() -> str:
    """The help of every command."""
    lines = [MADE, "# Commands", ""]
    for path, command in _commands("op25b", typer.main.get_command(app)):
        context = click.Context(command, info_name=path, terminal_width=100)
        lines += [f"## {path}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    if hasattr(command, "list_commands"):
        context = click.Context(command, info_name=path)
        for name in sorted(command.list_commands(context)):
            yield from _commands(f"{path} {name}", command.get_command(context, name))


PAGES = {
    "policy.md": policy_page,
    "reasons.md": reasons_page,
    "limits.md": limits_page,
    "submission.md": states_page,
    "commands.md": commands_page,
}


def main() -> int:
    """Write the pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
