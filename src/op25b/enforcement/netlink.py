"""nf_tables over raw netlink: transactions, single questions and dumps of one table in family inet.

`nft` parses text and keeps a tree per element, which a set of a million members does not survive well;
here messages are bytes that the caller has packed. Layouts: linux/netlink.h, linux/netfilter/nfnetlink.h,
linux/netfilter/nf_tables.h (Linux 5.10 or later). The kernel answers while `send` runs, so the socket
never blocks: an answer that is not there when it should be is an error, never a hang.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from op25b.errors import Missing

NFPROTO_INET = 1
NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_BATCH_GENID = 16, 17, 1

NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_ECHO, NLM_F_DUMP_INTR, NLM_F_DUMP, NLM_F_CREATE = 0x1, 0x4, 0x8, 0x10, 0x300, 0x400
NFT_MSG_NEWGEN, NFTA_GEN_ID = 15, 1
NLA_HEADER, NLA_F_NESTED, NLA_TYPE_MASK = 4, 0x8000, 0x3FFF
NETLINK_NETFILTER, SOL_NETLINK, NETLINK_CAP_ACK = 12, 270, 10
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # neither has a name in Python's socket module

_NLMSGHDR = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_NFGENMSG = struct.Struct(">BBH")  # family, version, resource
_NLATTR = struct.Struct("=HH")  # length, type
_ERRNO = struct.Struct("=i")

_SEND_BUFFER = 8 << 20  # the kernel doubles what is asked for
_PART = 1 << 20  # larger parts are no faster, and each is in memory three times
_RECEIVE_BUFFER = 4 << 20
_LARGEST_ANSWER = 1 << 17  # the kernel fills at most 32 KiB of a dump at a time
_LARGEST_OBJECT = 1 << 13
_DUMP_ATTEMPTS = 50
_SEQUENCE_MASK = 0xFFFFFFFF

NEEDS_PRIVILEGE = (
    "changing or reading the packet filter needs CAP_NET_ADMIN: run as root, "
    "or give the service AmbientCapabilities=CAP_NET_ADMIN"
)
NEEDS_NFTABLES = "this kernel has no nf_tables: load the module (modprobe nf_tables), or use a kernel built with it"


# What these mean when nf_tables says them; the general words would mislead.
_MEANINGS = {
    errno.ENOENT: "no such table, set or member",
    errno.ENFILE: "the set is full: it was declared with too small a size",
    errno.EINVAL: "the set does not take members of this type",
    errno.EEXIST: "it is there already, or overlaps what is there",
    errno.ENOTEMPTY: "it overlaps what is there",
    errno.EBUSY: "it is in use",
    errno.ERESTART: "someone else has changed the ruleset meanwhile",
}


class NetlinkError(OSError):
    """The kernel refused: `errno` says why, the text says what was being done."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(number, f"{what}: {_MEANINGS.get(number) or os.strerror(number)}")

    def __str__(self) -> str:
        return str(self.strerror)


@dataclass(frozen=True)
class Message:
    """One nf_tables message of a transaction; `what` is the text of its error."""

    kind: int
    payload: bytes
    what: str
    flags: int = 0

    @property
    def size(self) -> int:
        """Octets on the wire."""
        return _NLMSGHDR.size + _NFGENMSG.size + len(self.payload)


def attribute(kind: int, payload: bytes) -> bytes:
    """One netlink attribute, padded to four octets."""
    return _NLATTR.pack(_NLATTR.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, payload: bytes) -> bytes:
    """One netlink attribute which holds others."""
    return attribute(kind | NLA_F_NESTED, payload)


