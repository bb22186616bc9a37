"""The answer to a person's situation in words: affected or not, why, what to do in order, whom to ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from op25b.answers import reasons
from op25b.answers.blocks import Block, Definitions, Link, Paragraph, Section, Steps
from op25b.answers.contacts import contacts
from op25b.answers.naming import called, distinct
from op25b.answers.remedies import advice
from op25b.answers.situation import Affected, Answer, Case, Server, Symptom, Uses
from op25b.answers.speech import Speaker
from op25b.policy.model import Policy
from op25b.policy.reasons import Reason, Remedy
from op25b.policy.verdict import SMTP


def reply(answer: Answer, policy: Policy, say: Speaker) -> tuple[Section, ...]:
    """Sections `answer`, `why`, `do` and `ask`; a section with nothing to say is left out."""
    teller = _Teller(answer, policy, say)
    sections = (
        Section("answer", say("The answer"), tuple(teller.answer())),
        Section("why", say("Why"), tuple(teller.why())),
        Section("do", say("What you can do"), tuple(teller.what_to_do())),
        Section("ask", say("Whom to ask"), (contacts(policy.provider, answer.at, say),)),
    )
    needless = {"ask"} if answer.affected is Affected.NO and not answer.remedies else set()
    return tuple(section for section in sections if section.blocks and section.key not in needless)


@dataclass(frozen=True)
class _Teller:
    told: Answer
    policy: Policy
    say: Speaker

    @property
    def provider(self) -> str:
        return self.say.pick(self.policy.provider.display)

    def answer(self) -> Iterator[Block]:
        """The short of it; when it depends, on what."""
        say, case = self.say, self.told.case
        if self._several:
            yield Paragraph(self._depends())
            yield Definitions(tuple(self._groups()))
            return
        if self.told.affected is Affected.DEPENDS:
            yield Paragraph(say("That depends on the provider of the line that you use."))
        elif self.told.affected is Affected.YES:
            yield Paragraph(say("The restriction affects you: mail cannot be sent in this way."))
        elif self.told.affected is Affected.LATER:
            yield Paragraph(say("The restriction does not affect you yet, but it will."))
        else:
            yield Paragraph(say("The restriction does not affect you."))
        when = self._when(case)
        if when:
            yield Paragraph(say.paragraph(when))

    @property
    def _several(self) -> bool:
        """Whether the situation may mean several cases, and they fare differently."""
        return self.told.affected is Affected.DEPENDS and len(self.told.cases) > 1

    def _depends(self) -> str:
        say, cases = self.say, self.told.cases
        if len({case.destination for case in cases}) == 1:
            return say("It depends on your line.")
        if len({case.source for case in cases}) == 1:
            return say("It depends on the sending server.")
        return say("It depends on your line and your sending server.")

    def _groups(self) -> Iterator[tuple[str, str]]:
        """Which of the possible lines, or servers, fare how."""
        say = self.say
        heads = {
            Affected.YES: say("Affected"),
            Affected.LATER: say("Affected later"),
            Affected.NO: say("Not affected"),
        }
        for affected, head in heads.items():
            found = [self._label(case) for case in self.told.cases if case.affected is affected]
            if found:
                yield head, say.listed(dict.fromkeys(found))

    def _label(self, case: Case) -> str:
        """What tells this case from the others."""
        say, cases = self.say, self.told.cases
        line = called(self.policy.pools[case.source.pool], self.policy, say)
        if len({each.destination for each in cases}) == 1:
            return line
        host = say.host(self.policy.own_servers[case.destination.server].hosts[0])
        if len({each.source for each in cases}) == 1:
            return host
        return say("{line} with {host}", line=line, host=host)

    def _when(self, case: Case) -> list[str]:
        """Since when, or from when; for the worst case of several."""
        say = self.say
        found = reasons.when(case, self.told.at, self.provider, say)
        if case.verdict.reason is Reason.EXEMPT:
            if case.from_ is None:
                return [say("An exemption from the restriction holds here.")]
            return [
                say(
                    "An exemption from the restriction holds here until {end}. After that, mail cannot be sent on port "
                    "25 from this line.",
                    end=say.start(case.from_),
                )
            ]
        if not found and case.from_ is not None:
            return [
                say(
                    "From {start}, {provider} restricts sending on port 25 from this line.",
                    start=say.start(case.from_),
                    provider=self.provider,
                )
            ]
        return found

    def why(self) -> Iterator[Block]:
        """The reason, then both conditions and which of them is false (claims L3, F3, S4)."""
        case, say = self.told.case, self.say
        if self._several:
            yield Paragraph(reasons.who(self.policy, say))
            return
        yield Paragraph(say.paragraph(reasons.why(case, self._line(), self.policy, self.told.situation, say)))
        if case.port != SMTP or case.source.pool < 0 or self.told.situation.uses is Uses.HOSTING:
            return
        if len({each.line for each in self.told.cases}) > 1:
            yield Paragraph(reasons.who(self.policy, say))
            return
        yield Definitions(tuple(reasons.conditions(case, self._line(), self.policy, say)))
        if case.line and case.server and case.affected in (Affected.YES, Affected.LATER):
            yield Paragraph(say("Both conditions hold."))
        elif not (case.line and case.server):
            yield Paragraph(say("Only those who meet both conditions are affected."))

    def _line(self) -> str:
        """What the lines are called that the situation may mean."""
        pools = [self.policy.pools[case.source.pool] for case in self.told.cases if case.source.pool >= 0]
        return self.say.listed(distinct(pools, self.policy, self.say))

    def what_to_do(self) -> Iterator[Block]:
        """Remedies in order, after what the program or the symptom asks for first."""
        say, told = self.say, self.told
        tried = next((case.destination.server for case in told.cases if case.destination.server >= 0), -1)
        server = self.policy.own_servers[tried] if tried >= 0 else None
        if self._several:
            yield Paragraph(say("If you are affected:"))
        steps = [*self._first()]
        for remedy, sentences in zip(
            self._wanted(), advice(self._wanted(), self.policy, server, told.at, say), strict=True
        ):
            if remedy is Remedy.ASK_THEIR_OPERATOR and steps:
                steps[-1] = [*steps[-1], *sentences]
            else:
                steps.append(sentences)
        if len(steps) > 1:
            yield Steps(tuple(map(say.paragraph, steps)))
        else:
            yield from (Paragraph(say.paragraph(sentences)) for sentences in steps)
        if told.situation.symptom is Symptom.NO_SUBMISSION and told.situation.server is Server.OTHER:
            yield Paragraph(others_submission(say))
        if told.situation.uses is Uses.WEBMAIL:
            yield Paragraph(as_mail_program(say))
        yield from self._more()

    def _more(self) -> Iterator[Block]:
        """Where the remedies are told at length."""
        say, remedies, uses = self.say, self.told.remedies, self.told.situation.uses
        if Remedy.USE_OWN_SUBMISSION in remedies and uses in (Uses.MAIL_PROGRAM, Uses.SECURITY_SOFTWARE):
            yield Link(say("Settings of your mail program, step by step"), page="setup")
        if Remedy.USE_SMART_HOST in remedies:
            yield Link(say("Samples for common mail servers"), page="avoid", section="home-server")
        if Remedy.REQUEST_EXEMPTION in remedies:
            yield Link(say("Exemptions from the restriction"), page="exemptions")

    def _wanted(self) -> tuple[Remedy, ...]:
        """Support is named under whom to ask; but after the network's administrator it is a step (claim I11)."""
        if Remedy.ASK_NETWORK_ADMINISTRATOR in self.told.remedies:
            return self.told.remedies
        return tuple(remedy for remedy in self.told.remedies if remedy is not Remedy.CONTACT_SUPPORT)

    def _first(self) -> Iterator[list[str]]:
        say, told = self.say, self.told
        if told.read_mail_first:
            yield pop_first(self.policy, say)
        if told.situation.symptom is Symptom.NO_SMTP_AUTH and told.remedies:
            yield [say("Please change to a mail program that supports SMTP AUTH; nearly all of today's do.")]
        if told.situation.symptom is Symptom.NO_PORT_CHANGE and told.remedies:
            yield [say("Please change to a mail program in which the sending port can be set; nearly all allow it.")]
        if told.situation.uses is Uses.SECURITY_SOFTWARE and told.remedies:
            yield [security_software(say)]
        if told.situation.uses is Uses.HOME_SERVER and told.case.affected in (Affected.YES, Affected.LATER):
            yield [no_direct_delivery(say)]


