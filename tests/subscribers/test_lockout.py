"""The lock-out policy: what stops a guesser, and that nobody can turn it against a customer."""

from __future__ import annotations

import os
import signal
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.subscribers.lockout import Answer, Limits, Lockout, block_of

SMALL = Limits(window_seconds=100, pair=4, block=8, attacked_after=6, pair_attacked=2, counters=1000)


def test_what_counts_as_one_block() -> None:
    same = [("192.0.2.1", "::ffff:192.0.2.1"), ("2001:db8:0:100::1", "2001:db8:0:1ff:ffff::1")]
    for first, second in same:
        assert block_of(ip_address(first)) == block_of(ip_address(second))
    assert block_of(ip_address("192.0.2.1")) != block_of(ip_address("192.0.2.2"))
    assert block_of(ip_address("2001:db8:0:100::1")) != block_of(ip_address("2001:db8:0:200::1"))


def test_a_guesser_at_one_account() -> None:
    lockout = Lockout(SMALL)
    for number in range(4):
        assert lockout.answer("taro", "a", False, 0) is Answer.LET
        lockout.failed("taro", "a", False, b"%d" % number, 0)
    assert lockout.answer("taro", "a", False, 99) is Answer.PAIR
    assert lockout.answer("jiro", "a", False, 0) is Answer.LET
    assert lockout.answer("taro", "a", False, 100) is Answer.LET


def test_a_guesser_at_many_accounts() -> None:
    lockout = Lockout(SMALL)
    for number in range(8):
        lockout.failed(f"user{number}", "a", False, b"1", 0)
    assert lockout.answer("taro", "a", False, 0) is Answer.BLOCK
    assert lockout.answer("taro", "a", True, 0) is Answer.LET
    assert lockout.answer("taro", "b", False, 0) is Answer.LET


def test_many_guessers_at_one_account_have_fewer_tries_each() -> None:
    lockout = Lockout(SMALL)
    for number in range(6):
        lockout.failed("taro", f"bot{number}", False, b"%d" % number, 0)
    for number in range(2):
        assert lockout.answer("taro", "bot9", False, 0) is Answer.LET
        lockout.failed("taro", "bot9", False, b"%d" % number, 0)
    assert lockout.answer("taro", "bot9", False, 0) is Answer.PAIR
    for number in range(4):
        assert lockout.answer("taro", "home", True, 0) is Answer.LET
        lockout.failed("taro", "home", True, b"%d" % number, 0)
    assert lockout.answer("taro", "home", True, 0) is Answer.PAIR


def test_success_frees_the_pair_but_not_the_block() -> None:
    """A guesser with an account of his own must not reset his address's count with it."""
    lockout = Lockout(SMALL)
    for number in range(8):
        lockout.failed(f"user{number}", "a", False, b"1", 0)
        lockout.succeeded("his-own", "a")
    assert lockout.answer("taro", "a", False, 0) is Answer.BLOCK
    lockout.failed("jiro", "b", False, b"1", 0)
    for number in range(3):
        lockout.failed("jiro", "b", False, b"%d" % number, 0)
    lockout.succeeded("jiro", "b")
    lockout.failed("jiro", "b", False, b"x", 0)
    assert lockout.answer("jiro", "b", False, 0) is Answer.LET


@pytest.mark.parametrize("field", ["pair", "block", "attacked_after", "pair_attacked", "counters"])
def test_limits_that_would_lock_everybody_out(field: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Limits(**{field: 0})


STRANGERS = st.lists(
    st.tuples(
        st.sampled_from(["taro", "jiro", "nobody"]),
        st.sampled_from(["bot1", "bot2", "bot3", "nat"]),
        st.binary(min_size=1, max_size=2),
        st.floats(0, 30),
        st.booleans(),
    ),
    max_size=120,
)


@given(STRANGERS, st.booleans())
def test_a_stranger_elsewhere_never_locks_anybody_out(
    events: list[tuple[str, str, bytes, float, bool]], known: bool
) -> None:
    """Whatever others did, the first try from a block without failures of its own is let through."""
    lockout, now = Lockout(SMALL), 0.0
    for account, block, mark, pause, right in events:
        now += pause
        if lockout.answer(account, block, False, now) is Answer.LET:
            lockout.succeeded(account, block) if right else lockout.failed(account, block, False, mark, now)
        assert lockout.answer("taro", "home", known, now) is Answer.LET


@given(STRANGERS)
def test_guesses_are_bounded(events: list[tuple[str, str, bytes, float, bool]]) -> None:
    """No block makes more different guesses at an account within a window than the limit."""
    lockout, now = Lockout(SMALL), 0.0
    made: dict[tuple[str, str], list[tuple[float, bytes]]] = {}
    for account, block, mark, pause, _ in events:
        now += pause
        if lockout.answer(account, block, False, now) is Answer.LET:
            lockout.failed(account, block, False, mark, now)
            made.setdefault((account, block), []).append((now, mark))
        recent = {guess for at, guess in made.get((account, block), []) if now - at < SMALL.window_seconds}
        assert len(recent) <= SMALL.pair


def test_memory_is_bounded_and_the_last_failures_are_kept() -> None:
    lockout = Lockout(Limits(counters=64, pair=2))
    for number in range(10_000):
        lockout.failed(f"user{number}", "bot", False, b"1", number)
        lockout.failed("taro", "home", False, b"%d" % number, number)
        assert lockout.answer("taro", "home", False, number) is (Answer.PAIR if number else Answer.LET)


def test_processes_that_are_forked_count_together() -> None:
    lockout = Lockout(SMALL)
    for number in range(4):
        assert lockout.answer("taro", "a", False, 0) is Answer.LET
        if (child := os.fork()) == 0:
            lockout.failed("taro", "a", False, b"%d" % number, 0)
            os._exit(0)
        os.waitpid(child, 0)
    assert lockout.answer("taro", "a", False, 0) is Answer.PAIR
    if (child := os.fork()) == 0:
        lockout.succeeded("taro", "a")
        os._exit(0)
    os.waitpid(child, 0)
    assert lockout.answer("taro", "a", False, 0) is Answer.LET


def test_a_process_that_is_killed_leaves_no_lock() -> None:
    lockout = Lockout(SMALL)
    if (child := os.fork()) == 0:
        try:
            with lockout._pairs._lock:
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    lockout.failed("taro", "a", False, b"1", 0)
    assert lockout.failures("a", 0) == 1
