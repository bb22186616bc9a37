"""Statements by the driver's own cursor, within a transaction of a store: for thousands of rows a second."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

Row = tuple[Any, ...]


class Raw:
    """A cursor in the transaction of `connection`.

    Parameters are `?` on both databases: no statement has a `?` or `%` besides.
    """

    def __init__(self, connection: Connection) -> None:
        if not connection.in_transaction():
            # the driver knows nothing of SQLAlchemy's: on SQLite each statement would see a state of its own
            connection.begin()
        self.postgresql = connection.dialect.name == "postgresql"
        self._cursor: Any = connection.connection.cursor()

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """All rows of a query."""
        self._cursor.execute(self._written(sql), parameters)
        found: list[Row] = self._cursor.fetchall()
        return found

    def run(self, sql: str, *parameters: Any) -> int:
        """Run a statement; how many rows it changed."""
        self._cursor.execute(self._written(sql), parameters)
        changed: int = self._cursor.rowcount
        return changed

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """Run a statement for each row of parameters."""
        if rows:
            self._cursor.executemany(self._written(sql), rows)

    def given(self, **columns: type) -> str:
        """A table, as SQL, whose rows are one parameter, `packed`: a name and a type (str or int) for each column.

        Put it first and CROSS JOIN the rest: SQLite keeps that order, and looks each row up by index.
        """
        if self.postgresql:
            kinds = {str: "text", int: "bigint"}
            parts = [f"CAST(value->>{place} AS {kinds[kind]}) AS {name}" for place, (name, kind) in _placed(columns)]
            return f"(SELECT {', '.join(parts)} FROM json_array_elements(CAST(? AS json)) AS packed(value)) AS given"
        parts = [f"json_extract(value, '$[{place}]') AS {name}" for place, (name, _) in _placed(columns)]
        return f"(SELECT {', '.join(parts)} FROM json_each(?)) AS given"

    def _written(self, sql: str) -> str:
        return sql.replace("?", "%s") if self.postgresql else sql


def packed(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as the parameter that `Raw.given` takes."""
    return json.dumps([list(row) for row in rows])


def _placed(columns: dict[str, type]) -> Iterable[tuple[int, tuple[str, type]]]:
    return enumerate(columns.items())
