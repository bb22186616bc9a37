"""Our own words for what the model refuses: each kind of pydantic error as what is wrong and what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from op25b.policy.faults import nearest
from op25b.policy.fields import quoted, shown
from op25b.policy.model import Policy
from op25b.policy.positions import Path
from op25b.policy.table import Table

EXAMPLES = {
    "provider": "a table [provider] with name, display and time_zone",
    "name": 'name = "example"',
    "display": 'display = { ja = "例", en = "Example" }',
    "ja": 'ja = "..."',
    "en": 'en = "..."',
    "time_zone": 'time_zone = "Asia/Tokyo"',
    "country": 'country = "JP"',
    "days": 'days = ["mon", "tue", "wed", "thu", "fri"]',
    "opens": "opens = 09:00:00",
    "closes": "closes = 17:45:00",
    "closed": 'closed = ["12-29/01-03"]',
    "kind": 'kind = "telephone"',
    "address": 'address = "support@mail.example"',
    "domains": 'domains = ["mail.example"]',
    "hosts": 'hosts = ["smtp.example.net"]',
    "addresses": 'addresses = ["192.0.2.25", "2001:db8::25"]',
    "ports": "ports = [25]",
    "submission_since": "submission_since = 2006-03-01",
    "prefixes": 'prefixes = ["192.0.2.0/24", "2001:db8::/32"]',
    "destinations": 'destinations = ["192.0.2.25"]',
    "line": 'line = "b-flets"',
    "region": 'region = "tokyo"',
    "contract": 'contract = "corporate"',
    "scope": 'scope = { lines = ["b-flets"] }, or scope = {} for everyone',
    "mode": 'mode = "enforce"',
    "from": "from = 2008-04-01T00:00:00+09:00",
    "until": "until = 2009-04-01T00:00:00+09:00",
    "review": "review = 2009-04-01",
    "reason": 'reason = "company mail server on its own addresses"',
    "expected": 'expected = { ja = "1月中旬", en = "mid-January" }',
    "fee": 'fee = { ja = "...", en = "..." }',
    "settings_period": "settings_period = { from = 2010-10-26T00:00:00+09:00, until = 2011-01-01T00:00:00+09:00 }",
    "lines": 'lines = ["b-flets"]',
    "regions": 'regions = ["tokyo"]',
    "assignments": 'assignments = ["dynamic"]',
    "contracts": 'contracts = ["corporate"]',
    "not_pools": 'not_pools = ["flets-tokyo"]',
    "not_lines": 'not_lines = ["b-flets"]',
    "not_regions": 'not_regions = ["tokyo"]',
    "not_contracts": 'not_contracts = ["corporate"]',
    "phases.pools": 'pools = ["flets-tokyo"]',
    "log_group": "log_group = 25",
    "log_rate": "log_rate = 1000",
    "pop_minutes": "pop_minutes = 10",
    "trace_days": "trace_days = 90",
    "own_servers.ports": "ports = [587, 465]",
    "pools.name": 'name = "flets-tokyo"',
    "phases.name": 'name = "flets-lines"',
    "own_servers.name": 'name = "mail"',
    "exemptions.name": 'name = "company-mail"',
    "pools": "[[pools]], one header for each pool",
    "phases": "[[phases]], one header for each phase",
    "own_servers": "[[own_servers]], one header for each server",
    "exemptions": "[[exemptions]], one header for each exemption",
    "brands": "[[provider.brands]], one header for each brand",
    "incoming": "[[provider.brands.incoming]], one header for each server",
    "incoming.kind": 'kind = "imap"',
    "host": 'host = "imap.example.net"',
    "port": "port = 993",
    "contacts": "[[provider.contacts]], one header for each contact",
    "hours": "a table [provider.hours]",
    "filter": "a table [filter]",
    "submission": "a table [submission]",
    "exemption_terms": "a table [exemption_terms]",
    "subscriber": "a table [exemption_terms.subscriber]",
    "prefix": "a table [exemption_terms.prefix]",
    "destination": "a table [exemption_terms.destination]",
    "approvers": 'approvers = ["hanako", "taro"]',
    "contact": 'contact = "support@mail.example"',
    "longest_days": "longest_days = 730",
    "review_days": "review_days = 365",
    "notice_days": "notice_days = 30",
    "most": "most = 500",
    "most_per_subscriber": "most_per_subscriber = 2",
    "second_person_above": "second_person_above = 16",
    "leases": "a table [leases]",
    "expire_hours": "expire_hours = 24",
    "leases.keep_days": "keep_days = 90",
    "information": "a table [information]",
    "reasons": 'reasons = ["bypass", "together"]',
    "offers": "[[information.offers]], one header for each offer",
    "names": "[[information.names]], one header for each word",
    "information.kind": 'kind = "junk-filter"',
    "information.name": 'name = { ja = "...", en = "..." }',
    "url": 'url = "https://www.example.net/support/"',
    "word": 'word = "b-flets"',
    "credentials": "a table [credentials]",
    "doctor": "a table [doctor]",
    "others": "[[doctor.others]], one header for each server",
    "doctor.host": 'host = "mx.example.net"',
    "reissue": "a table [credentials.reissue]",
    "free": "free = { from = 2008-03-24T00:00:00+09:00, until = 2008-05-01T00:00:00+09:00 }",
}
"""What to write for a key, or for a key of one of the file's tables; all that must be there have one."""

