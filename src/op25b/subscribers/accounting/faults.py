"""Why a report gets no answer."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What a discarded report is counted under."""

    MALFORMED = "malformed"
    WRONG_CODE = "wrong_code"
    UNKNOWN_CLIENT = "unknown_client"
    WRONG_SECRET = "wrong_secret"
    UNSIGNED = "unsigned"
    """Without the Message-Authenticator that this client must send."""
    MISSING = "missing_attribute"
    NAME = "bad_name"
    ADDRESS = "bad_address"


class Discarded(Exception):
    """A report that changes nothing and gets no answer, as RFC 2865 3 and RFC 2866 3 ask; the text is for the log."""

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault = fault