def text(kind: int, value: str) -> bytes:
    """One netlink attribute that holds a NUL-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def each_attribute(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """The (type, value) pairs of a run of attributes, in order."""
    at = 0
    while at + _NLATTR.size <= len(payload):
        length, kind = _NLATTR.unpack_from(payload, at)
        if length < _NLATTR.size:
            raise NetlinkError(errno.EBADMSG, "reading the kernel's answer")
        yield kind & NLA_TYPE_MASK, payload[at + _NLATTR.size : at + length]
        at += length + -length % 4


def attributes(payload: bytes) -> dict[int, bytes]:
    """The attributes of a message, by type."""
    return dict(each_attribute(payload))


class Netlink:
    """A socket to nf_tables of the network namespace in which it is opened; a context manager.

    Every method raises Missing without CAP_NET_ADMIN or without nf_tables, and NetlinkError when the
    kernel refuses.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        except OSError as error:
            if error.errno in (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT):
                raise Missing(NEEDS_NFTABLES) from None
            raise
        self._socket.setblocking(False)
        self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)  # or an error echoes all of its message
        self._widen(SO_SNDBUFFORCE, socket.SO_SNDBUF, _SEND_BUFFER)
        self._widen(SO_RCVBUFFORCE, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._sequence = 0

    def _widen(self, force: int, ask: int, size: int) -> None:
        # Without the privilege (in a user namespace: before Linux 5.16) the system's maximum has to do.
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, force, size)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, ask, size)

    @property
    def capacity(self) -> int:
        """Octets of messages that one transaction may carry."""
        framing = 2 * (_NLMSGHDR.size + _NFGENMSG.size) + 8  # the id of the ruleset
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 32 - framing

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def commit(self, messages: Sequence[Message], ruleset_id: int = 0) -> int:
        """Send `messages` as one transaction: all of them take effect, or none.

        With `ruleset_id` (inventory.ruleset_id) only if the ruleset is still at that, else ERESTART. Returns what it is
        at then, the same if nothing was changed, for a first message with NLM_F_ECHO. Without messages nothing is
        sent: the kernel would not answer an empty batch.
        """
        if not messages:
            return ruleset_id
        if sum(message.size for message in messages) > self.capacity:
            raise NetlinkError(errno.EMSGSIZE, f"sending {len(messages)} messages as one transaction")
        begin, last = self._next(), len(messages) - 1
        parts = [_batch(NFNL_MSG_BATCH_BEGIN, begin, ruleset_id)]
        for index, message in enumerate(messages):
            flags = message.flags | (NLM_F_ACK if index == last else 0)
            parts.append(_header(message.kind, flags, self._next(), len(message.payload)))
            parts.append(message.payload)
        parts.append(_batch(NFNL_MSG_BATCH_END, self._next()))
        self._send(b"".join(parts), messages[0].what)
        answers, changed_to = self._acknowledgements(begin, last + 1, messages[0].what)
        for index, number in answers:
            if number:
                raise _refusal(number, messages[index].what)
        if not answers:
            raise NetlinkError(errno.EPROTO, f"{messages[0].what}: no answer from the kernel")
        return changed_to or ruleset_id

    def commit_in_parts(self, messages: Iterable[Message]) -> None:
        """Send `messages` in as many transactions as their size asks, in order.

        After a refusal the transactions before it stay, so this is for what nothing refers to yet.
        """
        capacity, size, part = min(self.capacity, _PART), 0, list[Message]()
        for message in messages:
            if size + message.size > capacity:
                self.commit(part)
                size, part = 0, []
            part.append(message)
            size += message.size
        self.commit(part)

    def get(self, kind: int, payload: bytes, what: str) -> bytes | None:
        """The attributes of the one object asked for, or None where there is no such object."""
        sequence = self._next()
        self._send(_header(kind, 0, sequence, len(payload)) + payload, what)
        for answer, _, body in self._receive(sequence, what):
            if answer != NLMSG_ERROR:
                return body[_NFGENMSG.size :]
            (number,) = _ERRNO.unpack_from(body)
            if -number == errno.ENOENT:
                return None
            raise _refusal(-number, what)
        raise NetlinkError(errno.EPROTO, f"{what}: an empty answer from the kernel")

    def dump(self, kind: int, payload: bytes, what: str) -> list[bytes]:
        """The attributes of each object asked for, of one generation of the ruleset.

        A dump during which anything in the namespace was changed is taken again, until it is not, or until two
        that follow each other are the same: what changed was something else then. EINTR when changes never pause.
        What does not exist gives an empty list.
        """
        before = None
        for _ in range(_DUMP_ATTEMPTS):
            answers, whole = self._dump_once(kind, payload, what)
            if whole or answers == before:
                return answers
            before = answers
        what = f"{what}: the ruleset was changed during each of {_DUMP_ATTEMPTS} readings"
        raise NetlinkError(errno.EINTR, what)

    def glimpse(self, kind: int, payload: bytes, what: str) -> list[bytes]:
        """As `dump`, once, whatever is changed meanwhile: some may come twice and some not at all."""
        return self._dump_once(kind, payload, what)[0]

    def get_each(self, kind: int, payload: bytes, what: str) -> tuple[list[bytes], int]:
        """(attributes, errno or 0) of several objects asked for at once; the kernel stops at what is not there.

        Not too many, as each answer takes a page of the receive buffer, and what does not fit is lost.
        """
        sequence, answers = self._next(), list[bytes]()
        self._send(_header(kind, 0, sequence, len(payload)) + payload, what)
        while True:
            try:
                data = self._socket.recv(_LARGEST_OBJECT)
            except BlockingIOError:
                return answers, 0
            except OSError as error:
                raise NetlinkError(error.errno or errno.EIO, what) from None
            for found, answer, _, body in _split(data):
                if found == sequence and answer == NLMSG_ERROR:
                    return answers, -_ERRNO.unpack_from(body)[0]
                if found == sequence:
                    answers.append(body[_NFGENMSG.size :])

    def _dump_once(self, kind: int, payload: bytes, what: str) -> tuple[list[bytes], bool]:
        sequence, answers, whole = self._next(), list[bytes](), True
        generations = set[bytes]()
        self._send(_header(kind, NLM_F_DUMP, sequence, len(payload)) + payload, what)
        while True:
            for answer, flags, body in self._receive(sequence, what):
                whole = whole and not flags & NLM_F_DUMP_INTR
                if answer not in (NLMSG_ERROR, NLMSG_DONE):
                    # Dumps of elements are never marked as interrupted; the generation in each header tells.
                    generations.add(body[2 : _NFGENMSG.size])
                    answers.append(body[_NFGENMSG.size :])
                    continue
                number = -_ERRNO.unpack_from(body)[0] if len(body) >= _ERRNO.size else 0
                if number in (0, errno.ENOENT):
                    return answers, whole and len(generations) < 2
                raise _refusal(number, what)

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) & _SEQUENCE_MASK
        return self._sequence

    def _send(self, data: bytes, what: str) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise _refusal(error.errno or errno.EIO, what) from None

    def _receive(self, sequence: int, what: str) -> list[tuple[int, int, bytes]]:
        """(type, flags, body) of one datagram's messages, left-overs of earlier requests skipped."""
        messages: list[tuple[int, int, bytes]] = []
        while not messages:
            try:
                data = self._socket.recv(_LARGEST_ANSWER)
            except BlockingIOError:
                raise NetlinkError(errno.EPROTO, f"{what}: no answer from the kernel") from None
            except OSError as error:
                raise NetlinkError(error.errno or errno.EIO, what) from None
            messages = [message[1:] for message in _split(data) if message[0] == sequence]
        return messages

    def _acknowledgements(self, begin: int, count: int, what: str) -> tuple[list[tuple[int, int]], int]:
        """(index of the message, errno or 0) of each answer to the batch at `begin`; the ruleset's new id, or 0."""
        answers, changed_to = list[tuple[int, int]](), 0
        while True:
            try:
                data = self._socket.recv(_LARGEST_ANSWER)
            except BlockingIOError:
                return answers, changed_to
            except OSError as error:
                raise NetlinkError(error.errno or errno.EIO, what) from None
            for sequence, kind, _, body in _split(data):
                # A refusal of the whole (at commit, or for want of privilege) names the batch's header.
                behind = (sequence - begin) & _SEQUENCE_MASK
                if kind == NLMSG_ERROR and behind <= count:
                    answers.append((max(behind - 1, 0), -_ERRNO.unpack_from(body)[0]))
                elif kind == NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN and behind == 1:
                    changed_to = int.from_bytes(attributes(body[_NFGENMSG.size :])[NFTA_GEN_ID], "big")


