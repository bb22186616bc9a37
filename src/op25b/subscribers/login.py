"""A log-in from name and password to account: look up, lock-out, cache, check, and a better hash where it is due.

The parts block, each for a known reason: `look_up` reads the store, `decide` computes nothing worth mentioning, `prove`
hashes a password, `renew` does so and writes. `async_login` puts each where it may block.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlalchemy.exc import SQLAlchemyError

from op25b.errors import UserError
from op25b.store.audit import By
from op25b.store.engine import Store
from op25b.subscribers.accounts import Account, Accounts
from op25b.subscribers.fresh_accounts import FreshAccounts
from op25b.subscribers.known_blocks import FRESH, KnownBlocks
from op25b.subscribers.lockout import Address, Answer, Lockout, block_of
from op25b.subscribers.login_cache import LoginCache
from op25b.subscribers.names import account_name
from op25b.subscribers.nobody import Nobody
from op25b.subscribers.passwords import Hasher
from op25b.subscribers.scram import Keys

_log = logging.getLogger(__name__)
_RECENT = 100_000
"""Pairs of account and block whose last log-in is remembered in memory."""


class Outcome(Enum):
    """How a log-in ended. Only SUSPENDED may be told apart by the client: it has the right password."""

    LET_IN = "let in"
    WRONG = "no such account, or a wrong password"
    LOCKED_OUT = "locked out"
    SUSPENDED = "the account is suspended"


@dataclass(frozen=True)
class Result:
    """`account` is there if it was let in. `detail` is for the log."""

    outcome: Outcome
    account: Account | None = None
    detail: str = ""


@dataclass(frozen=True)
class Question:
    """Someone at `block` says to be `name`. Without an account the rest goes on as with one."""

    name: str
    account: Account | None
    block: str
    known: bool
    keys: Keys
    """What SCRAM compares with; made up for a name that has none."""
    has_keys: bool


class Logins:
    """Everything that a server needs to let customers in; safe to share between threads.

    `clock` gives seconds that only go up, `wall` the time of day for what is written to the store.
    """

    def __init__(
        self,
        store: Store,
        hasher: Hasher,
        lockout: Lockout,
        cache: LoginCache,
        clock: Callable[[], float],
        wall: Callable[[], datetime],
    ) -> None:
        self._accounts, self._fresh = Accounts(store), FreshAccounts(store)
        self._known, self._nobody = KnownBlocks(store), Nobody(store)
        self._hasher, self._lockout, self._cache = hasher, lockout, cache
        self._clock, self._wall = clock, wall
        self._lock = threading.Lock()
        self._recent: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def check(self, name: str, password: str, address: Address) -> Result:
        """The whole of it, blocking."""
        question = self.look_up(name, address)
        result = self.decide(question, password) or self.prove(question, password)
        self.renew(question, password, result)
        return result

    def at_once(self, name: str, password: str, address: Address) -> Result | None:
        """A log-in that waits for nothing: a customer's who gave the same password a moment ago. None for all others.

        The account's version is read from the store all the same, as at every log-in; see `FreshAccounts.at_once`.
        """
        try:
            account = self._fresh.at_once(account_name(name))
        except ValueError:
            return None
        if account is None or account.secret.keys is None:
            return None
        block = block_of(address)
        if self._recall(account.name, block) is None:
            return None
        question = Question(account.name, account, block, True, account.secret.keys, True)
        result = self.decide(question, password)
        if result is None or result.account is None or self.needs_renewal(question, password, result):
            return None
        return result

    def look_up(self, name: str, address: Address) -> Question:
        """Read what there is about a name as the client sent it. Raises UserError if the store cannot be used."""
        try:
            prepared = account_name(name)
        except ValueError:
            # no account can have it; what follows is the same, for the empty name, which no account has either
            prepared = ""
        account = self._fresh.find(prepared)
        block = block_of(address)
        # of accounts that are not in the store only memory knows
        seen = self._seen(prepared, block) if account else self._recall(prepared, block)
        known = seen is not None
        keys = account.secret.keys if account else None
        made_up = self._hasher.keys_of_nobody(*self._nobody.salt_and_iterations(prepared))
        return Question(prepared, account, block, known, keys or made_up, keys is not None)

    def decide(self, question: Question, password: str) -> Result | None:
        """The answer if it takes no hashing: locked out, or checked a moment ago. None if it does.

        The same wrong password from the same place is not hashed again: that tells nothing which it did not tell the
        first time, and a client that was left with an old one would cost a hash at every try. Names without an account
        here are asked again: one that is elsewhere may have it by now.
        """
        with self._lock:
            if refused := self._refused(question):
                return refused
            if (account := question.account) is None:
                return None
            if self._cache.knows(account, password, self._clock()):
                return self._let_in(question, account)
            return Result(Outcome.WRONG) if self._failed_before(question, password) else None

    def prove(self, question: Question, password: str) -> Result:
        """Check the password at full cost; as much of it for a name that has no account."""
        # others may have failed, or have been let in, while this one waited for its turn
        if (result := self.decide(question, password)) is not None:
            return result
        account = question.account
        if account is None:
            if not self._failed_before(question, password):
                self._hasher.check_nobody(password)
        elif self._hasher.check(account.secret.hash, password):
            with self._lock:
                self._cache.learn(account, password, self._clock())
                return self._let_in(question, account)
        with self._lock:
            self._failed(question, self._mark(question, password))
        return Result(Outcome.WRONG)

    def proved_elsewhere(self, question: Question, password: str, account: Account | None) -> Result:
        """As `prove`, where somebody else has checked the password; `account`: whose it is, None if it is wrong."""
        with self._lock:
            if account is not None:
                return self._let_in(question, account)
            self._failed(question, self._mark(question, password))
        return Result(Outcome.WRONG)

    def ticket(self, question: Question, password: str) -> bytes:
        """The same for the same password of the same account from the same block: one check will do for all of them."""
        return self._cache.mark("ticket", question.block, self._mark(question, password).hex())

    def rank(self, question: Question) -> tuple[int, int]:
        """In what order to check: those who logged in from there before, then those whose block failed least lately."""
        return int(not question.known), self._lockout.failures(question.block, self._clock())

    def end_scram(self, question: Question, proved: bool, unique: bytes) -> Result:
        """The end of a SCRAM exchange over `question.keys`; `unique` (the nonce) tells this try from all others.

        An account without keys (taken over, and not logged in since) fails as with a wrong password, but it is not
        counted: made up keys tell a guesser nothing, and the client will try PLAIN next.
        """
        with self._lock:
            if refused := self._refused(question):
                return refused
            if question.account is not None and not question.has_keys:
                return Result(Outcome.WRONG, detail="no keys for SCRAM until it logs in by PLAIN or LOGIN")
            if proved and question.account is not None:
                return self._let_in(question, question.account)
            self._failed(question, unique)
        return Result(Outcome.WRONG)

    def renew(self, question: Question, password: str | None, result: Result) -> None:
        """After a log-in: remember from where, and replace an outdated hash. A failure is logged; the log-in stands."""
        account = result.account
        if account is None:
            return
        try:
            self._remember(account.name, question.block)
            if password is not None and self._hasher.is_outdated(account.secret):
                self._rehash(account, password)
        except (UserError, SQLAlchemyError) as error:
            _log.warning("account %s: the store could not be brought up to date: %s", account.name, error)

    def account(self, name: str) -> Account | None:
        """The account of a prepared name as it is in the store now, for one that was let in before."""
        return self._fresh.find(name)

    def owner(
        self, names: Sequence[str], sender: str, elsewhere: Callable[[str], Account | None] | None = None
    ) -> Account | None:
        """The first of these accounts (prepared names) that may send as `sender`; suspended ones may not.

        `elsewhere` has those that the store has not.
        """
        found = (self._fresh.find(name) or (elsewhere and elsewhere(name)) for name in names)
        return next((each for each in found if each and each.suspended is None and each.may_send_as(sender)), None)

    def refresh(self) -> None:
        """Look again at what the accounts are like; for a timer of some minutes."""
        self._nobody.refresh()

    def close(self) -> None:
        """Close what looking up has opened; nothing may be asked any more."""
        self._fresh.close()

    def needs_renewal(self, question: Question, password: str | None, result: Result) -> bool:
        """True if `renew` has something to do."""
        if (account := result.account) is None:
            return False
        if password is not None and self._hasher.is_outdated(account.secret):
            return True
        return self._is_stale(self._recall(account.name, question.block))

    def _refused(self, question: Question) -> Result | None:
        answer = self._lockout.answer(question.name, question.block, question.known, self._clock())
        return None if answer is Answer.LET else Result(Outcome.LOCKED_OUT, detail=answer.value)

    def _failed(self, question: Question, mark: bytes) -> None:
        self._lockout.failed(question.name, question.block, question.known, mark, self._clock())

    def _failed_before(self, question: Question, password: str) -> bool:
        mark = self._mark(question, password)
        return self._lockout.failed_before(question.name, question.block, mark, self._clock())

    def _mark(self, question: Question, password: str) -> bytes:
        if question.account is None:
            return self._cache.mark("nobody", question.name, password)
        return self._cache.of(question.account, password)

    def _let_in(self, question: Question, account: Account) -> Result:
        self._lockout.succeeded(question.name, question.block)
        if account.suspended is not None:
            return Result(Outcome.SUSPENDED, detail=account.suspended)
        return Result(Outcome.LET_IN, account)

    def _rehash(self, account: Account, password: str) -> None:
        try:
            secret = self._hasher.make(password)
        except ValueError:
            # it was taken over with a character that RFC 4013 does not allow; it goes on as it is
            return
        by = By("op25b", self._wall(), "better hash at log-in")
        self._accounts.set_secret(account.name, secret, by, seen=account.version, what="rehash")

    def _recall(self, name: str, block: str) -> datetime | None:
        with self._lock:
            return self._recent.get((name, block))

    def _seen(self, name: str, block: str) -> datetime | None:
        if (recent := self._recall(name, block)) is not None:
            return recent
        if (seen := self._known.seen(name, block, self._wall())) is not None:
            self._note(name, block, seen)
        return seen

    def _remember(self, name: str, block: str) -> None:
        if self._is_stale(self._recall(name, block)):
            now = self._wall()
            self._known.remember(name, block, now)
            self._note(name, block, now)

    def _note(self, name: str, block: str, seen: datetime) -> None:
        with self._lock:
            self._recent[name, block] = seen
            self._recent.move_to_end((name, block))
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)

    def _is_stale(self, seen: datetime | None) -> bool:
        return seen is None or self._wall() - seen >= FRESH
