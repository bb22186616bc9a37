"""From a path in the policy (`("pools", 3, "prefixes", 0)`) to its line and column in the file.

The file is parsed a second time for this, by tree-sitter, and only when there is a fault to report: a good
file of any size costs nothing here.
"""

from __future__ import annotations

import tomllib
from functools import cached_property

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, both from 1, the column in characters."""

_KEYS = ("bare_key", "quoted_key", "dotted_key")


class Positions:
    """Places of keys and values of a text that is good TOML. A path that is not there gets its nearest parent's."""

    def __init__(self, text: str) -> None:
        # a lone surrogate has no bytes; "?" keeps the columns right
        self._source = text.encode("utf-8", errors="replace")

    def value(self, path: Path) -> Place:
        """Where the value is; of a table written with a header, where the header is."""
        return self._nearest(self._index[1], path)

    def key(self, path: Path) -> Place:
        """Where the key is; of an element of a list, where the element is."""
        return self._nearest(self._index[0], path)

    def _nearest(self, places: dict[Path, Node], path: Path) -> Place:
        keys, values = self._index
        if path in places:
            return self._place(places[path])
        while path:
            path = path[:-1]
            node = values.get(path) or keys.get(path)
            if node is not None:
                return self._place(node)
        return 1, 1

    def _place(self, node: Node) -> Place:
        row, column = node.start_point
        return row + 1, len(self._lines[row][:column].decode("utf-8", errors="replace")) + 1

    @cached_property
    def _lines(self) -> list[bytes]:
        return self._source.split(b"\n")

    @cached_property
    def _index(self) -> tuple[dict[Path, Node], dict[Path, Node]]:
        index = _Index()
        index.document(Parser(Language(tree_sitter_toml.language())).parse(self._source).root_node)
        return index.keys, index.values


class _Index:
    """The walk over the tree. Arrays of tables are counted as their headers come by."""

    def __init__(self) -> None:
        self.keys: dict[Path, Node] = {}
        self.values: dict[Path, Node] = {}
        self._counts: dict[Path, int] = {}

    def document(self, root: Node) -> None:
        for node in root.named_children:
            if node.type == "pair":
                self._pair((), node)
            elif node.type in ("table", "table_array_element"):
                self._table(node)

    def _table(self, node: Node) -> None:
        header = next((child for child in node.named_children if child.type in _KEYS), None)
        if header is None:
            return
        *parents, last = _parts(header)
        path: Path = ()
        for part in parents:
            path = self._latest((*path, part))
        path = (*path, last)
        if node.type == "table_array_element":
            self.keys.setdefault(path, node)
            self.values.setdefault(path, node)
            self._counts[path] = self._counts.get(path, -1) + 1
            path = self._latest(path)
        self.keys[path] = self.values[path] = node
        for child in node.named_children:
            if child.type == "pair":
                self._pair(path, child)

    def _latest(self, path: Path) -> Path:
        return (*path, self._counts[path]) if path in self._counts else path

    def _pair(self, table: Path, node: Node) -> None:
        inside = [child for child in node.named_children if child.type != "comment"]
        if len(inside) < 2 or inside[0].type not in _KEYS:
            return
        path = table
        for part in _parts(inside[0]):
            path = (*path, part)
            # for a.b = 1 the table a has no other place than here
            self.keys.setdefault(path, inside[0])
            self.values.setdefault(path, inside[0])
        self._value(path, inside[-1])

    def _value(self, path: Path, node: Node) -> None:
        self.values[path] = node
        self.keys.setdefault(path, node)
        inside = [child for child in node.named_children if child.type != "comment"]
        if node.type == "inline_table":
            for child in inside:
                self._pair(path, child)
        elif node.type == "array":
            for number, child in enumerate(inside):
                self._value((*path, number), child)


def _parts(node: Node) -> list[str]:
    """The parts of a key as TOML reads them: bare, quoted, dotted."""
    if node.type == "dotted_key":
        return [part for child in node.named_children for part in _parts(child)]
    text = (node.text or b"").decode("utf-8", errors="replace")
    if node.type == "quoted_key":
        return list(tomllib.loads(f"{text} = 0"))
    return [text]
