"""What Postfix is answered at RCPT and at the end of a message: rights, limits, what looks like a stolen password.

The same rules and replies as on op25b's own ports, as far as the protocol tells what they need; it does not tell the
From field. Counts are of this host; each message is counted once, by Postfix's `instance`, whatever is asked twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from op25b.policy.intervals import Address
from op25b.processes.board import Meters
from op25b.submission.driver import rights
from op25b.submission.driver.dialogue import UNKNOWN
from op25b.submission.driver.limits import Limits, Payer
from op25b.submission.driver.login import SUSPENDED
from op25b.submission.driver.metrics import Metric
from op25b.submission.driver.rights import Client, Source
from op25b.submission.postfix.endpoints import client_address
from op25b.submission.protocol import Reply
from op25b.subscribers.accounts import Account
from op25b.subscribers.lockout import block_of

RELAY_CONTEXT = "relay"
"""The `policy_context` in which Postfix asks only whether a client without AUTH may relay."""
NEUTRAL = "DUNNO"
UNAVAILABLE = f"DEFER_IF_PERMIT {UNKNOWN.status} {UNKNOWN.text}"
GONE = Reply(550, "5.7.1", "your account does not exist any more; please ask your provider")
TRANSACTIONS = 20_000
"""Transactions that are remembered, the latest ones: ten times as many as a busy Postfix has under way."""

Attributes = Mapping[str, str]


@dataclass(slots=True)
class _Transaction:
    """`passed`: recipients that were not refused here. `answer`: what was said at the message's end."""

    passed: int = 0
    answer: str | None = None


class Decisions:
    """One process's."""

    def __init__(self, limits: Limits, meters: Meters, log: FilteringBoundLogger) -> None:
        self._limits, self._meters, self._log = limits, meters, log
        self._transactions: OrderedDict[str, _Transaction] = OrderedDict()

    def reload(self, limits: Limits) -> None:
        """From the next request on."""
        self._limits = limits

    def decide(self, asked: Attributes, client: Client | None) -> str:
        """The action (access(5)) for a request. `client`: who it is; None: logged in to an account that is gone."""
        if client is None:
            return _action(GONE)
        known = client.source in (Source.NETWORK, Source.POP)
        if asked.get("policy_context") == RELAY_CONTEXT:
            return "OK" if known else NEUTRAL
        address = client_address(asked.get("client_address", ""))
        match asked.get("protocol_state"):
            case "RCPT" if known:
                return self._recipient(asked, client.account, address)
            case "DATA" | "END-OF-MESSAGE" if known:
                return self._message(asked, client.account, address)
        # mail from elsewhere is not op25b's: Postfix knows what it takes from strangers
        return NEUTRAL

    def _recipient(self, asked: Attributes, account: Account | None, address: Address) -> str:
        if account is not None and (refusal := self._of_account(asked, account, address)) is not None:
            return _action(refusal)
        payer = self._limits.payer(account, address)
        transaction = self._transaction(asked)
        refusal = self._limits.message(payer) or self._limits.recipients(payer, transaction.passed + 1)
        if refusal is not None:
            return self._capped(refusal, account, address)
        transaction.passed += 1
        return NEUTRAL

    def _of_account(self, asked: Attributes, account: Account, address: Address) -> Reply | None:
        if account.suspended is not None:
            return SUSPENDED
        sender = asked.get("sender", "")
        if (refusal := rights.sender_refusal(account, sender)) is not None:
            self._meters.add(Metric.SENDERS_REFUSED)
            self._log.info("sender refused", address=str(address), account=account.name, sender=sender)
        return refusal

    def _message(self, asked: Attributes, account: Account | None, address: Address) -> str:
        transaction = self._transaction(asked)
        if transaction.answer is None:
            transaction.answer = self._count(asked, account, address, transaction.passed)
        return transaction.answer

    def _count(self, asked: Attributes, account: Account | None, address: Address, passed: int) -> str:
        limits, payer = self._limits, self._limits.payer(account, address)
        count = int(text) if (text := asked.get("recipient_count", "")).isdecimal() else 0
        refusal = limits.message(payer) or limits.recipients(payer, count)
        self._count_rejected(payer, passed - count)
        if refusal is not None:
            return self._capped(refusal, account, address)
        limits.took(payer, count)
        facts = {
            "id": asked.get("queue_id", ""),
            "address": str(address),
            "account": None if account is None else account.name,
        }
        self._log.info("message passed", **facts, sender=asked.get("sender", ""), recipients=count)
        if account is not None and (why := limits.suspicion(account, block_of(address))) is not None:
            self._meters.add(Metric.MESSAGES_HELD)
            self._log.warning("message held", **facts, reason=why)
            return f"HOLD {why}"
        return NEUTRAL

    def _count_rejected(self, payer: Payer, count: int) -> None:
        """Recipients that passed here and that Postfix refused then: mailboxes that do not exist, above all."""
        for _ in range(count):
            self._limits.rejected(payer)

    def _capped(self, refusal: Reply, account: Account | None, address: Address) -> str:
        self._meters.add(Metric.CAPS_REACHED)
        action, name = _action(refusal), None if account is None else account.name
        self._log.info("cap reached", address=str(address), account=name, reply=action)
        return action

    def _transaction(self, asked: Attributes) -> _Transaction:
        if not (instance := asked.get("instance")):
            return _Transaction()
        found = self._transactions.setdefault(instance, _Transaction())
        self._transactions.move_to_end(instance)
        while len(self._transactions) > TRANSACTIONS:
            self._transactions.popitem(last=False)
        return found


def _action(reply: Reply) -> str:
    return f"{reply.code} {reply.status} {reply.text}"
