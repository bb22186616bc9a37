"""Loading: each refused file with exactly its messages, warnings of accepted ones, and any text at all."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from op25b.policy import load as loading
from op25b.policy.faults import Fault
from op25b.policy.intervals import Prefix
from op25b.policy.load import Loaded, load
from op25b.policy.model import Policy, Pool, Table
from op25b.policy.overlap import overlaps
from op25b.policy.positions import Path as KeyPath
from op25b.policy.positions import Positions
from op25b.policy.syntax import decode, read
from op25b.policy.wording import EXAMPLES, table_class
from tests.support.examples import POLICIES

TESTS = Path(__file__).parents[1]
REFUSED = sorted((TESTS / "refused").glob("*.toml"))
ACCEPTED = sorted((TESTS / "golden" / "policy").glob("*.toml"))
EXAMPLE_TEXTS = [path.read_text("utf-8") for path in POLICIES]
FOREIGN_WORDS = ("Input should", "pydantic", "validator", "tuple", "None", "Error")


def load_file(data: bytes) -> Loaded:
    text = decode(data)
    return Loaded(None, (text,), ()) if isinstance(text, Fault) else load(text)


def messages(path: Path) -> str:
    loaded = load_file(path.read_bytes())
    return "".join(f"{fault}\n" for fault in sorted(loaded.errors + loaded.warnings))


def test_there_are_refused_files() -> None:
    assert len(REFUSED) >= 40


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.stem)
def test_refused(path: Path) -> None:
    loaded = load_file(path.read_bytes())
    assert loaded.policy is None
    assert loaded.errors
    assert messages(path) == path.with_suffix(".expected").read_text("utf-8")


@pytest.mark.parametrize("path", ACCEPTED, ids=lambda path: path.stem)
def test_accepted_with_warnings(path: Path) -> None:
    loaded = load_file(path.read_bytes())
    assert loaded.policy is not None
    assert messages(path) == path.with_suffix(".expected").read_text("utf-8")


def test_a_good_file_is_its_policy() -> None:
    good = load(EXAMPLE_TEXTS[0])
    assert (good.errors, good.warnings) == ((), ())
    assert good.policy == Policy.model_validate(tomllib.loads(EXAMPLE_TEXTS[0]))


def test_format() -> None:
    fault = Fault(3, 14, "mode is 'x'", 'write mode = "enforce"')
    assert fault.format("a/b.toml") == "a/b.toml:3:14: mode is 'x'; write mode = \"enforce\""
    warning = Fault(1, 1, "a hole", "close it", "warning")
    assert warning.format("b.toml") == "b.toml:1:1: warning: a hole; close it"


PATHS: dict[type[Table], KeyPath] = {}


def _fill(path: KeyPath) -> None:
    model = table_class(path)
    assert model is not None
    PATHS[model] = path
    for name, field in model.model_fields.items():
        if table_class((*path, field.alias or name)) is not None:
            _fill((*path, field.alias or name))


_fill(())


def test_every_required_key_has_an_example() -> None:
    required = {
        field.alias or name for model in PATHS for name, field in model.model_fields.items() if field.is_required()
    }
    assert len(PATHS) > 10
    assert required <= set(EXAMPLES)


WRONG: tuple[Any, ...] = (
    *("", "x", "ü" * 200, "\x1b[31m", "25", "true", "9:00", "2009-04-01", "192.0.2.1/24", "{x}"),
    *(0, -1, 10**30, 1.5, float("nan"), True, False),
    *(date(2009, 4, 1), datetime(2009, 4, 1), datetime(1, 1, 1, tzinfo=UTC), time(9)),  # noqa: DTZ001
    *([], [[]], [{}], ["x"], [1], {}, {"x": {}}),
)


def places(value: object, path: KeyPath = ()) -> list[KeyPath]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inside for found in places(item, (*path, key)))]


def replaced(value: Any, path: KeyPath, new: object) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("text", [EXAMPLE_TEXTS[0], EXAMPLE_TEXTS[3], EXAMPLE_TEXTS[5]])
def test_every_wrong_value_has_words_of_its_own(text: str) -> None:
    """Any value in the place of any other is refused in our own words, or taken; never in the checker's."""
    document = tomllib.loads(text)
    where = Positions(text)
    for path, wrong in product(places(document)[1:], WRONG):
        changed = replaced(document, path, wrong)
        _, refused = loading._validate(changed)
        for error in refused:
            fault = loading._fault(error, changed, where)
            assert "does not fit" not in fault.what, (path, wrong)
            assert "the reference" not in fault.mend, (path, wrong)
            assert not any(word in str(fault) for word in FOREIGN_WORDS), fault
            assert str(fault).isprintable(), fault
            assert fault.what
            assert fault.mend


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """An example with slices taken out, doubled, moved, or replaced."""
    text = draw(st.sampled_from(EXAMPLE_TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        new = draw(st.sampled_from(("", text[start:end] * 2, "[", "]", '"', "\n", "{", "}", "=", ",", "'''", "x", "#")))
        text = text[:start] + (new if draw(st.booleans()) else draw(st.text(max_size=8))) + text[end:]
    return text


@given(mutated())
@example("a" * 3 + "=" + "[" * 2000)
@example("x = " + "9" * 5000)
@example("x = 0x" + "f" * 9000)
@example('provider = { "\\uD800" = 1 }')
@example("\ud800 = 1")
@example("[provider]\nname = 5\n[provider.x.y]\n[[provider.x.z]]\nq = 1")
@example("pools = [[], [{}], 5, {}]\nphases = {}\nexemptions = 5")
@example("a = '''\n\n\"\"\"\n")
def test_any_text_is_loaded_or_refused_with_places(text: str) -> None:
    loaded = load(text)
    assert (loaded.policy is None) == bool(loaded.errors)
    lines = text.removeprefix("\ufeff").split("\n")
    for fault in loaded.errors + loaded.warnings:
        assert 1 <= fault.line <= len(lines)
        assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
        assert str(fault).encode().decode().isprintable()
    assert list(loaded.errors) == sorted(loaded.errors)


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    assert load_file(data).errors


def test_what_is_left_of_a_faulty_file_is_read() -> None:
    reading = read('a = 1\nb = \n[c]\nd = [1\n[e]\nf = "x" y\ng = 2\n')
    assert reading.document == {"a": 1, "c": {}, "e": {"g": 2}}
    assert [(fault.line, fault.column) for fault in reading.faults] == [(2, 5), (5, 1), (6, 9)]


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("a", "b"), (1, 7), (1, 1)),
        (("q A", "x", "y"), (2, 24), (2, 16)),
        (("l", 1), (4, 3), (4, 3)),
        (("l", 2, "k"), (5, 9), (5, 5)),
        (("t",), (7, 1), (7, 1)),
        (("t", "u", "v"), (9, 5), (9, 1)),
        (("t", "nowhere"), (7, 1), (7, 1)),
        (("r", 0, "n"), (11, 5), (11, 1)),
        (("r", 1), (14, 1), (14, 1)),
        (("r", 0, "s", "m"), (13, 9), (13, 1)),
        (("r", 1, "l", 1, "w"), (19, 9), (19, 5)),
        ((), (1, 1), (1, 1)),
    ],
)
def test_positions(path: KeyPath, value: tuple[int, int], key: tuple[int, int]) -> None:
    text = """a.b = 1
"q\\u0020A" = { x . y = 1 }  # 二
l = ["二", # comment, 5
  2,
  { k = 3 },
]
[t]
[t.u]
v = 1
[[r]]
n = 1
[r.s]
m   =   2
[[r]]
  [[r.l]]
  w = 1
  [[r.l]]
# w = 2
    w = "二"
"""
    where = Positions(text)
    tomllib.loads(text)
    assert (where.value(path), where.key(path)) == (value, key)


