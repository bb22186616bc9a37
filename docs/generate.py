"""Writes docs/reference/ from the code, so that it cannot drift: `make docs`; a test compares."""

from __future__ import annotations

import ast
import inspect
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import typer.main
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from op25b import enforcement, portal, processes, submission, subscribers, watch
from op25b.cli import service
from op25b.cli.main import app
from op25b.cli.service import config, enforcer, follower, leases, part
from op25b.policy import model
from op25b.policy.reasons import ORDER, Remedy
from op25b.portal.api import job as api
from op25b.portal.console import job as console
from op25b.portal.public import job as pages
from op25b.processes import health
from op25b.ruleset.limits import limits
from op25b.submission import config as mail_config
from op25b.submission.driver import (
    connection,
    dialogue,
    metrics,
    relay_metrics,
    transaction,
)
from op25b.submission.driver import limits as limits_of_driver
from op25b.submission.postfix import policy as _  # noqa: F401  its replies are found among the modules
from op25b.submission.protocol import Reply, replies
from op25b.submission.protocol.transitions import TRANSITIONS, State
from op25b.submission.relay.outcome import Result
from op25b.subscribers.exemptions import transitions as exemption_table
from op25b.subscribers.exemptions.criteria import Criterion
from op25b.watch import job as watch_job
from op25b.watch import states as watch_states

REFERENCE = Path(__file__).parent / "reference"
MADE = "<!-- made from the code by `make docs`; edits are overwritten -->\n"
LEVELS = {f"{log}.{level}": level for log in ("log", "_log") for level in ("info", "warning", "error")}
# these are limited, by what their first argument says (op25b.processes.complaints)
LEVELS |= {f"{log}.about": "warning" for log in ("complaints", "_complaints")}
KINDS = {"Path": "path", "str": "text", "int": "number", "float": "number", "bool": "true or false", "date": "date",
         "time": "time of day", "datetime": "instant with an offset"}  # fmt: skip


def policy_page() -> str:
    """Every table and key of the policy file."""
    return "\n".join([MADE, "# The policy file", "", *_prose(model), "", *_keys(model.Policy)])


def service_page() -> str:
    """Every table and key of the service's configuration, and what a client hears at each limit."""
    lines = [MADE, "# The service's configuration", "", *_prose(config), ""]
    lines += [
        "Examples: [mail](../../examples/service.toml), [a router](../../examples/service-router.toml), "
        "[leases](../../examples/service-leases.toml), [the customers' pages](../../examples/service-portal.toml).",
        "",
        *_keys(config.Config),
    ]
    lines += ["## Limits and what a client hears", "", "All under `submission.limits`; 0 is no limit.", ""]
    lines += ["| key | reply |", "|---|---|"]
    lines += [f"| `{key}` | {_reply(reply)} |" for key, reply in _bounds()]
    lines += ["| `stolen` | 250: taken, held, and shown to the operator |", ""]
    lines += ["The protocol's own limits are in [specifications](../specifications.md#limits-and-their-replies).", ""]
    return "\n".join(lines)


def _bounds() -> Iterator[tuple[str, Reply]]:
    yield "connections", connection.CROWDED
    yield "address.connections", limits_of_driver.CONNECTIONS
    yield "account.connections", limits_of_driver.SESSIONS
    for table, caps in (("address", mail_config.AddressCaps), ("account", mail_config.AccountCaps)):
        for name in caps.model_fields:
            if name in limits_of_driver.Names:
                yield f"{table}.{name}", limits_of_driver.Names[name][1]
    yield "idle_seconds", connection.IDLE
    yield "slowest", connection.SLOW
    yield "size", replies.TOO_LARGE
    yield "recipients", replies.TOO_MANY_RECIPIENTS
    yield "header", transaction.HEADER
    yield "memory", dialogue.BUSY


def _reply(reply: Reply) -> str:
    return f"{reply.code} {reply.status} {reply.text}".replace("|", "\\|").replace("\n", " ").replace("  ", " ")


def replies_page() -> str:
    """What the service may say to a client, code by code."""
    modules = [module for name, module in sorted(sys.modules.items()) if name.startswith("op25b.submission.")]
    found = {_reply(each) for module in modules for each in vars(module).values() if isinstance(each, Reply)}
    lines = [
        MADE,
        "# Replies",
        "",
        "Whatever a submission client may be told, by code. EHLO, AUTH and 250 at a message's",
    ]
    lines += ["end are made as they go; the queue id is in the last.", "", "| reply |", "|---|"]
    return "\n".join([*lines, *(f"| {each} |" for each in sorted(found)), ""])


def metrics_page() -> str:
    """Every name under /metrics."""
    registry = CollectorRegistry()
    parts = [metrics.shown(metrics.board(1)), relay_metrics.shown(relay_metrics.RelayBoard([]))]
    parts += [
        part.shown("", board)
        for board in (leases.board(), enforcer.board(), follower.board(), api.board(), pages.board(), console.board())
    ]
    parts.append(watch_job.shown(watch_job.board()))
    registry.register(health.Numbers(parts))
    lines = [
        MADE,
        "# Metrics",
        "",
        "`/metrics` for Prometheus. `next_hop` is a host that the configuration names, or `mx`",
    ]
    lines += ["for all others together: what customers write to does not make new series.", ""]
    lines += ["| metric | kind | labels | |", "|---|---|---|---|"]
    for family in registry.collect():
        labels = sorted({label for sample in family.samples for label in sample.labels})
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"| `{name}` | {family.type} | {', '.join(labels)} | {family.documentation} |")
    return "\n".join([*lines, ""])


