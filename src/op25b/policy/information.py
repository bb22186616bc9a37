"""What the pages and the notices tell besides what follows from the pools and phases."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from op25b.policy.fields import web_address
from op25b.policy.table import Table, Words

Url = Annotated[str, AfterValidator(web_address)]


class Purpose(StrEnum):
    """A reason for the block, each with a sentence of its own (claims L11, F8, I4, S11)."""

    BYPASS = "bypass"
    TOGETHER = "together"
    ANONYMOUS_BULK = "anonymous-bulk"
    UNKNOWING_SENDER = "unknowing-sender"
    LEAKS = "leaks"
    SEPARATE_PORTS = "separate-ports"


class JunkMail(StrEnum):
    """What the block does to the junk mail that a customer receives (claims L12, S9, I3)."""

    UNCHANGED = "unchanged"
    INDIRECT = "indirect"
    SLIGHTLY_LESS = "slightly-less"


class OfferKind(StrEnum):
    JUNK_FILTER = "junk-filter"
    SECURITY_PRODUCT = "security-product"
    WEBMAIL = "webmail"
    HOSTING = "hosting"
    GUIDE = "guide"


class Offer(Table):
    """A service or a page of the provider that an answer points to (claims S8, S9, F9, N10)."""

    kind: Annotated[OfferKind, Field(strict=False)]
    name: Words
    url: Url | None = None
    line: str | None = None
    """The line that a hosting service runs on, as its pool says it: whether the service is affected follows."""


class Name(Words):
    """What a page calls a line, a region, a contract or the name of a pool."""

    word: str


class Information(Table):
    """What the provider says of the block on its pages and in its notices."""

    reasons: tuple[Annotated[Purpose, Field(strict=False)], ...] = Field(
        default=(Purpose.BYPASS, Purpose.TOGETHER, Purpose.ANONYMOUS_BULK, Purpose.UNKNOWING_SENDER), strict=False
    )
    """In the order in which they are given."""
    junk_mail: Annotated[JunkMail, Field(strict=False)] = JunkMail.UNCHANGED
    """The effect on the junk mail that a customer receives: the honest word on it."""
    jeag: bool = False
    """Whether the page mentions JEAG, the group of Japanese providers against abuse of mail (claim F9)."""
    offers: tuple[Offer, ...] = Field(default=(), strict=False)
    names: tuple[Name, ...] = Field(default=(), strict=False)
    """What pages call the words of pools; a word without a name is shown as it is."""

    def named(self, word: str) -> Words:
        """What pages call a word of a pool."""
        found = next((name for name in self.names if name.word == word), None)
        return Words(ja=found.ja, en=found.en) if found else Words(ja=word, en=word)

    def of(self, kind: OfferKind) -> tuple[Offer, ...]:
        """The offers of one kind, in the order of the file."""
        return tuple(offer for offer in self.offers if offer.kind is kind)
