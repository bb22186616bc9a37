"""What is said, in English; the Japanese comes from the catalogue. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from op25b.doctor.probe.causes import Why
from op25b.doctor.probe.outcomes import Login, Outcome, Place, Role


def mark(message: str) -> str:
    """The message itself; marks it for translation."""
    return message


CAUSES = {
    1: mark("Cause 1: {provider}'s own OP25B"),
    2: mark("Cause 2: OP25B of the other provider whose line you use"),
    3: mark("Cause 3: the condition for sending from outside {provider}'s network"),
    4: mark("Cause 4: a wrong setting in the mail program"),
    5: mark("Cause 5: an outage or maintenance"),
}
"""The titles, in the troubleshooter's words."""

USE_587 = mark("Please set the sending server to {host} with port 587, and turn on SMTP AUTH.")
USE_465 = mark("Please set the sending server to {host} with port 465 (SMTP over SSL) and SMTP AUTH.")
USE_OTHERS = mark("With another provider's sending server, please use port 587 or 465 (SMTP over SSL) there.")
USE_OURS = "use"
"""Stands for USE_587 or USE_465, whichever works."""
ASK_ADMINISTRATOR = mark("Please ask the administrator of that network first.")
READ_FIRST = mark("Or receive your mail first, and send within {minutes} minutes of that.")
LOOK_AT_NOTICES = mark("Please look at the notices of outages and maintenance by {provider}.")
KEEP_PASSWORD = mark("Until then, please enter no password there.")

EXPLAINED: dict[Why, tuple[str, ...]] = {
    Why.BLOCKED_HERE: (
        mark("On this line {provider} restricts port 25 (OP25B): mail servers elsewhere cannot be reached on it."),
        USE_OURS,
        USE_OTHERS,
    ),
    Why.REDIRECTED_HERE: (
        mark("On port 25 another server answers than the one that was asked for: {name} in place of {asked}."),
        USE_OURS,
        USE_OTHERS,
    ),
    Why.BLOCKED_THERE: (
        mark("The network that this computer is connected to restricts port 25: mail servers cannot be reached on it."),
        USE_OURS,
    ),
    Why.REDIRECTED_THERE: (
        mark("On port 25 another server answers than the one that was asked for: {name} in place of {asked}."),
        USE_OURS,
    ),
    Why.FIREWALL: (
        mark("Ports 587 and 465 of all servers are closed from here, ours and others'."),
        mark("If you cannot connect, a firewall at your company or school may stop it."),
        ASK_ADMINISTRATOR,
    ),
    Why.OUTSIDE: (
        mark("From outside our network {host} does not pass on mail that comes on port 25 without a password."),
        USE_OURS,
        READ_FIRST,
    ),
    Why.NEEDS_LOGIN: (mark("{host} does not pass on mail that comes on port 25 without a password."), USE_OURS),
    Why.WRONG_LOGIN: (
        mark("{host} does not accept this user name and password."),
        mark("Please check both; capital and small letters are not the same."),
    ),
    Why.NO_LOGIN: (mark("{host} offers no way to log in that this check knows (PLAIN, LOGIN)."), USE_OURS),
    Why.WRONG_PORT: (mark("Nothing answers on port {set_port} of {set_host}."), USE_OURS),
    Why.WRONG_NAME: (mark("There is no server of the name {set_host}."), USE_OURS),
    Why.NOT_THERE: (
        mark("Nothing answers on port {set_port} of {set_host}."),
        mark("Whether that server takes them, please ask its operator."),
    ),
    Why.INTERCEPTED: (
        mark("The encrypted connection to {host} does not end there: the certificate is not that server's."),
        mark("Security software on this computer, or a device on the way, may be reading along: please turn that off."),
        KEEP_PASSWORD,
    ),
    Why.STRIPPED: (
        mark("{host} offers no encryption on port 587 as seen from here: something on the way takes it out."),
        mark("Security software on this computer, or a device on the way, may be reading along: please turn that off."),
        KEEP_PASSWORD,
    ),
    Why.NO_NETWORK: (
        mark(
            "Nothing at all can be reached: this computer has no connection to the Internet, or a firewall stops all."
        ),
        mark("Please check the cable, the wireless network and the router, then whether web pages can be seen."),
        LOOK_AT_NOTICES,
    ),
    Why.SERVER_DOWN: (mark("{host} cannot be reached on any port for sending."), LOOK_AT_NOTICES),
    Why.SERVER_FAILING: (mark("{host} answers, but takes no mail at present."), LOOK_AT_NOTICES),
    Why.LOGIN_DOWN: (mark("{host} cannot check user names and passwords at present."), LOOK_AT_NOTICES),
    Why.IPV4: (
        mark("{host} cannot be reached over IPv4, but it can over IPv6: mail programs may wait long or give up."),
        LOOK_AT_NOTICES,
    ),
    Why.IPV6: (
        mark("{host} cannot be reached over IPv6, but it can over IPv4: mail programs may wait long or give up."),
        LOOK_AT_NOTICES,
    ),
}

OUTCOMES = {
    Outcome.UNRESOLVED: mark("the name is not known"),
    Outcome.UNREACHABLE: mark("no way there"),
    Outcome.DROPPED: mark("no answer"),
    Outcome.REFUSED: mark("connection refused"),
    Outcome.PROHIBITED: mark("refused by a filter"),
    Outcome.FAILING: mark("answers, but not as it should"),
    Outcome.DENIED: mark("reached, does not pass on mail from here"),
    Outcome.STRIPPED: mark("reached, offers no encryption"),
    Outcome.INTERCEPTED: mark("reached, with a certificate not its own"),
    Outcome.WORKS: mark("reached"),
    Outcome.REDIRECTED: mark("another server answers"),
}
ROLES = {
    Role.OWN: mark("Sending server of {provider}:"),
    Role.OTHER: mark("Mail servers elsewhere:"),
    Role.SETTING: mark("The server that your mail program is set to:"),
}
PLACES = {
    Place.OWN: mark("This computer is connected to the network of {provider}."),
    Place.OTHER: mark("This computer is connected to another network than that of {provider}."),
}
LOGINS = {
    Login.ACCEPTED: mark("The user name and the password are accepted."),
    Login.WRONG: mark("The user name or the password is not accepted."),
    Login.UNAVAILABLE: mark("The user name and the password could not be checked."),
    Login.NOT_OFFERED: mark("The server offers no log-in."),
}


@dataclass(frozen=True)
class Say:
    """Says messages in `ja` or `en`."""

    language: str
    words: dict[str, str]

    def __call__(self, message: str, **values: str) -> str:
        said = self.words.get(message, message) if self.language == "ja" else message
        return said.format(**values)