def logs_page() -> str:
    """Every event that is logged, found in the source."""
    lines = [
        MADE,
        "# Log events",
        "",
        "One JSON object a line on standard error. Besides these fields each has `event`,",
    ]
    lines += ["`level`, `timestamp` and `process`. None ever holds a password or a message's content.", ""]
    lines += ["| event | level | fields | from |", "|---|---|---|---|"]
    packages = (processes, submission, subscribers, enforcement, watch, portal, service)
    rooms = [Path(room.__file__).parent for room in packages]
    files = [path for room in rooms for path in sorted(room.rglob("*.py")) if path.stem != "complaints"]
    events = [each for path in files for each in _events(path)]
    lines += [f"| {name} | {level} | {fields} | `{place}` |" for name, level, fields, place in sorted(set(events))]
    return "\n".join([*lines, ""])


def _events(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Calls of a log: events by name, or by what an attempt came to; level, fields, room."""
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        nodes = list(ast.walk(function))
        assigned = {ast.unparse(node.targets[0]): node.value for node in nodes if isinstance(node, ast.Assign)}
        for node in nodes:
            called = ".".join(ast.unparse(node.func).split(".")[-2:]) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and called in LEVELS:
                names = _texts(node.args[called.endswith(".about")]) or [result.value for result in Result]
                fields: list[str] = []
                for keyword in node.keywords:
                    unpacked = assigned.get(ast.unparse(keyword.value))
                    keys = unpacked.keys if isinstance(unpacked, ast.Dict) else []
                    fields += [keyword.arg] if keyword.arg else [text for key in keys if key for text in _texts(key)]
                yield ", ".join(f"`{name}`" for name in names), LEVELS[called], ", ".join(fields), path.parent.name


def _texts(expression: ast.expr) -> list[str]:
    return [str(node.value) for node in ast.walk(expression) if isinstance(node, ast.Constant)]


def _keys(root: type[BaseModel]) -> list[str]:
    """Tables of the keys of a model, and of all that are in it."""
    lines = []
    for table in _tables(root, seen=[]):
        lines += [f"## {table.__name__}", "", *_prose(table), "", "| key | value | default | |", "|---|---|---|---|"]
        remarks = _remarks(table)
        for name, field in table.model_fields.items():
            default = "required" if field.is_required() else _default(field)
            key = field.alias or name
            lines.append(f"| `{key}` | {_kind(field.rebuild_annotation())} | {default} | {remarks.get(name, '')} |")
        lines.append("")
    return lines


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
    """The text that stands under a field in the source, or in that of the table that this one extends."""
    body = ast.parse(inspect.getsource(table)).body[0]
    assert isinstance(body, ast.ClassDef)
    base = table.__base__
    found = _remarks(base) if base and base is not BaseModel and issubclass(base, BaseModel) else {}
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
    """The states of a submission session."""
    return _diagram("The states of a submission session", TRANSITIONS, State.START, [State.CLOSED])


def exemptions_page() -> str:
    """The states of an exemption, and what can be asked of a request."""
    table = exemption_table.TRANSITIONS
    drawn = _diagram("The states of an exemption", table, exemption_table.State.REQUESTED, sorted(exemption_table.OVER))
    by_time = "`expire` and `end` come by time; every other step is somebody's, and has a line in the audit trail."
    return "\n".join([drawn, by_time, f"Criteria: {', '.join(f'`{each}`' for each in Criterion)}.", ""])


def _diagram(head: str, table: Mapping[Any, Mapping[Any, Any]], first: str, last: Iterable[str]) -> str:
    """One arrow for each pair of states, with all the steps between them."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, row in table.items():
        for step, target in row.items():
            arrows.setdefault((state, target), []).append(step)
    # an identifier of mermaid has no hyphen
    names = {state: state.replace("-", "_") for state in table}
    said = [f"    {name}: {state}" for state, name in names.items() if name != state]
    drawn = [f"    {names[here]} --> {names[there]}: {', '.join(steps)}" for (here, there), steps in arrows.items()]
    lines = [MADE, f"# {head}", "", "```mermaid", "stateDiagram-v2", *said, f"    [*] --> {names[first]}", *drawn]
    return "\n".join([*lines, *(f"    {names[state]} --> [*]" for state in last), "```", ""])


def cases_page() -> str:
    """The states of a case of the watch."""
    states = watch_states.State
    return _diagram("The states of a case of the watch", watch_states.TRANSITIONS, states.OPEN, [states.CLOSED])


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
    "exemptions.md": exemptions_page,
    "service.md": service_page,
    "replies.md": replies_page,
    "metrics.md": metrics_page,
    "logs.md": logs_page,
    "commands.md": commands_page,
    "watch.md": cases_page,
}


def main() -> int:
    """Write the pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
