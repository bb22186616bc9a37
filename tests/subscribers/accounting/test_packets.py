"""Packets that are taken and packets that are not; beside pyrad, which has read the RFCs on its own."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import AcctPacket, AuthPacket, Packet

from op25b.subscribers.accounting import packets
from op25b.subscribers.accounting.facts import SUBSCRIBER, fact
from op25b.subscribers.accounting.faults import Discarded, Fault
from tests.support.accounting import DICTIONARY, SECRET, packet

GOLDEN = Path(__file__).parents[2] / "golden" / "accounting"
RECEIVED = 1_700_000_000.25
"""2023-11-14 22:13:20.25"""


@dataclass
class Golden:
    """`expected`: the fact, `None`, or the fault; `answer`: what goes back."""

    name: str
    octets: bytes
    expected: str
    answer: bytes | None


def goldens() -> Iterator[Golden]:
    for path in sorted(GOLDEN.glob("*.txt")):
        for block in path.read_text().strip().split("\n\n"):
            title, *lines = block.splitlines()
            said = {key: " ".join(line[1:].strip() for line in lines if line[0] == key) for key in "<=>"}
            answer = bytes.fromhex(said[">"]) if said[">"] else None
            yield Golden(title.removeprefix("# "), bytes.fromhex(said["<"]), said["="], answer)


@pytest.mark.parametrize("golden", list(goldens()), ids=lambda golden: golden.name)
def test_golden(golden: Golden) -> None:
    assert outcome(golden.octets) == (golden.expected, golden.answer)


def outcome(octets: bytes) -> tuple[str, bytes | None]:
    """As a golden has it."""
    try:
        request = packets.read(octets, SECRET, must_be_signed=False)
        if request.code == packets.STATUS_SERVER:
            return "None", packets.answer(request, SECRET)
        found = fact(request.attributes, SUBSCRIBER["User-Name"], RECEIVED, "192.0.2.254")
    except Discarded as discarded:
        return discarded.fault, None
    return re.sub(r"datetime.datetime\((.*?), tzinfo=datetime.timezone.utc\)", r"(\1)", repr(found)), packets.answer(
        request, SECRET
    )


def _numbers() -> st.SearchStrategy[int]:
    return st.integers(0, 2**32 - 1)


ATTRIBUTES = st.fixed_dictionaries(
    {"status": st.integers(1, 3)},
    optional={
        "User_Name": st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=60),
        "Acct_Session_Id": st.text("0123456789abcdef", min_size=1, max_size=32),
        "NAS_Identifier": st.text("abcdefgh-.0123", min_size=1, max_size=32),
        "Framed_IP_Address": st.ip_addresses(v=4).map(str),
        "NAS_IP_Address": st.ip_addresses(v=4).map(str),
        "Framed_IPv6_Address": st.ip_addresses(v=6, network="2000::/3").map(str),
        "Acct_Delay_Time": _numbers(),
        "Event_Timestamp": _numbers(),
        "Acct_Session_Time": _numbers(),
        "Proxy_State": st.lists(st.binary(min_size=1, max_size=100), min_size=1, max_size=3),
        "signed": st.booleans(),
    },
)


@given(ATTRIBUTES)
def test_what_pyrad_makes_is_read_as_pyrad_reads_it(attributes: dict[str, object]) -> None:
    octets = packet(**attributes)  # type: ignore[arg-type]
    theirs = AcctPacket(packet=octets, secret=SECRET, dict=DICTIONARY)
    assert theirs.VerifyAcctRequest()
    request = packets.read(octets, SECRET, must_be_signed=False)
    # its own methods decode
    assert dict(OrderedDict.items(theirs)) == request.attributes
    answer = packets.answer(request, SECRET)
    assert theirs.VerifyReply(Packet(packet=answer, dict=DICTIONARY), answer)


@given(ATTRIBUTES, st.data())
def test_another_secret_or_one_octet_that_differs_is_seen(attributes: dict[str, object], data: st.DataObject) -> None:
    octets = bytearray(packet(**attributes))  # type: ignore[arg-type]
    with pytest.raises(Discarded) as raised:
        packets.read(bytes(octets), SECRET + b"x", must_be_signed=False)
    assert raised.value.fault == Fault.WRONG_SECRET
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Discarded):
        packets.read(bytes(octets), SECRET, must_be_signed=False)


def test_a_message_authenticator_must_be_there_where_it_must() -> None:
    packets.read(packet(signed=True), SECRET, must_be_signed=True)
    with pytest.raises(Discarded) as raised:
        packets.read(packet(), SECRET, must_be_signed=True)
    assert raised.value.fault == Fault.UNSIGNED


def test_a_wrong_message_authenticator_is_never_taken() -> None:
    """Under a right Request Authenticator, so that nothing else can be what is seen."""
    octets = resigned(packet(signed=True).replace(b"u1", b"u2"))
    with pytest.raises(Discarded) as raised:
        packets.read(octets, SECRET, must_be_signed=False)
    assert (raised.value.fault, str(raised.value)) == (Fault.WRONG_SECRET, "Message-Authenticator")


def resigned(octets: bytes) -> bytes:
    """With a Request Authenticator that fits."""
    return octets[:4] + md5(octets[:4] + bytes(16) + octets[20:] + SECRET).digest() + octets[20:]


def test_status_server_is_answered_as_pyrad_wants_it() -> None:
    """RFC 5997: signed both ways."""
    asked = AuthPacket(code=12, id=9, secret=SECRET, dict=DICTIONARY)
    asked.add_message_authenticator()
    octets = bytes(asked.RequestPacket())
    answer = packets.answer(packets.read(octets, SECRET, must_be_signed=False), SECRET)
    reply = Packet(packet=answer, dict=DICTIONARY, secret=SECRET)
    assert asked.VerifyReply(reply, answer)
    assert reply.verify_message_authenticator(original_authenticator=octets[4:20], original_code=12)
    bare = octets[:2] + (20).to_bytes(2) + octets[4:20]
    with pytest.raises(Discarded) as raised:
        packets.read(bare, SECRET, must_be_signed=False)
    assert raised.value.fault == Fault.UNSIGNED