def _header(kind: int, flags: int, sequence: int, size: int) -> bytes:
    """The headers of an nf_tables message whose attributes take `size` octets."""
    size += _NLMSGHDR.size + _NFGENMSG.size
    header = _NLMSGHDR.pack(size, NFNL_SUBSYS_NFTABLES << 8 | kind, flags | NLM_F_REQUEST, sequence, 0)
    return header + _NFGENMSG.pack(NFPROTO_INET, 0, 0)


def _batch(kind: int, sequence: int, ruleset_id: int = 0) -> bytes:
    """The message that opens or closes a transaction."""
    body = _NFGENMSG.pack(0, 0, NFNL_SUBSYS_NFTABLES)
    if ruleset_id:
        body += attribute(NFNL_BATCH_GENID, ruleset_id.to_bytes(4, "big"))
    return _NLMSGHDR.pack(_NLMSGHDR.size + len(body), kind, NLM_F_REQUEST, sequence, 0) + body


def _split(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(sequence, type, flags, body) of each message in a datagram."""
    at = 0
    while at + _NLMSGHDR.size <= len(data):
        length, kind, flags, sequence, _ = _NLMSGHDR.unpack_from(data, at)
        if length < _NLMSGHDR.size:
            raise NetlinkError(errno.EBADMSG, "reading the kernel's answer")
        yield sequence, kind, flags, data[at + _NLMSGHDR.size : at + length]
        at += length + -length % 4


def _refusal(number: int, what: str) -> Exception:
    if number == errno.EPERM:
        return Missing(NEEDS_PRIVILEGE)
    if number in (errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
        return Missing(NEEDS_NFTABLES)
    return NetlinkError(number, what)
