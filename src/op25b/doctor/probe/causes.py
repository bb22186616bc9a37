"""From the summary to the causes, in the troubleshooter's order (claims S2, S3). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from op25b.doctor.probe.findings import CELLS, Summary
from op25b.doctor.probe.outcomes import (
    ANSWERED,
    FAMILIES,
    RELAY,
    SHUT,
    SUBMISSION,
    SUBMISSIONS,
    Login,
    Outcome,
    Place,
    Role,
)


class Why(Enum):
    """A cause by its number in the troubleshooter, and what it is seen by."""

    BLOCKED_HERE = 1, "blocked"
    REDIRECTED_HERE = 1, "redirected"
    BLOCKED_THERE = 2, "blocked"
    REDIRECTED_THERE = 2, "redirected"
    FIREWALL = 2, "firewall"
    OUTSIDE = 3, "outside"
    NEEDS_LOGIN = 4, "needs-login"
    WRONG_LOGIN = 4, "login"
    NO_LOGIN = 4, "no-login"
    WRONG_PORT = 4, "port"
    WRONG_NAME = 4, "name"
    NOT_THERE = 4, "not-there"
    INTERCEPTED = 4, "intercepted"
    STRIPPED = 4, "stripped"
    NO_NETWORK = 5, "no-network"
    SERVER_DOWN = 5, "server-down"
    SERVER_FAILING = 5, "server-failing"
    LOGIN_DOWN = 5, "login-down"
    IPV4 = 5, "ipv4"
    IPV6 = 5, "ipv6"

    @property
    def cause(self) -> int:
        return self.value[0]

    @property
    def sign(self) -> str:
        return self.value[1]


def causes(seen: Summary) -> list[Why]:
    """Why mail cannot be sent, the main one first; none: it can. What is certain comes before what is possible."""
    if not seen.network:
        return [Why.NO_NETWORK]
    if seen.setting and _setting_works(seen):
        return list(_login(seen))
    possible = [] if seen.setting not in (0, RELAY) else _port_25(seen)
    return [*_server(seen), *_login(seen), *possible, *_settings(seen), *_families(seen)]


def _setting_works(seen: Summary) -> bool:
    over = [seen.far(Role.SETTING, family=family) for family in FAMILIES]
    fine = all(each in (Outcome.WORKS, Outcome.UNTRIED, Outcome.UNREACHABLE) for each in over)
    return fine and Outcome.WORKS in over


def _server(seen: Summary) -> Iterator[Why]:
    """The own server is down, or not to be reached on any port for submission."""
    own, other = seen.far(Role.OWN, SUBMISSION, SUBMISSIONS), seen.far(Role.OTHER, SUBMISSION, SUBMISSIONS)
    if own is Outcome.FAILING:
        yield Why.SERVER_FAILING
    elif own is seen.far(Role.SETTING) is Outcome.UNRESOLVED:
        return  # the name may be mistyped
    elif Outcome.UNTRIED < own < ANSWERED:
        everywhere = other in SHUT and seen.far(Role.OWN, RELAY) < ANSWERED
        yield Why.FIREWALL if everywhere and seen.place is not Place.OWN else Why.SERVER_DOWN


def _port_25(seen: Summary) -> Iterator[Why]:
    own, other = seen.far(Role.OWN, RELAY), seen.far(Role.OTHER, RELAY)
    elsewhere = seen.place is Place.OTHER or (seen.place is Place.UNKNOWN and own in SHUT)
    submission = seen.far(Role.OWN, SUBMISSION, SUBMISSIONS) >= ANSWERED
    if Outcome.REDIRECTED in (own, other):
        yield Why.REDIRECTED_HERE if seen.place is Place.OWN else Why.REDIRECTED_THERE
    elif other in SHUT:
        if submission or own >= ANSWERED or seen.far(Role.OTHER, SUBMISSION, SUBMISSIONS) >= ANSWERED:
            yield Why.BLOCKED_THERE if elsewhere else Why.BLOCKED_HERE
    elif other is Outcome.UNTRIED and own in SHUT and submission and elsewhere:
        yield Why.BLOCKED_THERE
    if own is Outcome.DENIED:
        yield Why.NEEDS_LOGIN if seen.place is Place.OWN else Why.OUTSIDE


def _login(seen: Summary) -> Iterator[Why]:
    if seen.login in _LOGINS:
        yield _LOGINS[seen.login]


_LOGINS = {Login.WRONG: Why.WRONG_LOGIN, Login.NOT_OFFERED: Why.NO_LOGIN, Login.UNAVAILABLE: Why.LOGIN_DOWN}


def _settings(seen: Summary) -> Iterator[Why]:
    setting = seen.far(Role.SETTING)
    if setting is Outcome.UNRESOLVED:
        yield Why.WRONG_NAME
    elif Outcome.UNTRIED < setting < ANSWERED:
        closed = seen.setting == RELAY and seen.far(Role.OTHER, RELAY) in SHUT
        if seen.own and seen.far(Role.OWN, SUBMISSION, SUBMISSIONS) >= ANSWERED and not closed:
            yield Why.WRONG_PORT
        elif not seen.own and seen.setting and not closed:
            yield Why.NOT_THERE
    # over one family is enough: it may be the one that the mail program takes
    mine = [outcome for (role, _, _), outcome in zip(CELLS, seen.cells) if role is not Role.OTHER]
    if Outcome.INTERCEPTED in mine:
        yield Why.INTERCEPTED
    if Outcome.STRIPPED in mine:
        yield Why.STRIPPED


def _families(seen: Summary) -> Iterator[Why]:
    """Over one family the own server is not reached, over the other it is. No route at all is no fault: mail programs
    then go the other way at once."""
    four, six = (seen.far(Role.OWN, SUBMISSION, SUBMISSIONS, family=family) for family in FAMILIES)
    for here, there, why in ((four, six, Why.IPV4), (six, four, Why.IPV6)):
        if here in SHUT and there >= ANSWERED:
            yield why
