"""The command: what is asked for, tried, and shown."""

from __future__ import annotations

import argparse
import getpass
import json
import locale
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from op25b.doctor.probe.asking import log_in
from op25b.doctor.probe.findings import settled, summary
from op25b.doctor.probe.outcomes import Login, Outcome, Provider, Role, Target, Try
from op25b.doctor.probe.report import Report
from op25b.doctor.probe.request import SUBDOMAIN, Request, Usage, completed, port_number, targets
from op25b.doctor.probe.talking import Trust
from op25b.doctor.probe.trying import tries
from op25b.doctor.probe.words import Say

WORDS: dict[str, str] = {}
"""English -> Japanese."""
PROVIDER: Provider | None = None
"""Both are filled in where a provider offers this as a file."""


def examine(provider: Provider | None, request: Request, password: Callable[[str], str]) -> Report:
    """Try everything that `request` and the provider name; takes 20 seconds at most, besides the wait for a person.

    `password` gives an account's; it is called only where there is a server to send it to, encrypted. Raises Usage.
    """
    provider, setting = completed(provider, request)
    trust = Trust.default()
    made = settled(tries(targets(provider, setting), trust, request.sender), provider)
    login = Login.UNTRIED
    if request.account:
        login = _log_in(made, setting, trust, request.account, password)
    return Report(provider, tuple(made), summary(made, provider, login, setting), setting)


def _log_in(
    made: Sequence[Try], setting: Target | None, trust: Trust, account: str, password: Callable[[str], str]
) -> Login:
    """One attempt only: providers lock accounts at which passwords are guessed."""

    def is_his(target: Target) -> bool:
        return target.host == setting.host if setting else target.role is Role.OWN

    safe = [each for each in made if is_his(each.target) and each.verified and each.outcome is Outcome.WORKS]
    able = [each for each in safe if {"PLAIN", "LOGIN"} & set(each.mechanisms)]
    if not able:
        return Login.NOT_OFFERED if safe else Login.UNTRIED
    best = max(able, key=lambda each: (each.target.port, -each.family))
    return log_in(best, trust, account, password(account))


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Says why this computer cannot send mail. Exit status: 0 sending works, 1 a cause was found, 2 bad "
        "usage. A password is asked for, and never taken from the command line.",
    )
    parser.add_argument("--server", metavar="HOST", help="the sending server that the mail program is set to")
    parser.add_argument("--port", type=port_number, help="the port that the mail program is set to")
    parser.add_argument("--other", metavar="HOST[:PORT,...]", action="append", default=[], help="a server elsewhere")
    parser.add_argument("--mail", metavar="ADDRESS", help="your mail address, where the server's name depends on it")
    parser.add_argument("--account", metavar="NAME", help="try this user name; the password is asked for")
    parser.add_argument("--language", choices=("ja", "en"), help="as this computer is set if left out")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def language(preferred: str | None, encoding: str | None) -> str:
    """`ja` where it is asked for, or where this computer speaks Japanese and its terminal can show it."""
    if preferred:
        return preferred
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    name = next(filter(None, names), None) or locale.getlocale()[0] or ""
    if not name.lower().startswith("ja"):
        return "en"
    try:
        "日本".encode(encoding or "ascii")
    except (LookupError, UnicodeError):
        return "en"
    return "ja"


def run(provider: Provider | None, request: Request, say: Say, as_json: bool) -> int:
    """Examine and print; the exit status. Raises Usage."""
    named_by_address = provider is not None and any(SUBDOMAIN in server.host for server in provider.servers)
    if named_by_address and not request.sender and not request.server and sys.stdin.isatty():
        request = request._replace(mail=input(say("Your mail address:") + " ").strip())
    report = examine(provider, request, lambda account: getpass.getpass(say("Password of {account}:", account=account)))
    print(json.dumps(report.as_json(), indent=2) if as_json else "\n".join(report.lines(say)), flush=True)
    return 1 if report.causes else 0


def main() -> int:
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with suppress(locale.Error):  # set to one that this computer does not have
        locale.setlocale(locale.LC_CTYPE, "")
    given = options().parse_args()
    say = Say(language(given.language, sys.stdout.encoding), WORDS)
    request = Request(given.server, given.port, tuple(given.other), given.mail, given.account)
    try:
        return run(PROVIDER, request, say, given.json)
    except Usage as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    status = main()
    if os.name == "nt" and len(sys.argv) == 1 and sys.stdin.isatty():
        input()  # started by a double click: its window closes with it
    sys.exit(status)
