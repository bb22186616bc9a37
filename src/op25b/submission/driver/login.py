"""One AUTH exchange: the mechanism's steps, and the accounts' answers to what it asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from op25b.policy.intervals import Address
from op25b.submission import sasl
from op25b.submission.protocol import Authenticated, Challenge, Reply
from op25b.submission.sasl_steps import Step
from op25b.subscribers.accounts import Account
from op25b.subscribers.async_login import AsyncLogins, Unavailable
from op25b.subscribers.login import Outcome, Question, Result

WRONG = Reply(535, "5.7.8", "authentication failed")
LATER = Reply(454, "4.7.0", "authentication is not possible now; try again later")
SUSPENDED = Reply(525, "5.7.13", "your account is suspended; please ask your provider")


class LogIn:
    """One exchange of one connection. `detail` says afterwards, for the log, what was wrong; `name` whose it was.

    `nonce` gives one that is printable and was never used before (RFC 5802 5.1).
    """

    def __init__(
        self,
        logins: AsyncLogins,
        mechanism: str,
        address: Address,
        bindings: Mapping[str, bytes],
        nonce: Callable[[], bytes],
    ) -> None:
        channel = sasl.Channel(dict(bindings), plus_offered=bool(bindings))
        self._nonce = nonce() if mechanism.startswith("SCRAM") else b""
        self._exchange = sasl.begin(mechanism, channel, self._nonce)
        self._logins, self.address = logins, address
        self._question: Question | None = None
        self._suspended = False
        self.mechanism = mechanism
        self.account: Account | None = None
        self.name = ""
        self.detail = ""

    def begin(self, initial: bytes | None) -> Challenge | Authenticated | None:
        """The answer to the initial response; None if it takes its time: await `answer`."""
        return self._at_once(self._exchange.start(initial))

    def go_on(self, data: bytes) -> Challenge | Authenticated | None:
        """The answer to the client's next message, as `begin`."""
        return self._at_once(self._exchange.respond(data))

    async def answer(self) -> Challenge | Authenticated | Reply:
        """What `begin` or `go_on` did not know at once."""
        return await self._settle(self._step)

    def _at_once(self, step: Step) -> Challenge | Authenticated | None:
        self._step = step
        if isinstance(step, sasl.Challenge):
            return Challenge(step.octets)
        if isinstance(step, sasl.Verify):
            result = self._logins.at_once(step.name, step.password, self.address)
            if result is not None and self._let_in(result) and result.account is not None:
                self.name = step.name
                return Authenticated(result.account.name)
        return None

    async def _settle(self, step: Step) -> Challenge | Authenticated | Reply:
        checked = False
        try:
            while True:
                match step:
                    case sasl.Challenge(octets):
                        return Challenge(octets)
                    case sasl.Success():
                        assert self.account is not None
                        return Authenticated(self.account.name)
                    case sasl.Failure(reason):
                        return await self._refuse(reason, checked)
                    case _:
                        checked = not isinstance(step, sasl.Lookup)
                        step = await self._ask(step)
        except Unavailable as error:
            self.detail = str(error)
            return LATER

    async def _ask(self, step: sasl.Verify | sasl.Lookup | sasl.Proved) -> Step:
        self.name = step.name
        match step:
            case sasl.Verify(name, password):
                return self._exchange.decide(self._let_in(await self._logins.check(name, password, self.address)))
            case sasl.Lookup(name):
                self._question = await self._logins.begin_scram(name, self.address)
                return self._exchange.supply(self._question.keys)
            case sasl.Proved(_, proved):
                assert self._question is not None
                result = await self._logins.end_scram(self._question, proved, self._nonce)
                return self._exchange.decide(self._let_in(result))

    def _let_in(self, result: Result) -> bool:
        self.account = result.account
        self._suspended = result.outcome is Outcome.SUSPENDED
        if result.outcome is not Outcome.LET_IN:
            self.detail = f"{result.outcome.value}: {result.detail}" if result.detail else result.outcome.value
        return result.outcome is Outcome.LET_IN

    async def _refuse(self, reason: str, checked: bool) -> Reply:
        self.detail = self.detail or reason
        if not checked:
            await self._logins.fail()
        return SUSPENDED if self._suspended else WRONG
