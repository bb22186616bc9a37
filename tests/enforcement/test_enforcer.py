"""The enforcer as a process: what it does when it is asked, what it refuses, and what it may do at all."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.enforcement import requests
from op25b.enforcement.enforcer_client import Away, Client
from op25b.enforcement.live import LiveSets
from op25b.enforcement.members import Delta, Members, difference, normal
from op25b.enforcement.netlink import Netlink
from op25b.enforcement.prefix_texts import members, texts
from op25b.enforcement.requests import HEADER, VERSION, Code, Refused, State, Type
from op25b.ruleset.live import KINDS, SetKind
from tests.support.enforced import Edge, policy
from tests.support.enforcer import ALONE, NOBODY, Enforcer
from tests.support.traffic import Traffic

pytestmark = pytest.mark.root
POLICY = policy("abcd", "d")
HOSTS4 = SetKind(4, 32)
SOME = ["192.0.2.1/32", "198.18.1.0/24", "2001:db8:1::/64", "2001:db8:2::/48"]


@pytest.fixture
def edge(edge: Edge) -> Edge:
    edge.apply(POLICY)
    return edge


@pytest.fixture
def enforcer(edge: Edge) -> Iterator[Enforcer]:
    with Enforcer() as started:
        yield started


def held(edge: Edge) -> Members:
    """Read past the enforcer."""
    return LiveSets(edge.link).read()


def refused(ask: Callable[[], object]) -> Code:
    with pytest.raises(Refused) as found:
        ask()
    return found.value.code


def add(*prefixes: str) -> Delta:
    return Delta(add=members(prefixes))


def hosts(count: int, start: int = 10 << 24) -> Members:
    return {HOSTS4: np.arange(start, start + count, dtype=">u4").view(np.uint8).reshape(-1, 4)}


def raw(enforcer: Enforcer, data: bytes) -> tuple[Type, bytes]:
    """What is answered to octets on a connection of their own."""
    with enforcer.socket() as peer:
        peer.sendall(data)
        return answered(peer)


def answered(peer: socket.socket) -> tuple[Type, bytes]:
    kind, size = requests.header(peer.recv(HEADER.size, socket.MSG_WAITALL))
    return kind, peer.recv(size, socket.MSG_WAITALL)


def ended(peer: socket.socket) -> bool:
    """Whether the other side closes the connection, after what it still has to say."""
    try:
        while peer.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True


def test_an_answer_that_another_thread_waits_for_is_no_end(enforcer: Enforcer) -> None:
    with enforcer.client() as client:
        client._send(Type.HELLO, b"")
        select.select([client], [], [], 10)
        assert not client.has_gone
        assert client._rest(b"")[0] is Type.DONE
        assert not client.has_gone
        enforcer.kill()
        select.select([client], [], [], 10)
        assert client.has_gone


def test_what_is_asked_is_in_the_kernel(edge: Edge, enforcer: Enforcer, traffic: Traffic) -> None:
    with enforcer.client() as client:
        assert client.state == State(1, (65536,))
        client.change(add(*SOME))
        assert difference(members(SOME), held(edge)) == Delta()
        assert traffic.probe()["b", 6] == "arrived"
        client.change(Delta(add=members(["2001:db8:1::/48"]), remove=members(SOME[2:])))
        assert traffic.passing() == "ad"
        assert {text for kind, rows in client.read().items() for text in texts(kind, rows)} == {
            *SOME[:2],
            "2001:db8:1::/48",
        }
        assert client.replace(members(SOME)) == State(1, (65536,), 2, 1)
        assert client.replace(members(SOME)) == State(1, (65536,))
        client.replace({})
        assert client.read() == {}
    assert enforcer.stop() == {
        "op25b_enforcer_requests": 19,
        "op25b_enforcer_refused": 0,
        "op25b_enforcer_changed": 7,
        "op25b_enforcer_repaired": 7,
        "op25b_enforcer_connections": 0,
    }


def test_many_at_once(edge: Edge, enforcer: Enforcer) -> None:
    edge.apply(POLICY + "[filter]\nexempt_size = 300000\n")
    with enforcer.client() as client:
        assert client.replace(hosts(300_000)).missing == 300_000
        assert difference(hosts(300_000), client.read()) == Delta()
        # longer than a request
        client.change(Delta(add=hosts(270_000, 11 << 24), remove=hosts(290_000)))
        assert difference(hosts(10_000, (10 << 24) + 290_000) | {}, client.read()).remove.keys() == {HOSTS4}
        assert sum(map(len, held(edge).values())) == 280_000


def test_what_is_refused_changes_nothing(edge: Edge, enforcer: Enforcer) -> None:
    wide = Delta(add=members(["10.0.0.0/15", "192.0.2.9/32"]))
    with enforcer.client() as client:
        client.change(add(*SOME))
        before = held(edge)
        assert refused(lambda: client.change(wide)) is Code.TOO_WIDE
        assert refused(lambda: client.change(Delta(remove=wide.add))) is Code.TOO_WIDE
        assert refused(lambda: client.change(add("2001:db8::/31"))) is Code.TOO_WIDE
        assert refused(lambda: client.replace(members(["2001:db8::/31"]))) is Code.TOO_WIDE
        assert refused(lambda: client.change(add("192.0.2.9/32", "198.18.1.0/25"))) is Code.OVERLAP
        assert refused(lambda: client.change(add("192.0.2.9/32", "198.18.5.0/24", "198.18.5.0/25"))) is Code.OVERLAP
        assert refused(lambda: client.change(Delta(add=hosts(65536)))) is Code.FULL
        assert refused(lambda: client.replace(hosts(65537))) is Code.FULL
        bits = {SetKind(6, 64): np.full((1, 16), 1, np.uint8)}
        assert refused(lambda: client.change(Delta(add=bits))) is Code.MALFORMED
        long = {SetKind(4, None): np.array([[10, 0, 0, 0, 33]], np.uint8)}
        assert refused(lambda: client.change(Delta(add=long))) is Code.MALFORMED
        # and the connection is as good as before
        assert difference(before, held(edge)) == Delta()
        client.change(add("192.0.2.9/32"))
    said = [line for line in enforcer.log() if line["event"] == "refused a request"]
    assert 1 <= len(said) < 10, "one line a second"
    assert said[0]["code"] == "TOO_WIDE"


def test_a_bound_can_be_set(edge: Edge) -> None:
    with Enforcer(widest4=24, widest6=48) as enforcer, enforcer.client() as client:
        assert refused(lambda: client.change(add("10.0.0.0/23"))) is Code.TOO_WIDE
        assert refused(lambda: client.change(add("2001:db8::/47"))) is Code.TOO_WIDE
        client.change(add("10.0.0.0/24", "2001:db8::/48"))


BAD_FRAMES = {
    "another version": (struct.pack(">BBI", VERSION + 1, Type.HELLO, 0), Code.VERSION),
    "no such request": (struct.pack(">BBI", VERSION, 99, 0), Code.MALFORMED),
    "too long": (struct.pack(">BBI", VERSION, Type.CHANGE, requests.MOST + 1), Code.TOO_MANY),
    "an answer": (requests.frame(Type.DONE), Code.MALFORMED),
    "hello with something": (requests.frame(Type.HELLO, b"x"), Code.MALFORMED),
    "a change of nothing at all": (requests.frame(Type.CHANGE), Code.MALFORMED),
    "a kind that there is not": (
        requests.frame(Type.CHANGE, struct.pack(">BBIB", 1, len(KINDS), 0, 0)),
        Code.MALFORMED,
    ),
    "a kind twice": (requests.frame(Type.CHANGE, struct.pack(">BBIBIB", 2, 0, 0, 0, 0, 0)), Code.MALFORMED),
    "more rows than there are": (requests.frame(Type.CHANGE, struct.pack(">BBI", 1, 0, 9) + bytes(9)), Code.MALFORMED),
    "octets left over": (requests.frame(Type.CHANGE, bytes(3)), Code.MALFORMED),
    "a chunk of nothing begun": (requests.frame(Type.CHUNK, b"\0"), Code.OUT_OF_TURN),
    "a commit of nothing begun": (requests.frame(Type.COMMIT), Code.OUT_OF_TURN),
    "half a group": (requests.frame(Type.NFLOG, b"\0"), Code.MALFORMED),
}


def test_what_cannot_be_read_is_refused(edge: Edge, enforcer: Enforcer) -> None:
    for name, (data, code) in BAD_FRAMES.items():
        kind, payload = raw(enforcer, data)
        assert kind is Type.REFUSED, name
        assert requests.unpack_refusal(payload).code is code, name
    assert held(edge) == {}
    assert enforcer.stop()["op25b_enforcer_refused"] == len(BAD_FRAMES)


def test_without_live_sets(edge: Edge, enforcer: Enforcer, nft: Callable[..., str]) -> None:
    with enforcer.client() as client:
        client.change(add(*SOME))
        epoch = client.state.epoch
        nft("delete table inet op25b")
        assert client.hello().sizes == ()
        assert refused(lambda: client.change(add(*SOME))) is Code.NO_LIVE_SETS
        assert refused(lambda: client.replace(members(SOME))) is Code.NO_LIVE_SETS
        assert refused(client.read) is Code.NO_LIVE_SETS
        assert client.seen() == {}
        edge.apply(POLICY)
        state = client.change(add("192.0.2.9/32"))
        assert (state.sizes, state.epoch != epoch) == ((65536,), True)
        assert client.replace(members(SOME)).missing == 4
        assert client.state.epoch == state.epoch


def test_one_replace_at_a_time_and_a_broken_connection_gives_it_up(edge: Edge, enforcer: Enforcer) -> None:
    with enforcer.client() as client:
        client.change(add(*SOME))
        with enforcer.socket() as peer:
            peer.sendall(requests.frame(Type.BEGIN))
            assert answered(peer)[0] is Type.DONE
            peer.sendall(requests.frame(Type.CHUNK, requests.pack_members(hosts(100))))
            assert answered(peer)[0] is Type.DONE
            assert refused(lambda: client.replace({})) is Code.BUSY
            client.change(add("192.0.2.9/32"))
        assert difference(members([*SOME, "192.0.2.9/32"]), held(edge)) == Delta()
        # as soon as the enforcer has noticed
        until(lambda: granted(lambda: client.replace(members(SOME))))
        assert client.state == State(1, (65536,), 0, 1)


def test_who_is_not_allowed_or_too_many_is_turned_away(edge: Edge) -> None:
    with Enforcer(uids=[NOBODY]) as enforcer:
        assert refused(enforcer.client) is Code.NOT_ALLOWED
    with Enforcer(connections=2) as enforcer, enforcer.client() as first, enforcer.client():
        assert refused(enforcer.client) is Code.TOO_MANY
        first.change(add(*SOME))
        first.close()
        # its place is free as soon as the enforcer has noticed
        until(lambda: granted(lambda: enforcer.client().close()))


def granted(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except Refused:
        return False
    return True


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_who_is_slow_is_cut_off(edge: Edge) -> None:
    with Enforcer(patience=0.3) as enforcer, enforcer.client() as client:
        with enforcer.socket() as half:
            half.sendall(requests.frame(Type.HELLO)[:3])
            assert ended(half)
        with enforcer.socket() as body:
            body.sendall(requests.frame(Type.CHANGE, bytes(99))[:50])
            assert ended(body)
        with enforcer.socket() as silent:
            silent.sendall(requests.frame(Type.BEGIN))
            assert ended(silent)
        client.change(Delta(add=hosts(60_000)))
        with enforcer.socket() as deaf:
            deaf.sendall(20 * requests.frame(Type.READ))
            hung_up = select.poll()
            hung_up.register(deaf, select.POLLHUP)
            assert hung_up.poll(20_000)
        assert client.replace({}).extra == 60_000
        assert {line["event"] for line in enforcer.log()} == {"a client was too slow"}


def test_log_records_come_through_the_descriptor(enforcer: Enforcer, traffic: Traffic) -> None:
    with enforcer.client() as client:
        with client.nflog(25) as log:
            log.settimeout(10)
            assert refused(lambda: client.nflog(25)) is Code.BUSY
            assert traffic.passing() == "d"
            assert b"op25b refused phase/block" in log.recv(1 << 17)
        client.nflog(25).close()


def test_another_size_while_it_is_asked(edge: Edge, enforcer: Enforcer) -> None:
    larger = POLICY + "[filter]\nexempt_size = 70000\n"
    with enforcer.client() as client:
        client.replace(hosts(20_000))
        child = os.fork()
        if not child:
            try:
                with Netlink() as link:
                    Edge(link, edge.records).apply(larger)
                os._exit(0)
            finally:
                os._exit(1)
        number = 0
        while client.state.sizes != (70_000,):
            number += 1
            row = hosts(1, (11 << 24) + number)
            client.change(Delta(add=row, remove=hosts(1, (10 << 24) + number)))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert number > 1
        wanted = {HOSTS4: np.concatenate([hosts(20_000)[HOSTS4], hosts(number, (11 << 24) + 1)[HOSTS4]])}
        gone = hosts(number, (10 << 24) + 1)
        assert difference(difference(wanted, gone).add, held(edge)) == Delta()
    assert edge.verify(larger) == []


def test_killed_in_the_midst(edge: Edge, enforcer: Enforcer) -> None:
    """What the kernel has is what was there before, or all of what was asked; a replace after that mends it."""
    before, after = hosts(50_000), hosts(50_000, 11 << 24)
    swap = Delta(add=after, remove=before)
    found = set()
    for number in range(10):
        client = enforcer.client()
        client.replace(before)
        packed = [requests.frame(Type.CHANGE, requests.pack_delta(swap))]
        if number % 2:
            packed = [requests.frame(Type.BEGIN), requests.frame(Type.CHUNK, requests.pack_members(after))]
            packed.append(requests.frame(Type.COMMIT))
        with enforcer.socket() as peer:
            peer.sendall(b"".join(packed))
            time.sleep(0.02 * number)
            enforcer.kill()
        with pytest.raises(Away):
            client.hello()
        now = held(edge)
        assert difference(now, before) == Delta() or difference(now, after) == Delta()
        found.add(difference(now, after) == Delta())
        enforcer.start()
    assert found == {False, True}, "the instants do not enclose the transaction"
    with enforcer.client() as client:
        client.replace(members(SOME))
    assert difference(members(SOME), held(edge)) == Delta()


def test_told_to_stop_and_orphaned(edge: Edge, enforcer: Enforcer) -> None:
    with enforcer.client() as client:
        assert enforcer.stop()["op25b_enforcer_requests"] == 1
        with pytest.raises(Away):
            client.hello()
    enforcer.start()
    with enforcer.client():
        os.close(enforcer._alive)
        enforcer._alive = -1
        assert enforcer.process.wait(timeout=20) == 0


def test_without_the_privilege_it_says_so(netns: None) -> None:
    without = [part.replace(",+net_admin", "") for part in ALONE]
    with Enforcer(*without, uids=[0]) as enforcer:
        assert enforcer.process.wait(timeout=30) == 1
        assert "CAP_NET_ADMIN" in Path(enforcer._folder.name, "log").read_text()


def test_one_capability_is_all_it_needs_and_has(edge: Edge, traffic: Traffic) -> None:
    with Enforcer(*ALONE, uids=[0]) as enforcer, enforcer.client() as client:
        client.change(add("198.18.1.0/24", "2001:db8:1::/48"))
        assert traffic.passing() == "ad"
        assert client.replace({}).extra == 2
        client.nflog(25).close()
        client.seen()
        pairs = (line.partition(":") for line in Path(f"/proc/{enforcer.process.pid}/status").read_text().splitlines())
        status = {name: value.split() for name, _, value in pairs}
        assert [status[name] for name in ("CapPrm", "CapEff", "CapBnd")] == [[f"{1 << 12:016x}"]] * 3
        assert status["Uid"] == status["Gid"] == [str(NOBODY)] * 4
        assert status["NoNewPrivs"] == ["1"]


_TRIES = """
import os, socket
for what in (lambda: open("/etc/shadow"), lambda: os.kill(1, 0), lambda: os.setuid(0),
             lambda: socket.create_server(("127.0.0.1", 25))):
    try:
        what()
        print("done")
    except OSError as error:
        print(type(error).__name__)
