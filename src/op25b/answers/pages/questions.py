"""Questions and answers, made from the policy: a question is there only where it has an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from op25b.answers.blocks import Block, Bullets, Link, Page, Paragraph, Question, Section
from op25b.answers.causes import no_pop_before_smtp
from op25b.answers.naming import distinct
from op25b.answers.pages import about, affected, avoid
from op25b.answers.pages.subject import Subject
from op25b.answers.phases import in_time, not_fixed
from op25b.answers.reply import as_mail_program, others_submission, pop_first, reply
from op25b.answers.situation import Server, Situation, Uses, answer
from op25b.policy import scope
from op25b.policy.information import OfferKind
from op25b.policy.model import PopBeforeSmtp
from op25b.policy.reasons import Reason


def page(subject: Subject) -> Page:
    """Claims F1, F7, I3 to I6, I11 to I17, L3 to L13, S8 to S11."""
    say = subject.say
    sections = (
        Section("about", say("About OP25B"), tuple(_about(subject))),
        Section("who", say("Who is affected, and from when"), tuple(_who(subject))),
        Section("remedies", say("What can be done"), tuple(_remedies(subject))),
        Section("smtp-auth", say("SMTP AUTH and passwords"), tuple(_smtp_auth(subject))),
    )
    return Page("questions", say("Questions and answers"), sections)


def _asked(key: str, question: str, blocks: Iterable[Block]) -> Iterator[Question]:
    """A question with something to answer."""
    found = tuple(blocks)
    if found:
        yield Question(key, question, found)


def _about(subject: Subject) -> Iterator[Question]:
    say = subject.say
    what = (Paragraph(about.definition(subject)), Paragraph(about.reading(say)), Link(say("Glossary"), page="glossary"))
    yield from _asked("what", say("What is Outbound Port 25 Blocking (OP25B)?"), what)
    yield from _asked("why", say("Why is it done?"), about.reasons(subject))
    yield from _asked("junk-mail", say("Will I receive less junk mail?"), about.junk_mail(subject))


def _who(subject: Subject) -> Iterator[Question]:
    say, provider = subject.say, subject.provider
    yield from _asked("conditions", say("Under what conditions am I affected?"), affected.conditions(subject))
    yield from _asked("lines", say("Which lines are covered, and from when?"), affected.lines(subject))
    yield from _asked("deadline", say("By when must I change the settings?"), _deadline(subject))
    own = say("I use {provider}'s sending server. Am I affected?", provider=provider)
    yield from _asked("own-server", own, _own_server(subject))
    yield from _asked("left-out", say("Which lines are not covered?"), _left_out(subject))
    elsewhere = say("I use {provider}'s sending server over another provider's line. Am I affected?", provider=provider)
    yield from _asked("elsewhere", elsewhere, affected.elsewhere(subject))
    yield from _asked("webmail", say("I use webmail. Am I affected?"), _webmail(subject))
    for number, offer in enumerate(subject.policy.information.of(OfferKind.HOSTING)):
        if offer.line is not None:
            service = say("I use {service}. Am I affected?", service=say.pick(offer.name))
            yield from _asked(f"hosting-{number + 1}", service, _told(subject, Situation(uses=Uses.HOSTING)))
    inbound = say("Can my mail server at home still receive mail?")
    yield from _asked("inbound", inbound, (Paragraph(avoid.receiving(say)),))


def _told(subject: Subject, situation: Situation) -> Iterator[Block]:
    """The answer to a situation, without whom to ask."""
    told = answer(subject.judge, situation, subject.at)
    for section in reply(told, subject.policy, subject.say):
        if section.key in ("answer", "why"):
            yield from (block for block in section.blocks if isinstance(block, Paragraph))


def _deadline(subject: Subject) -> Iterator[Block]:
    """Claims I2, N3, N4."""
    say, at = subject.say, subject.at
    sentences: list[str] = []
    for phase in subject.policy.phases:
        state = scope.state(phase, at)
        if state is Reason.NOT_YET and phase.from_ is not None:
            start = say.start(phase.from_)
            sentences.append(say("The restriction begins on {start}. Please change them before that.", start=start))
            sentences.append(say("Customers who have not changed them by then cannot send mail on port 25."))
        elif state is Reason.ANNOUNCED:
            sentences.append(not_fixed(say))
        if state in (Reason.NOT_YET, Reason.ANNOUNCED):
            sentences += in_time(phase, at, say)
    yield from map(Paragraph, dict.fromkeys(sentences))


def _own_server(subject: Subject) -> Iterator[Block]:
    """Claims L4, N7, I8: by whether it stays open on 25."""
    say, provider = subject.say, subject.provider
    if subject.open_hosts:
        hosts = say.listed(subject.open_hosts)
        yield Paragraph(
            say(
                "No. Customers who send through {provider}'s sending server ({hosts}) are outside the restriction, and "
                "go on sending as before.",
                provider=provider,
                hosts=hosts,
            )
        )
        return
    yield Paragraph(
        say(
            "Yes, on a covered line, as long as port 25 is set. With the port changed to 587 mail goes out as before.",
        )
    )
    yield Link(say("How to go on sending mail"), page="avoid", section="own-server")


def _left_out(subject: Subject) -> Iterator[Block]:
    """Claims L5, F2, N5, I10."""
    say = subject.say
    lines = distinct(subject.left_out, subject.policy, say)
    if lines:
        yield Paragraph(say("These are not covered; with them you can go on sending mail as before."))
        yield Bullets(tuple(lines))


def _webmail(subject: Subject) -> Iterator[Block]:
    """Claims L8, S8."""
    say = subject.say
    yield from _told(subject, Situation(server=Server.OTHER, uses=Uses.WEBMAIL))
    own = subject.policy.information.of(OfferKind.WEBMAIL)
    if own:
        names = say.listed(say.pick(offer.name) for offer in own)
        yield Paragraph(say("The same goes for {service}.", service=names))
    yield Paragraph(as_mail_program(say))


def _remedies(subject: Subject) -> Iterator[Question]:
    say = subject.say
    yield from _asked("change", say("I am affected. What can I do?"), avoid.own(subject))
    yield from _asked("keep", say("I want to keep the sending server that I use now."), avoid.other(subject))
    home = say("I run a mail server at home, with dynamic DNS for example. Am I affected?")
    yield from _asked("home-server", home, avoid.home(subject, full=False))
    firewall = say("What if a firewall does not let port 587 through?")
    yield from _asked("firewall", firewall, avoid.firewall(subject))
    others = say("Can I connect to other providers' sending servers on port 587 too?")
    yield from _asked("others", others, (Paragraph(others_submission(say)),))
    no_auth = say("My mail program cannot do SMTP AUTH. What can I do?")
    yield from _asked("no-smtp-auth", no_auth, avoid.impossible(subject))
    no_port = say("The sending port of my mail program cannot be changed. What can I do?")
    yield from _asked("no-port-change", no_port, avoid.impossible(subject))
    if subject.policy.exemption_terms.offered and subject.policy.exemption_terms.prefix.own_domain:
        company = (
            Paragraph(affected.company(subject)),
            Link(say("Exemptions from the restriction"), page="exemptions"),
        )
        yield from _asked("company", say("Does it apply to a company's mail server too?"), company)


def _smtp_auth(subject: Subject) -> Iterator[Question]:
    say, policy = subject.say, subject.policy
    if policy.submission.pop_before_smtp is PopBeforeSmtp.REFUSED:
        required = say("Is SMTP AUTH required? Can POP before SMTP be used?")
        yield from _asked("required", required, (Paragraph(no_pop_before_smtp(say)),))
    else:
        outside = say("How do I send on port 25 from outside {provider}'s network?", provider=subject.provider)
        yield from _asked("outside", outside, (Paragraph(say.paragraph(pop_first(policy, say))),))
    account = say("What are the user name and the password for SMTP AUTH?")
    yield from _asked("account", account, (avoid.settings(subject), *avoid.credentials(subject)))
    if policy.credentials.self_service:
        lost = say("Is my POP password needed? I have lost it.")
        yield from _asked("lost", lost, _pop_password(subject))
    safe = say("Is the connection protected?")
    yield from _asked("protected", safe, (Paragraph(_protected(subject)),))


def _pop_password(subject: Subject) -> Iterator[Block]:
    yield Paragraph(subject.say("Yes, applying for SMTP AUTH needs your present POP password."))
    yield from avoid.lost(subject)


def _protected(subject: Subject) -> str:
    """Claim I7."""
    return subject.say(
        "Yes. {host} takes protected connections (TLS): with STARTTLS on port 587, and from the beginning on port 465.",
        host=subject.host,
    )
