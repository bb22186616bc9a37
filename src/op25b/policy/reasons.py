"""The codes that every answer is made of, and the one table that says in which order reasons are looked for."""

from __future__ import annotations

from enum import StrEnum


class Decision(StrEnum):
    """What happens to a flow."""

    PASS = "pass"
    BLOCK = "block"
    MONITORED = "monitored"


class Reason(StrEnum):
    """Why. The members stand in no order; `ORDER` has it."""

    NOT_PORT_25 = "not-port-25"
    INBOUND = "inbound"
    OWN_SERVER = "own-server"
    NOT_A_CUSTOMER = "not-a-customer"
    LINE_NOT_COVERED = "line-not-covered"
    REGION_NOT_COVERED = "region-not-covered"
    STATIC_ADDRESS = "static-address"
    CONTRACT_NOT_COVERED = "contract-not-covered"
    EXEMPT = "exempt"
    COVERED = "covered"
    MONITORED = "monitored"
    ANNOUNCED = "announced"
    NOT_YET = "not-yet"
    ENDED = "ended"


class Remedy(StrEnum):
    """What a person can do, or whom to ask."""

    USE_OWN_SUBMISSION = "use-own-submission"
    USE_OTHER_SUBMISSION = "use-other-submission"
    ASK_THEIR_OPERATOR = "ask-their-operator"
    USE_SMART_HOST = "use-smart-host"
    USE_WEBMAIL = "use-webmail"
    REQUEST_EXEMPTION = "request-exemption"
    ASK_THAT_PROVIDER = "ask-that-provider"
    ASK_NETWORK_ADMINISTRATOR = "ask-network-administrator"
    CONTACT_SUPPORT = "contact-support"


ORDER: tuple[tuple[Reason, str], ...] = (
    (Reason.INBOUND, "TCP from a customer's own port 25 to another port: the answer to an inbound connection"),
    (Reason.NOT_PORT_25, "not TCP, or not to port 25"),
    (Reason.OWN_SERVER, "from one of the provider's own mail servers"),
    (Reason.INBOUND, "from outside the pools to an address in a pool that is no own server's"),
    (Reason.NOT_A_CUSTOMER, "from an address that is in no pool"),
    (Reason.OWN_SERVER, "to one of the provider's own mail servers that is open on 25"),
    (Reason.CONTRACT_NOT_COVERED, "no phase's scope holds the pool; the nearest one fails on the contract"),
    (Reason.LINE_NOT_COVERED, "... on the line or on the pool's name"),
    (Reason.REGION_NOT_COVERED, "... on the region"),
    (Reason.STATIC_ADDRESS, "... on the address assignment"),
    (Reason.EXEMPT, "an exemption is in force for the source, the destination, or both"),
    (Reason.COVERED, "a phase enforces the block at this instant"),
    (Reason.MONITORED, "a phase counts, and blocks nothing, at this instant"),
    (Reason.ANNOUNCED, "a phase is announced at this instant, or its date is tentative"),
    (Reason.NOT_YET, "a phase starts later; of several, the one that starts soonest is named"),
    (Reason.ENDED, "every phase with this pool in its scope has ended"),
)
"""Reasons are looked for from the top; the first that holds is given. Several phases: the strongest wins."""
