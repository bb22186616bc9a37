"""What a notice says: of the policy, a phase and a stage, as the blocks of a page (claims N1-N3, N10, I2). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from op25b.answers import phases
from op25b.answers.blocks import Block, Bullets, Contacts, Definitions, Link, Page, Paragraph, Section
from op25b.answers.contacts import contacts
from op25b.answers.naming import names
from op25b.answers.remedies import advice, subdomain, submission_servers
from op25b.answers.speech import Speaker, mark
from op25b.policy.information import OfferKind
from op25b.policy.model import Assignment, ContactKind, OwnServer, Phase, Policy
from op25b.policy.reasons import Remedy
from op25b.policy.scope import first_miss
from op25b.policy.table import Words
from op25b.policy.verdict import SMTP
from op25b.rollout.stages import Notice, Stage

STARTTLS = 587
Programs = Sequence[tuple[Words, Words]]


@dataclass(frozen=True)
class Subject:
    """What a notice is about. `at`: when it is told. `programs`: mail programs, and where each keeps its settings."""

    policy: Policy
    phase: Phase
    notice: Notice
    at: datetime
    programs: Programs

    @property
    def server(self) -> OwnServer | None:
        """Where to submit to; None where the provider has no such server."""
        return next(iter(submission_servers(self.policy)), None)

    @property
    def open_server(self) -> bool:
        """Whether the provider has a server that stays open on 25."""
        return any(SMTP in server.ports for server in self.policy.own_servers)

    @property
    def begun(self) -> bool:
        return self.notice.stage is Stage.IN_FORCE


def page(subject: Subject, say: Speaker) -> Page:
    """The notice in one language."""
    made = _Writer(subject, say)
    parts: tuple[tuple[str, str, Callable[[], Iterator[Block]]], ...] = (
        ("summary", say("Summary"), made.summary),
        ("covered", say("Who is covered"), made.covered),
        ("period", say("When to change the settings"), made.period),
        ("change", say("What to change"), made.change),
        ("guide", say("How to get the setting guide"), made.guide),
        ("exemption", say("If you cannot change the settings"), made.exemption),
        ("contact", say("Contact"), made.contact),
    )
    sections = (Section(key, heading, tuple(blocks())) for key, heading, blocks in parts)
    return Page(f"notice-{subject.phase.name}", made.title(), tuple(each for each in sections if each.blocks))


class _Writer:
    """Of one notice in one language. Each section yields its blocks; one without any is left out."""

    def __init__(self, subject: Subject, say: Speaker) -> None:
        self._subject, self._say = subject, say
        self._policy, self._phase, self._notice = subject.policy, subject.phase, subject.notice
        self._provider = say.pick(subject.policy.provider.display)

    def title(self) -> str:
        say, stage = self._say, self._notice.stage
        if stage is Stage.TENTATIVE:
            return say("Port 25 is going to be restricted: please change the settings of your mail program")
        if self._notice.start is None:
            return say("Port 25 is restricted: what to do if you cannot send mail")
        day = say.day(self._notice.start.astimezone(say.zone).date())
        return say(_TITLES[stage], day=day)

    def summary(self) -> Iterator[Block]:
        say, provider = self._say, self._provider
        yield Paragraph(say("Thank you for using {provider}.", provider=provider))
        yield Paragraph(self._announcement())
        if self._notice.stage is Stage.TENTATIVE:
            yield Paragraph(phases.not_fixed(say))
        if self._notice.stage is Stage.REMINDER:
            yield Paragraph(say("If you have changed your settings already, there is nothing left to do."))
        yield Definitions(
            (
                (say("When"), self._when()),
                (say("What is done"), self._what()),
                (say("If you change nothing"), self._if_nothing()),
                (say("Not concerned"), say("Receiving mail, and webmail in a web browser, go on as before.")),
            )
        )

    def _announcement(self) -> str:
        say, provider, notice = self._say, self._provider, self._notice
        if notice.stage is Stage.TENTATIVE:
            return say(
                "Against junk mail and viruses, {provider} is going to restrict the sending of mail on port 25 "
                "(Outbound Port 25 Blocking, OP25B).",
                provider=provider,
            )
        if notice.start is None:
            return say(
                "Against junk mail and viruses, {provider} restricts the sending of mail on port 25 "
                "(Outbound Port 25 Blocking, OP25B).",
                provider=provider,
            )
        return say(_ANNOUNCEMENTS[notice.stage], provider=provider, start=say.start(notice.start))

    def _when(self) -> str:
        say, start, expected = self._say, self._notice.start, self._phase.expected
        if self._notice.stage is Stage.TENTATIVE:
            if expected is None:
                return say("The date is being arranged.")
            return say("{expected} (tentative: the date is being arranged)", expected=say.pick(expected))
        if start is None:
            return say("In force")
        if self._subject.begun:
            return say("In force since {start}", start=say.start(start))
        return say("From {start} on", start=say.start(start))

    def _what(self) -> str:
        say = self._say
        if self._subject.open_server:
            return say("Connections to port 25 of sending servers that are not ours are refused.")
        return say("Connections to port 25 are refused, those to our own sending server included.")

    def _if_nothing(self) -> str:
        say, start = self._say, self._notice.start
        now, once, from_ = _NOTHING_BUT_OTHERS if self._subject.open_server else _NOTHING_AT_ALL
        if self._subject.begun:
            return say(now)
        return say(once) if start is None else say(from_, start=say.start(start))

    def covered(self) -> Iterator[Block]:
        say, conditions = self._say, tuple(self._conditions())
        if conditions:
            lead = say("Customers of {provider} to whom all of this applies:", provider=self._provider)
            yield Paragraph(lead)
            yield Bullets(conditions)
        else:
            yield Paragraph(say("All customers of {provider}.", provider=self._provider))
        if self._subject.open_server:
            yield Paragraph(say("Of these, only those who send through a server that is not ours are affected."))
        else:
            yield Paragraph(say("This is so whichever sending server you use."))
        if self._policy.home_servers == "refused":
            yield Paragraph(say("A mail server that you run yourself on such a line is affected, too."))
        yield Paragraph(
            say(
                "If you connect through another provider, you are affected if that provider restricts port 25; please "
                "ask there."
            )
        )

    def _conditions(self) -> Iterator[str]:
        say, scope = self._say, self._phase.scope
        covered = [pool for pool in self._policy.pools if first_miss(scope, pool) is None]
        if scope.model_dump(exclude_defaults=True).keys() - {"contracts", "not_contracts"}:
            lines = dict.fromkeys(pool.line for pool in covered if pool.line)
            if lines:
                yield say("The line is one of: {lines}", lines=names(lines, self._policy, say))
        if scope.assignments is not None and len(set(scope.assignments)) == 1:
            yield say(_ASSIGNMENTS[scope.assignments[0]])
        if scope.regions:
            yield say("The region is one of: {regions}", regions=names(scope.regions, self._policy, say))
        if scope.not_regions:
            yield say("The region is none of: {regions}", regions=names(scope.not_regions, self._policy, say))
        if scope.contracts:
            yield say("The contract is one of: {contracts}", contracts=names(scope.contracts, self._policy, say))
        if scope.not_contracts:
            yield say("The contract is none of: {contracts}", contracts=names(scope.not_contracts, self._policy, say))

    def period(self) -> Iterator[Block]:
        say, period = self._say, self._phase.settings_period
        if self._subject.begun:
            yield Paragraph(say("If you have not changed your settings yet, please do so now."))
            return
        if period is not None:
            first, last = phases.days(period, say)
            yield Paragraph(say("Please change your settings between {first} and {last}.", first=first, last=last))
        elif self._notice.start is not None:
            start = say.start(self._notice.start)
            yield Paragraph(say("Please change your settings before {start}.", start=start))
        yield Paragraph(phases.early(say))
        yield Paragraph(say("Please change them in good time. Thank you for your understanding and your cooperation."))

    def change(self) -> Iterator[Block]:
        say, server = self._say, self._subject.server
        if server is not None:
            yield Paragraph(say("Please set your mail program to send through our sending server like this:"))
            yield Definitions(tuple(self._settings(server)))
            yield Paragraph(say("The settings for receiving stay as they are."))
        if self._subject.open_server:
            remedies = (Remedy.USE_OTHER_SUBMISSION, Remedy.ASK_THEIR_OPERATOR)
            yield Paragraph(say.paragraph(self._advice(*remedies)))
        if self._policy.home_servers == "smart-host":
            yield Paragraph(say.paragraph(self._advice(Remedy.USE_SMART_HOST)))
        if server is not None and (programs := self._subject.programs):
            yield Paragraph(say("Where common mail programs keep these settings:"))
            yield Definitions(tuple((say.pick(name), say.pick(menus)) for name, menus in programs))

    def _settings(self, server: OwnServer) -> Iterator[tuple[str, str]]:
        say = self._say
        yield say("Sending server (SMTP)"), say.host(server.hosts[0])
        if STARTTLS in server.ports:
            yield say("Port"), say("587 (encryption: STARTTLS)")
        else:
            yield say("Port"), say("465 (encryption: SSL/TLS)")
        yield say("Authentication of the sending server (SMTP AUTH)"), say("On")
        yield say("User name"), say(_USER_NAMES[self._policy.credentials.user_name])
        for explained in subdomain(server, say):
            yield say("Remark"), explained

    def _advice(self, *remedies: Remedy) -> list[str]:
        found = advice(remedies, self._policy, self._subject.server, self._subject.at, self._say)
        return [sentence for sentences in found for sentence in sentences]

    def guide(self) -> Iterator[Block]:
        say = self._say
        for offer in self._policy.information.of(OfferKind.GUIDE):
            if offer.url is not None:
                yield Link(say.pick(offer.name), url=offer.url)
        yield Link(say("Settings of your mail program, step by step"), page="setup")
        ways = [each for each in self._contacts().ways if each.kind is not ContactKind.WEB]
        if ways:
            yield Paragraph(say("If you cannot look at it or are not sure, please tell us; we send you the guide:"))
            yield Bullets(tuple(say("{way}: {address}", way=each.label, address=each.address) for each in ways))

    def exemption(self) -> Iterator[Block]:
        if self._policy.exemption_terms.offered:
            yield Paragraph(self._say.paragraph(self._advice(Remedy.REQUEST_EXEMPTION)))

    def contact(self) -> Iterator[Block]:
        if self._policy.provider.contacts:
            yield self._contacts()

    def _contacts(self) -> Contacts:
        # a notice is read when it is read: whether the desk is open now says nothing
        return replace(contacts(self._policy.provider, self._subject.at, self._say), now="")


_TITLES = {
    Stage.DATE: mark("Port 25 is restricted from {day}: please change the settings of your mail program"),
    Stage.REMINDER: mark("Reminder: port 25 is restricted from {day}; please change the settings of your mail program"),
    Stage.IN_FORCE: mark("Port 25 has been restricted since {day}: what to do if you cannot send mail"),
}
_ANNOUNCEMENTS = {
    Stage.DATE: mark(
        "Against junk mail and viruses, {provider} restricts the sending of mail on port 25 (Outbound Port 25 "
        "Blocking, OP25B). The date is fixed: the restriction begins on {start}."
    ),
    Stage.REMINDER: mark(
        "As we have told you before, {provider} restricts the sending of mail on port 25 (Outbound Port 25 Blocking, "
        "OP25B) from {start} on. If you have not changed the settings of your mail program yet, please do so now."
    ),
    Stage.IN_FORCE: mark(
        "Against junk mail and viruses, {provider} has restricted the sending of mail on port 25 (Outbound Port 25 "
        "Blocking, OP25B) since {start}."
    ),
}
_NOTHING_AT_ALL = (
    mark("Mail programs and security software that are set to port 25 cannot send mail."),
    mark(
        "Once the restriction is in force, mail programs and security software that are set to port 25 can no longer "
        "send mail."
    ),
    mark("From {start} on, mail programs and security software that are set to port 25 can no longer send mail."),
)
_NOTHING_BUT_OTHERS = (
    mark("Mail cannot be sent on port 25 through sending servers that are not ours."),
    mark(
        "Once the restriction is in force, mail can no longer be sent on port 25 through sending servers that are not "
        "ours."
    ),
    mark("From {start} on, mail can no longer be sent on port 25 through sending servers that are not ours."),
)
"""What happens to who changes nothing: now, once it is in force, from a date on."""
_ASSIGNMENTS = {
    Assignment.DYNAMIC: mark("The address is dynamic: it may be another one with each connection."),
    Assignment.STATIC: mark("The address is fixed."),
}
_USER_NAMES = {
    "pop-account": mark("The same as for receiving (POP), and the same password"),
    "mail-address": mark("Your mail address, and the password of the mailbox"),
    "issued": mark("User name and password that were issued for SMTP AUTH"),
}