def inside(inner: Prefix, outer: Prefix) -> bool:
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(24, 28), st.integers(0, 15)), max_size=12))
def test_overlaps_are_those_of_a_search_of_all_pairs(drawn: list[tuple[int, int, int]]) -> None:
    by_pool: dict[int, list[str]] = {}
    for pool, length, number in drawn:
        start = number << 4 & ~((1 << 32 - length) - 1)
        by_pool.setdefault(pool, []).append(f"198.18.0.{start}/{length}")
    pools = [Pool.model_validate({"name": f"p{key}", "prefixes": nets}) for key, nets in by_pool.items()]
    spots = [(at, number, net) for at, pool in enumerate(pools) for number, net in enumerate(pool.prefixes)]
    expected = {
        one[:2]
        for one in spots
        for other in spots
        if inside(one[2], other[2]) and (one[2] != other[2] or one[:2] > other[:2])
    }
    found = list(overlaps(pools))
    assert {(inner.pool, inner.number) for inner, _ in found} == expected
    assert all(inside(inner.prefix, outer.prefix) for inner, outer in found)
    assert len(found) == len(expected)


def test_a_large_policy_loads_in_seconds() -> None:
    text = EXAMPLE_TEXTS[0].partition("[[pools]]")[0]
    for number in range(2000):
        nets = ", ".join(f'"10.{number >> 7}.{(number << 1 & 255) + half}.0/24"' for half in (0, 1))
        text += f'[[pools]]\nname = "p{number}"\nprefixes = [{nets}, "2001:db8:{number:x}::/48"]\n'
    text += '[[phases]]\nname = "all"\nmode = "enforce"\nscope = {}\n'
    for number in range(20_000):
        address = f"10.{number & 7}.{number >> 3 & 255}.{number >> 11}"
        text += f'[[exemptions]]\nname = "e{number}"\nprefixes = ["{address}"]\nreason = "r"\nreview = 2009-01-01\n'
    start = perf_counter()
    loaded = load(text)
    assert perf_counter() - start < 20
    assert (loaded.errors, loaded.warnings) == ((), ())