def pop_first(policy: Policy, say: Speaker) -> list[str]:
    """Claim S6, in words."""
    minutes = str(policy.submission.pop_minutes)
    provider = say.pick(policy.provider.display)
    return [
        say(
            "From outside {provider}'s network, port 25 of the sending server can be used only within {minutes} "
            "minutes after receiving mail from the same line (POP before SMTP).",
            provider=provider,
            minutes=minutes,
        ),
        say("Please receive mail first and then send, or use port 587 with SMTP AUTH, which does not need this."),
    ]


def security_software(say: Speaker) -> str:
    """Claim N7."""
    return say(
        "Security software that checks the mail you send has a sending port of its own; please change it from 25 to "
        "587 as well."
    )


def no_direct_delivery(say: Speaker) -> str:
    """Claims F5, S5, I8."""
    return say(
        "From a covered line, a mail server at home (with dynamic DNS too) cannot send mail directly to other mail "
        "servers."
    )


def others_submission(say: Speaker) -> str:
    """Claim I12."""
    return say(
        "Whether another provider's sending server takes port 587 is for that provider to say. Rental servers and "
        "services that are meant for webmail only, in particular, may not take it."
    )


def as_mail_program(say: Speaker) -> str:
    """Claim L8: the second half."""
    return say(
        "When you use the same account from a mail program in which a sending server is set, it counts like any other "
        "mail program."
    )
