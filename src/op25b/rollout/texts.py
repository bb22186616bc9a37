"""The texts of one notice for each who gets it: made once for all who read the same. Pure but for the templates."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from op25b.answers.blocks import Page
from op25b.answers.speech import LANGUAGES, Language
from op25b.policy.fields import SUBDOMAIN
from op25b.policy.model import Policy
from op25b.rollout import rendering
from op25b.rollout.content import Subject, page
from op25b.rollout.mail import Rendered
from op25b.rollout.recipients import Person
from op25b.rollout.rendering import Letterhead, Sheet, Speakers


class Texts:
    """Of one notice. `portal`: the address of the provider's pages, if there are any."""

    def __init__(self, subject: Subject, speakers: Speakers, portal: str | None) -> None:
        self._subject, self._speakers = subject, speakers
        display, at = subject.policy.provider.display, subject.at
        self.head = Letterhead({each: speakers[each].pick(display) for each in LANGUAGES}, portal)
        self.day = {each: speakers[each].day(at.astimezone(speakers[each].zone).date()) for each in LANGUAGES}
        # a page for each sub-domain of customers' addresses at most; the bound is for hostile lists
        self._page = lru_cache(maxsize=1024)(self._made_page)
        self._mail = lru_cache(maxsize=1024)(self._made_mail)

    def mail(self, person: Person) -> Rendered:
        return self._mail(person.languages, sub_domain(self._subject.policy, person.email))

    def sheet(self, person: Person) -> Sheet:
        """A letter, or a fax if there is a number."""
        part = sub_domain(self._subject.policy, person.email)
        pages = {language: self._page(language, part) for language in person.languages}
        say = self._speakers[person.languages[0]]
        name = say("{name}", name=person.name) if person.name else ""
        if say.language == "ja":
            lines = (f"〒{person.postal_code}" if person.postal_code else "", *person.address, name)
        else:
            lines = (name, *person.address, person.postal_code)
        return Sheet(pages, name, [line for line in lines if line], person.fax)

    def paper(self, way: str, person: Person) -> str:
        """A fax or a letter, as HTML for print."""
        made = rendering.fax if way == "fax" else rendering.letter
        return made(self.sheet(person), self.head, self._speakers, self.day)

    def _made_page(self, language: Language, part: str | None) -> Page:
        subject = replace(self._subject, policy=_filled(self._subject.policy, part))
        return page(subject, self._speakers[language])

    def _made_mail(self, languages: tuple[Language, ...], part: str | None) -> Rendered:
        return rendering.mail({each: self._page(each, part) for each in languages}, self.head, self._speakers)


def sub_domain(policy: Policy, email: str) -> str | None:
    """That of a customer's address, on which the name of the sending server depends (claim S7)."""
    if not any(SUBDOMAIN in host for server in policy.own_servers for host in server.hosts):
        return None
    domain = email.rpartition("@")[2].lower()
    for own in (own.lower() for brand in policy.provider.brands for own in brand.domains):
        part = domain.removesuffix(f".{own}")
        if part != domain and "." not in part:
            return part
    return None


def _filled(policy: Policy, part: str | None) -> Policy:
    """The policy as it is for customers of one sub-domain."""
    if part is None:
        return policy
    servers = [
        server.model_copy(update={"hosts": tuple(host.replace(SUBDOMAIN, part) for host in server.hosts)})
        for server in policy.own_servers
    ]
    return policy.model_copy(update={"own_servers": tuple(servers)})
