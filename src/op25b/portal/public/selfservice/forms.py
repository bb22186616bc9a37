"""Fields of a form: what each takes, and what is said beside the one that was filled in wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from op25b.answers.speech import mark
from op25b.policy.model import Brand
from op25b.portal.web.forms import narrow
from op25b.subscribers import names


class Said(NamedTuple):
    """A message, with what goes into it."""

    message: str
    values: Mapping[str, str] = {}


@dataclass(frozen=True)
class Field:
    """One field. `missing`: what is said if it is empty; without it, it may be. `longest`: characters."""

    name: str
    label: str
    missing: str = ""
    hint: str = ""
    type: Literal["text", "email", "password", "lines"] = "text"
    autocomplete: str = "off"
    longest: int = 200


@dataclass
class Filled:
    """What a visitor wrote, and what is wrong with it, by field. `notice`: what is said of the form as a whole."""

    values: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Said] = field(default_factory=dict)
    notice: Said | None = None

    def value(self, name: str) -> str:
        """What to show again in a field."""
        return self.values.get(name, "")


ADDRESS = Field(
    "address",
    mark("Mail address"),
    mark("Please write your mail address."),
    type="email",
    autocomplete="email",
    longest=254,
)
NAME = Field("name", mark("Name"), mark("Please write your name."), autocomplete="name")


def read(fields: Sequence[Field], posted: Mapping[str, str]) -> Filled:
    """The fields of a form as they were sent; those that it does not have are left out."""
    filled = Filled({each.name: posted.get(each.name, "") for each in fields})
    for each in fields:
        text = filled.values[each.name]
        if not text and each.missing:
            filled.faults[each.name] = Said(each.missing)
        elif len(text) > each.longest:
            fault = mark("This is too long. Please use {longest} characters at most.")
            filled.faults[each.name] = Said(fault, {"longest": str(each.longest)})
        elif not (text.replace("\n", " ") if each.type == "lines" else text).isprintable():
            # a line's end above all: what is written here may come to stand in a header or a command
            filled.faults[each.name] = Said(mark("This holds a character that cannot be used here."))
    return filled


def mail_address(filled: Filled, name: str, brand: Brand | None = None) -> str:
    """A mail address as `names.sender` gives it, of a domain of the brand; what is wrong with it goes into `filled`."""
    text = narrow(filled.values[name])
    if name in filled.faults:
        return ""
    try:
        address = names.sender(text)
    except ValueError:
        address = ""
    local, _, domain = address.rpartition("@")
    if not local or "." not in domain:
        filled.faults[name] = Said(mark("This is not a mail address. Please write it in full, as in taro@example.jp."))
        return ""
    if brand is not None and not any(domain == each or domain.endswith(f".{each}") for each in brand.domains):
        listed = ", ".join(f"@{each}" for each in brand.domains)
        filled.faults[name] = Said(
            mark("This page is for addresses that end in {domains}. Please use the page for your address."),
            {"domains": listed},
        )
    return address


def ticked(filled: Filled, posted: Mapping[str, str], name: str, missing: str) -> bool:
    """Whether a box that must be ticked is; else `missing` is said beside it."""
    if posted.get(name) == "yes":
        filled.values[name] = "yes"
        return True
    filled.faults[name] = Said(missing)
    return False