"""


def test_with_that_capability_nothing_else_is_allowed(netns: None) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    done = subprocess.run([*ALONE, sys.executable, "-c", _TRIES], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["PermissionError"] * 4


def test_it_carries_little(netns: None) -> None:
    program = (
        "import sys, op25b.enforcement.enforcer\n"
        "print(*(name for name in ('sqlalchemy', 'pydantic', 'sqlite3') if name in sys.modules))\n"
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')))"
    )
    loaded, kilobytes = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert loaded == ""
    assert int(kilobytes) < 64 << 10


def test_random_octets_change_nothing(edge: Edge, enforcer: Enforcer) -> None:
    """Frames that are nearly right too: it stays up, and the kernel holds what it held."""
    with enforcer.client() as client:
        client.replace(members(SOME))
    framed = st.builds(
        lambda kind, payload: HEADER.pack(VERSION, kind, len(payload)) + payload,
        st.sampled_from([Type.HELLO, Type.CHANGE, Type.CHUNK, Type.BEGIN, Type.ABORT, Type.READ, 0, 77, 255]),
        st.binary(max_size=60),
    )

    @settings(max_examples=150)
    @given(st.lists(st.one_of(framed, st.binary(min_size=1, max_size=40)), min_size=1, max_size=4))
    def sent(parts: list[bytes]) -> None:
        with enforcer.socket() as peer:
            peer.sendall(b"".join(parts))
            peer.shutdown(socket.SHUT_WR)
            assert ended(peer)

    sent()
    after = held(edge)
    # a random change could be a right one; what it adds then is a prefix that nobody had asked for: there is none
    assert difference(members(SOME), after) == Delta()
    assert enforcer.process.poll() is None
    assert enforcer.stop()["op25b_enforcer_refused"] > 20
    assert not any("Traceback" in str(line) or "fault" in line["event"] for line in enforcer.log())


def test_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(Away, match="no enforcer answers there"):
        Client(tmp_path / "none")


def test_members_are_normal_after_a_replace(edge: Edge, enforcer: Enforcer) -> None:
    wanted = members(["198.18.0.0/16", "198.18.4.0/24", "192.0.2.1/32", "192.0.2.1/32"])
    with enforcer.client() as client:
        assert client.replace(wanted).missing == 2
        assert {kind: rows.tolist() for kind, rows in client.read().items()} == {
            kind: rows.tolist() for kind, rows in normal(wanted).items()
        }