_NOUNS = {
    "pools": "pool",
    "phases": "phase",
    "own_servers": "own server",
    "exemptions": "exemption",
    "brands": "brand",
    "incoming": "incoming server",
    "contacts": "contact",
    "offers": "offer",
    "names": "name",
    "others": "server",
}


@dataclass(frozen=True)
class Refused:
    """One value that the model refuses. `context` is what pydantic says besides the value."""

    path: Path
    value: object
    context: Mapping[str, Any]
    table: str

    @property
    def key(self) -> str:
        return next(part for part in reversed(self.path) if isinstance(part, str))

    @property
    def element(self) -> bool:
        return isinstance(self.path[-1], int)

    @property
    def subject(self) -> str:
        return f"{shown(self.value)} in {self.key}" if self.element else f"{self.key} is {shown(self.value)}"

    def write(self, value: str) -> str:
        return f"write {value}" if self.element else f"write {self.key} = {value}"

    def example(self) -> str:
        tables = [part for part in self.path[:-1] if isinstance(part, str)]
        named = (EXAMPLES.get(f"{table}.{self.key}") for table in reversed(tables))
        found = next(filter(None, named), None) or EXAMPLES.get(self.key)
        return f"write {found}" if found else f"see {self.key} in the reference"


def table_name(path: Path, document: object) -> str:
    """The table at `path` as a person calls it: `pool 'tokyo'`, `[provider.hours]`, `phase 'all', scope`."""
    said = ""
    keys: list[str] = []
    for part in path:
        document = _inside(document, part)
        if isinstance(part, int):
            name = document.get("name") if isinstance(document, dict) else None
            noun = _NOUNS.get(keys[-1], keys[-1]) if keys else "table"
            said, keys = f"{noun} {shown(name) if isinstance(name, str) else f'number {part + 1}'}", []
        else:
            keys.append(part)
    if said:
        return ", ".join([said, *keys])
    return f"[{'.'.join(keys)}]" if keys else "the file"


def _inside(value: object, part: str | int) -> object:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None


def table_class(path: Path) -> type[Table] | None:
    """The class of the model for the table at `path`."""
    found: type[Table] | None = Policy
    for part in path:
        if isinstance(part, str) and found is not None:
            found = next(
                (
                    _table_in(field.annotation)
                    for name, field in found.model_fields.items()
                    if part == (field.alias or name)
                ),
                None,
            )
    return found


def _table_in(annotation: Any) -> type[Table] | None:
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return annotation
    return next((found for part in get_args(annotation) if (found := _table_in(part))), None)


def words(kind: str, refused: Refused) -> tuple[str, str]:
    """What is wrong and what to write instead, for a pydantic error of type `kind`."""
    if kind in _WORDS:
        return _WORDS[kind](refused)
    return f"{refused.subject}, which does not fit", refused.example()


def _missing(refused: Refused) -> tuple[str, str]:
    return f"{refused.table} has no {refused.key}", refused.example()


