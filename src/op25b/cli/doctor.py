"""doctor: why a computer cannot send mail; run there, handed out, or read from the code that it gave."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from op25b.cli import output, policyfile
from op25b.cli.options import Json
from op25b.doctor import codes, download
from op25b.doctor.probe import command, words
from op25b.doctor.probe.causes import causes
from op25b.doctor.probe.outcomes import Provider
from op25b.doctor.probe.request import Request, Usage
from op25b.errors import UserError
from op25b.locale import speakers

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Language(StrEnum):
    JA = "ja"
    EN = "en"


@app.command()
def doctor(
    server: Annotated[
        str | None, typer.Option("--server", metavar="HOST", help="The sending server that the mail program is set to.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="The port that the mail program is set to.")
    ] = None,
    other: Annotated[
        list[str] | None,
        typer.Option("--other", metavar="HOST[:PORT,...]", help="A mail server elsewhere to try; may be repeated."),
    ] = None,
    mail: Annotated[
        str | None,
        typer.Option("--mail", metavar="ADDRESS", help="The mail address, where the server's name depends on it."),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Try this user name; the password is asked for.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", metavar="POLICY", help="The provider's policy: its servers, networks and words."),
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="CODE", help="Only say what a code means that a check gave.")
    ] = None,
    script: Annotated[
        bool, typer.Option("--script", help="Only print the check as one file for customers; wants --policy.")
    ] = False,
    language: Annotated[
        Language | None, typer.Option("--language", help="As this computer is set if left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Try ports 25, 587 and 465 from here and say why mail cannot be sent; exit with status 1 if a cause is found."""
    japanese = speakers(ZoneInfo("UTC"))["ja"]
    translated = download.translated(japanese.translations.gettext)
    provider = download.provider(policyfile.policy(policy)) if policy else None
    say = words.Say(command.language(language, sys.stdout.encoding), translated)
    if code is not None:
        raise typer.Exit(_read(code, provider, say, json))
    if script:
        if provider is None:
            raise UserError("--script wants --policy POLICY: the provider's servers are written into the file")
        output.text(download.rendered(translated, provider))
        return
    try:
        status = command.run(provider, Request(server, port, tuple(other or ()), mail, account), say, json)
    except Usage as error:
        raise UserError(str(error)) from None
    raise typer.Exit(status)


def _read(code: str, provider: Provider | None, say: words.Say, json: bool) -> int:
    """Print what a code says; the exit status that the check had."""
    try:
        seen = codes.read(code)
    except ValueError as error:
        raise UserError(str(error)) from None
    found = codes.findings(seen)
    if json:
        output.data(found)
        return 1 if found["causes"] else 0
    tries = {(each["server"], each["port"], each["family"]): each["outcome"] for each in found["tries"]}
    rows = dict.fromkeys((server, port) for server, port, _ in tries)
    cells = [
        (server, str(port or "mail program's"), *(tries.get((server, port, family), "-") for family in (4, 6)))
        for server, port in rows
    ]
    output.table(("server", "port", "IPv4", "IPv6"), cells)
    output.text(f"place: {found['place']}, log-in: {found['login']}")
    name = provider.name[say.language] if provider else say("your provider")
    for why in causes(seen):
        output.text(f"cause {why.cause}, {say(words.CAUSES[why.cause], provider=name)} ({why.sign})")
    return 1 if found["causes"] else 0
