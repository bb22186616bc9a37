"""The pages that say what to write where: the settings of a visitor's domain, and each program's steps with them. Pure.

Claims I1 (three changes together, a guide for each common program), L9 (the receiving settings stay), L7 and I14 (which
user name).
"""

from __future__ import annotations

from collections.abc import Iterator

from op25b.answers.blocks import Block, Bullets, Definitions, Link, Page, Paragraph, Section, Steps
from op25b.answers.speech import Speaker
from op25b.policy.credentials import Credentials
from op25b.policy.incoming import Security
from op25b.policy.model import Policy
from op25b.portal.setup.actions import Value
from op25b.portal.setup.profile import Profile, Receiving, Server, UserName
from op25b.portal.setup.programs import Program

_KINDS = {"imap": "IMAP", "pop3": "POP3"}


def settings(policy: Policy, profile: Profile, say: Speaker) -> Page:
    """What to write in whichever program."""
    blocks = (*_changes(profile.sending[0], say), *_sending(policy, profile, profile.sending[0], say))
    sending = Section("sending", say("Settings for sending"), blocks)
    return Page("setup", say("Settings for your mail program"), (sending, _receiving(profile, say)))


def guide(policy: Policy, profile: Profile, program: Program, say: Speaker) -> Page:
    """The steps in one program."""
    name, server = say.pick(program.name), profile.with_security(program.wants)
    values = {
        Value.HOST: server.host,
        Value.PORT: str(server.port),
        Value.HOST_AND_PORT: f"{server.host}:{server.port}",
        Value.SECURITY: dict(program.securities)[server.security],
        Value.ADDRESS: say("your mail address"),
        Value.USER: user_name(policy.credentials, say),
        Value.PASSWORD: password(policy.credentials, say),
    }
    steps = [action.sentence(say, profile.domain, values) for action in program.actions]
    steps.append(say("Send a mail to your own address. When it has arrived, you are done."))
    sections = (
        Section("changes", say("What changes"), (*_changes(server, say), *_notes(profile, program, server, say))),
        Section("steps", say("Steps"), (Steps(tuple(steps)),)),
        Section("sending", say("Settings for sending"), _sending(policy, profile, server, say)),
        _receiving(profile, say),
    )
    return Page(f"setup/{program.key}", say("Setting up {program}", program=name), sections)


def _changes(server: Server, say: Speaker) -> tuple[Paragraph, Bullets]:
    changes = (
        say("Change the sending server (SMTP) to {host}.", host=server.host),
        say("Turn on SMTP authentication (SMTP AUTH)."),
        say("Change the port to {port}.", port=str(server.port)),
    )
    return Paragraph(say("Please change these three together.")), Bullets(changes)


def _notes(profile: Profile, program: Program, server: Server, say: Speaker) -> Iterator[Paragraph]:
    name, port = say.pick(program.name), str(server.port)
    if server != profile.sending[0]:
        best = say(
            "{program} protects the connection best on port {port}, so this guide uses it.", program=name, port=port
        )
        yield Paragraph(best)
    if program.finds and profile.receiving:
        yield Paragraph(say(program.finds.value, program=name))
    for note in program.notes:
        yield Paragraph(say(note.value, program=name))


def _sending(policy: Policy, profile: Profile, first: Server, say: Speaker) -> tuple[Block, ...]:
    """All ways to send, `first` the one that the page is about."""
    others = [each for each in profile.sending if each != first]
    pairs = [
        (say("Sending server (SMTP)"), first.host),
        (say("Port and protection of the connection"), _on_port(first, say)),
        (say("User name"), user_name(policy.credentials, say)),
        (say("Password"), password(policy.credentials, say)),
    ]
    pairs += [(say("If that cannot be chosen"), _on_port(other, say)) for other in others]
    values = Definitions(tuple(pairs))
    if not policy.credentials.self_service:
        return (values,)
    return values, Link(say("Apply for a user name and password"), page="credentials")


def _on_port(server: Server, say: Speaker) -> str:
    if server.security is Security.NONE:
        return say("port {port}, without encryption", port=str(server.port))
    protection = "STARTTLS" if server.security is Security.STARTTLS else "SSL/TLS"
    return say("port {port} with {protection}", port=str(server.port), protection=protection)


def _receiving(profile: Profile, say: Speaker) -> Section:
    stay = Paragraph(say("If you receive mail today, leave the settings for receiving as they are."))
    if not profile.receiving:
        return Section("receiving", say("Settings for receiving"), (stay,))
    pairs = [pair for server in profile.receiving for pair in _pairs(server, say)]
    new = Paragraph(say("For an account that you add anew, the settings for receiving are these."))
    return Section("receiving", say("Settings for receiving"), (stay, new, Definitions(tuple(pairs))))


def _pairs(server: Receiving, say: Speaker) -> list[tuple[str, str]]:
    kind = _KINDS[server.kind]
    return [
        (say("Receiving server ({kind})", kind=kind), server.host),
        (say("{kind}: port and protection", kind=kind), _on_port(server, say)),
        (say("{kind}: user name", kind=kind), _form(server.user_name, say)),
    ]


def user_name(credentials: Credentials, say: Speaker) -> str:
    """What the user name for sending is, as one tells a customer (claims L7, I14)."""
    match credentials.user_name:
        case "pop-account":
            return say("the user name of your POP account, with which you receive mail")
        case "mail-address":
            return _form("mail-address", say)
        case "issued":
            return _issued(credentials, say)


def _issued(credentials: Credentials, say: Speaker) -> str:
    if credentials.on_notice and credentials.self_service:
        return say("the user name for SMTP AUTH on your notice of acceptance, or the one from the application page")
    if credentials.self_service:
        return say("the user name for SMTP AUTH from the application page")
    return say("the user name for SMTP AUTH on your notice of acceptance")


def password(credentials: Credentials, say: Speaker) -> str:
    """Which password goes with it."""
    if credentials.user_name == "issued":
        return say("the password that was issued with that user name")
    if credentials.user_name == "pop-account":
        return say("the password of your POP account")
    return say("the password of your mail account")


def _form(form: UserName, say: Speaker) -> str:
    return (
        say("your whole mail address") if form == "mail-address" else say("the part of your mail address before the @")
    )