def _unknown(refused: Refused) -> tuple[str, str]:
    what = f"unknown key {shown(refused.key)} in {refused.table}"
    model = table_class(refused.path[:-1])
    known = [field.alias or name for name, field in model.model_fields.items()] if model else []
    near = nearest(refused.key, known)
    return what, f"write {near}, or take it out" if near else f"take it out; known keys are {', '.join(known)}"


def _own(refused: Refused) -> tuple[str, str]:
    what, _, mend = str(refused.context["error"]).partition("; ")
    return f"{refused.key}: {what}", mend


def _text(refused: Refused) -> tuple[str, str]:
    if isinstance(refused.value, dict | list):
        return f"{refused.subject}, not a text", refused.write('"..."')
    return f"{refused.subject}, not a text", refused.write(f'"{shown(refused.value)}"')


def _list(refused: Refused) -> tuple[str, str]:
    value = refused.value
    if table_class(refused.path) is not None:
        return f"{refused.key} is not a list of tables", refused.example()
    inside = quoted(value) if isinstance(value, str) else shown(value)
    if isinstance(value, dict):
        return f"{refused.subject}, not a list", refused.example()
    return f"{refused.subject}, not a list", refused.write(f"[{inside}]")


def _table(refused: Refused) -> tuple[str, str]:
    if isinstance(refused.value, list) and refused.value and isinstance(refused.value[0], dict):
        header = ".".join(str(part) for part in refused.path if isinstance(part, str))
        return f"{refused.key} is a list of tables, and there is only one", f"write [{header}]"
    return f"{refused.subject}, not a table", refused.example()


def _number(refused: Refused) -> tuple[str, str]:
    digits = re.fullmatch(r"'?(\d{1,9})(?:\.0+)?'?", shown(refused.value))
    return f"{refused.subject}, not a whole number", refused.write(digits[1]) if digits else refused.example()


def _yes_or_no(refused: Refused) -> tuple[str, str]:
    meant = "true" if str(refused.value).lower() in ("true", "yes", "on", "1") else "false"
    return f"{refused.subject}, not true or false", refused.write(meant)


def _time(refused: Refused) -> tuple[str, str]:
    found = re.fullmatch(r"'?([01]?\d|2[0-3])(?:[:.]([0-5]\d)(?::\d\d)?)?'?", shown(refused.value))
    meant = f"{int(found[1]):02d}:{found[2] or '00'}:00" if found else "09:00:00"
    return f"{refused.subject}, not a time of day", f"{refused.write(meant)}, without quotes"


def _date(refused: Refused) -> tuple[str, str]:
    found = re.match(r"\d{4}-[01]\d-[0-3]\d", shown(refused.value).strip("'"))
    return f"{refused.subject}, not a date", f"{refused.write(found[0] if found else '2009-04-01')}, without quotes"


def _one_of(refused: Refused) -> tuple[str, str]:
    known = re.findall(r"'([^']*)'", str(refused.context["expected"]))
    near = nearest(refused.value, known) if isinstance(refused.value, str) else None
    others = ", ".join(f'"{word}"' for word in known if word != near)
    if near:
        quoted = f'"{near}"'
        return f"{refused.subject}, which is not known", f"{refused.write(quoted)} (or {others})"
    return f"{refused.subject}, which is not known", f"write one of {others}"


def _empty(refused: Refused) -> tuple[str, str]:
    return f"{refused.key} is empty", refused.example()


def _bounds(refused: Refused) -> tuple[str, str]:
    (kind, bound), *_ = refused.context.items()
    return f"{refused.subject}, out of range", f"{refused.write(str(bound))} or {'more' if kind == 'ge' else 'less'}"


_WORDS: dict[str, Callable[[Refused], tuple[str, str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "value_error": _own,
    "string_type": _text,
    "tuple_type": _list,
    "model_type": _table,
    "int_type": _number,
    "bool_type": _yes_or_no,
    "time_type": _time,
    "date_type": _date,
    "enum": _one_of,
    "literal_error": _one_of,
    "too_short": _empty,
    "string_too_short": _empty,
    "greater_than_equal": _bounds,
    "less_than_equal": _bounds,
}
