"""All figures, or those named (`load`, `churn router`), as one table. `--quick`: small sizes.

Exit status 0; 1 when a script failed; 3 when nothing could be run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib import import_module

from figures import Row, Table, markdown

from op25b.errors import Missing

SCRIPTS = (
    *("load", "churn", "swap", "verify", "router", "verdict"),
    *("accounting", "reconcile", "watch"),
    *("submission", "syncs", "relaying", "idle", "logins", "spool"),
    "portal",
)


def rows_of(name: str, quick: bool) -> tuple[list[Row | Table], str]:
    """(a script's rows, "") or ([], why there are none)."""
    try:
        return import_module(name).run(quick), ""
    except (Missing, ModuleNotFoundError) as missing:
        return [], f"not run: {missing}"
    except Exception as error:  # one figure that cannot be had must not cost the others
        return [], f"failed: {type(error).__name__}: {error}"


def main() -> int:
    """Run the scripts and print the table."""
    parser = argparse.ArgumentParser(description="op25b beside its peers, measured in interleaved runs")
    parser.add_argument("scripts", nargs="*", metavar="script", help=f"one of {', '.join(SCRIPTS)}; all when none")
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work, not how fast is it")
    parser.add_argument("--json", metavar="FILE", help="write the rows to this file too")
    wanted = parser.parse_args()
    unknown = set(wanted.scripts) - set(SCRIPTS)
    if unknown:
        parser.error(f"no such script: {', '.join(sorted(unknown))}; there are {', '.join(SCRIPTS)}")
    rows: list[Row | Table] = []
    reasons = []
    for name in wanted.scripts or SCRIPTS:
        start = time.monotonic()
        found, reason = rows_of(name, wanted.quick)
        rows += found or [Row(name, reason, "")]
        reasons.append(reason)
        print(f"{name}: {reason or f'{time.monotonic() - start:.0f} s'}", file=sys.stderr)
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    machine = f"{os.cpu_count()} processors, {system}"
    print(f"Medians of interleaved runs on {machine}; only the ratios carry over.\n\n{markdown(rows)}")
    if wanted.json:
        with open(wanted.json, "w") as file:
            json.dump({"machine": machine, "rows": [asdict(row) for row in rows]}, file, indent=1)
    if any(reason.startswith("failed") for reason in reasons):
        return 1
    return Missing.exit_status if all(reasons) else 0


if __name__ == "__main__":
    sys.exit(main())
