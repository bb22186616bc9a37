"""Transactions, dumps and refusals on the real kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct

import pytest

from op25b.enforcement import netlink
from op25b.enforcement.elements import Addresses4, add_elements, addition, deletion
from op25b.enforcement.netlink import Message, Netlink, NetlinkError, attributes, nested, text
from op25b.enforcement.readback import read_members
from op25b.errors import Missing

CAPABILITY_VERSION_3 = 0x20080522

pytestmark = pytest.mark.root


@pytest.fixture
def table(nft):
    nft("table inet op25b { set a { type ipv4_addr; size 300000; }; set b { type ipv4_addr; size 9; }; }")


def members(link: Netlink, name: str = "a") -> list[int]:
    return read_members(link, "op25b", name).elements.array.tolist()


def test_messages_of_one_transaction_take_effect_together(link, table) -> None:
    add_elements(link, "op25b", "a", Addresses4.of([1, 2, 3]))
    link.commit(
        [
            *deletion("op25b", "a", Addresses4.of([2])),
            *addition("op25b", "a", Addresses4.of([9])),
            *addition("op25b", "b", Addresses4.of([7])),
        ]
    )
    assert (members(link), members(link, "b")) == ([1, 3, 9], [7])


def test_one_refused_message_undoes_the_transaction_and_is_named(link, table) -> None:
    good = list(addition("op25b", "a", Addresses4.of([1])))
    bad = list(addition("op25b", "gone", Addresses4.of([1])))
    for messages in ([*good, *bad], [*bad, *good]):
        with pytest.raises(NetlinkError, match="adding to set gone: no such table, set or member") as refusal:
            link.commit(messages)
        assert refusal.value.errno == errno.ENOENT
        assert members(link) == []


def test_many_refusals_do_not_disturb_what_follows(link, table) -> None:
    bad = list(addition("op25b", "gone", Addresses4.of([1])))
    with pytest.raises(NetlinkError, match="adding to set gone"):
        link.commit(bad * 3000)
    add_elements(link, "op25b", "a", Addresses4.of([5]))
    assert members(link) == [5]


def test_an_empty_transaction_is_not_sent(link, table, monkeypatch) -> None:
    def must_not_send(data: bytes, what: str) -> None:
        pytest.fail("sent")

    monkeypatch.setattr(link, "_send", must_not_send)
    link.commit([])
    link.commit_in_parts([])


def test_a_load_larger_than_one_transaction_is_split(netns, table, monkeypatch) -> None:
    monkeypatch.setattr(netlink, "_SEND_BUFFER", 100_000)
    everything = Addresses4.of(range(100_000))
    with Netlink() as small:
        messages = list(addition("op25b", "a", everything))
        assert max(message.size for message in messages) <= small.capacity < sum(m.size for m in messages)
        with pytest.raises(NetlinkError) as refusal:
            small.commit(messages)
        assert refusal.value.errno == errno.EMSGSIZE
        assert members(small) == []
        add_elements(small, "op25b", "a", everything)
        assert read_members(small, "op25b", "a").elements == everything


def test_a_transaction_may_be_filled_to_the_last_octet(link, table) -> None:
    """A request that may not be part of a transaction is refused with EINVAL, but only once it was sent."""
    for excess, number in ((0, errno.EINVAL), (4, errno.EMSGSIZE)):
        size = Message(13, b"", "").size
        with pytest.raises(NetlinkError) as refusal:
            link.commit([Message(13, bytes(link.capacity - size + excess), "asking")])
        assert refusal.value.errno == number


def test_sequence_numbers_may_wrap_within_a_transaction(link, table) -> None:
    for start in range(0xFFFFFFF8, 0x100000000):
        link._sequence = start
        link.commit([*addition("op25b", "a", Addresses4.of([start])), *addition("op25b", "a", Addresses4.of([1]))])
        link._sequence = start
        with pytest.raises(NetlinkError, match="from set b"):
            link.commit([*addition("op25b", "a", Addresses4.of([2])), *deletion("op25b", "b", Addresses4.of([3]))])
    assert members(link) == [1, *range(0xFFFFFFF8, 0x100000000)]


class Disturbed(Netlink):
    """Someone else changes the ruleset after the first datagram of the first `times` dumps."""

    def __init__(self, other: Netlink, times: int) -> None:
        super().__init__()
        self.other, self.times, self.next = other, times, 10_000_000

    def _dump_once(self, kind: int, payload: bytes, what: str):
        self.disturb = self.times > 0
        self.times -= 1
        return super()._dump_once(kind, payload, what)

    def _receive(self, sequence: int, what: str):
        answer = super()._receive(sequence, what)
        if getattr(self, "disturb", False):
            self.disturb = False
            add_elements(self.other, "op25b", "a", Addresses4.of([self.next]))
            self.next += 1
        return answer


def test_a_dump_disturbed_by_a_change_is_taken_again(link, table) -> None:
    everything = Addresses4.of(range(20_000))
    add_elements(link, "op25b", "a", everything)
    with Disturbed(link, times=3) as disturbed:
        assert members(disturbed) == [*range(20_000), 10_000_000, 10_000_001, 10_000_002]
        assert disturbed.times < 0


def test_a_dump_that_is_always_disturbed_ends_with_an_error(link, table) -> None:
    add_elements(link, "op25b", "a", Addresses4.of(range(20_000)))
    with Disturbed(link, times=10_000) as disturbed:
        with pytest.raises(NetlinkError, match="changed during each") as refusal:
            members(disturbed)
        assert refusal.value.errno == errno.EINTR
        disturbed.times = 0
        assert len(members(disturbed)) > 20_000


def test_without_the_privilege_it_says_what_is_missing(netns, table) -> None:
    """In a child that gave its capabilities up: reading and changing both name CAP_NET_ADMIN."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        said = []
        try:
            ctypes.CDLL(None).capset(struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24))  # none at all
            with Netlink() as link:
                for attempt in (
                    lambda: link.commit(list(addition("op25b", "a", Addresses4.of([1])))),
                    lambda: read_members(link, "op25b", "a"),
                    lambda: link.dump(4, b"", "reading chains"),
                ):
                    try:
                        attempt()
                        said.append("no error")
                    except Missing as missing:
                        said.append(str(missing))
        finally:
            theirs.sendall(repr(said).encode())
            os._exit(0)
    os.waitpid(child, 0)
    with ours, theirs:
        assert ours.recv(10_000).decode() == repr([netlink.NEEDS_PRIVILEGE] * 3)
    assert "CAP_NET_ADMIN" in netlink.NEEDS_PRIVILEGE


def test_a_closed_socket_is_closed(netns) -> None:
    with Netlink() as link:
        pass
    with pytest.raises(NetlinkError) as refusal:
        link.get(1, text(1, "op25b"), "reading table op25b")
    assert refusal.value.errno == errno.EBADF


def test_attributes_are_padded_and_found_again() -> None:
    packed = text(1, "abc") + netlink.attribute(2, b"xyz") + nested(3, netlink.attribute(4, b"1"))
    assert len(packed) % 4 == 0
    found = attributes(packed)
    assert (found[1], found[2], attributes(found[3])) == (b"abc\0", b"xyz", {4: b"1"})


def test_a_broken_answer_is_an_error_not_a_loop() -> None:
    with pytest.raises(NetlinkError):
        attributes(b"\0\0\0\0")
