"""The tables of a policy file that are good by themselves, each with its path, for the checks between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from op25b.policy.credentials import Credentials
from op25b.policy.information import Information
from op25b.policy.model import (
    Exemption,
    Filter,
    OwnServer,
    Phase,
    Policy,
    Pool,
    Provider,
    Submission,
)
from op25b.policy.positions import Path
from op25b.policy.table import Table
from op25b.policy.terms import ExemptionTerms
from op25b.policy.watching import Watch

LISTS = ("own_servers", "pools", "phases", "exemptions")

T = TypeVar("T", bound=Table)
Placed = tuple[tuple[Path, T], ...]
"""Tables with their paths in the file."""


@dataclass(frozen=True)
class Parts:
    """What is left of a policy when its faulty tables are taken away. `document` is the file as it was read."""

    document: dict[str, Any]
    provider: Provider | None
    filter: Filter
    submission: Submission
    exemption_terms: ExemptionTerms
    watch: Watch
    information: Information
    credentials: Credentials
    own_servers: Placed[OwnServer]
    pools: Placed[Pool]
    phases: Placed[Phase]
    exemptions: Placed[Exemption]
    faulty: frozenset[str]
    """Keys of the file under which something was taken away."""

    @classmethod
    def of(cls, document: dict[str, Any], policy: Policy | None, faulty: set[Path]) -> Parts:
        """The parts of a good policy (with nothing faulty), or of a document without the tables at `faulty`."""

        def placed(key: str, kind: type[T]) -> Placed[T]:
            if policy is not None:
                return tuple(((key, number), table) for number, table in enumerate(getattr(policy, key)))
            if (key,) in faulty:
                return ()
            return tuple(
                ((key, number), _valid(kind, table))
                for number, table in enumerate(document.get(key, ()))
                if (key, number) not in faulty
            )

        def single(key: str, kind: type[T]) -> T:
            return _valid(kind, {} if (key,) in faulty else document.get(key, {}))

        return cls(
            document,
            provider=None if ("provider",) in faulty else single("provider", Provider),
            filter=single("filter", Filter),
            submission=single("submission", Submission),
            exemption_terms=single("exemption_terms", ExemptionTerms),
            watch=single("watch", Watch),
            information=single("information", Information),
            credentials=single("credentials", Credentials),
            own_servers=placed("own_servers", OwnServer),
            pools=placed("pools", Pool),
            phases=placed("phases", Phase),
            exemptions=placed("exemptions", Exemption),
            faulty=frozenset(str(path[0]) for path in faulty),
        )

    def said(self, table: str, key: str) -> list[str]:
        """The texts written under `key` in each table of a list, good or faulty: what a name may refer to."""
        return [value for _, value in self.texts(table, key)]

    def count(self, table: str) -> int:
        """How many tables a list has, good and faulty."""
        tables = self.document.get(table, [])
        return len(tables) if isinstance(tables, list) else 0

    def texts(self, table: str, key: str) -> Iterator[tuple[Path, str]]:
        """As `said`, each with the path of its table."""
        tables = self.document.get(table)
        for number, item in enumerate(tables if isinstance(tables, list) else ()):
            if isinstance(item, dict) and isinstance(item.get(key), str):
                yield (table, number), item[key]


def _valid(kind: type[T], table: Any) -> T:
    return kind.model_validate(table, by_alias=True, by_name=False)
