"""`check`: every fault of policy files at once, and what a packet filter cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from op25b.cli import output, policyfile
from op25b.policy.load import Loaded
from op25b.ruleset.limits import limits

FileResults = list[tuple[Path, Loaded]]


def check(
    policies: Annotated[list[Path], typer.Argument(metavar="POLICY...", help="The policy files.")],
    explain_limits: Annotated[
        bool,
        typer.Option("--explain-limits", help="Say too which ways round the filter are closed, and which are not."),
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print JSON: a list of faults; with --explain-limits an object of faults and limits."
        ),
    ] = False,
) -> None:
    """Report all faults of policy files with line, column and mend. Exit status 2 if there is an error."""
    results = [(path, policyfile.read(path)) for path in policies]
    if json:
        faults = _faults(results)
        output.data({"faults": faults, "limits": _limits(results)} if explain_limits else faults)
    else:
        for path, loaded in results:
            for fault in sorted((*loaded.errors, *loaded.warnings)):
                output.text(fault.format(str(path)))
        if explain_limits:
            _print_limits(results)
    errors = sum(len(loaded.errors) for _, loaded in results)
    warnings = sum(len(loaded.warnings) for _, loaded in results)
    counts = ((len(policies), "file"), (errors, "error"), (warnings, "warning"))
    output.note(", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts))
    if errors:
        raise typer.Exit(2)


def _faults(results: FileResults) -> list[dict[str, object]]:
    return [
        {
            "path": str(path),
            "line": fault.line,
            "column": fault.column,
            "severity": fault.severity,
            "what": fault.what,
            "mend": fault.mend,
        }
        for path, loaded in results
        for fault in sorted((*loaded.errors, *loaded.warnings))
    ]


def _limits(results: FileResults) -> list[dict[str, object]]:
    return [
        {"path": str(path), "way": limit.way, "closed": limit.closed, "what": limit.what, "mend": limit.mend}
        for path, loaded in results
        if loaded.policy is not None
        for limit in limits(loaded.policy.filter)
    ]


def _print_limits(results: FileResults) -> None:
    for path, loaded in results:
        if loaded.policy is None:
            continue
        for closed in (False, True):
            output.text(f"{path}: {'closed by this policy' if closed else 'not closed by this policy'}:")
            for limit in limits(loaded.policy.filter):
                if limit.closed is closed:
                    output.text(
                        f"  {limit.way}: {limit.what}; {limit.mend}" if limit.mend else f"  {limit.way}: {limit.what}"
                    )
