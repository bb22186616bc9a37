"""Files that are followed while a server writes them; dnsmasq is a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from op25b.store import Store
from op25b.subscribers.leases import Leases, all_holders, under_way
from op25b.subscribers.leases.files.entry import Subscribers
from op25b.subscribers.leases.files.following import Following, Growing, Rewritten, known

NOW = datetime(2026, 4, 1, 0, 10, tzinfo=UTC)
T0 = 1775001600
HEADER = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"


def kea(host: int, at: int, lifetime: int = 3600, state: int = 0) -> str:
    return f"192.0.2.{host},02:00:00:00:00:{host:02x},,{lifetime},{T0 + at + lifetime},1,0,0,,{state},\n"


class Followed:
    """A file that is followed into a store."""

    def __init__(self, store: Store, path: Path, kind: Callable[..., Following]) -> None:
        self.store, self.path, self.faults = store, path, 0
        with store.read() as connection:
            self.following = kind(path, "dhcp", Subscribers(), known(under_way(connection, "dhcp")))

    def step(self, times: int = 1, now: datetime = NOW) -> dict[str, str]:
        """Who holds what after some steps."""
        for _ in range(times):
            found = self.following.step(now)
            self.faults += len(found.faults)
            Leases(self.store, None).merge(found.facts, now)
        with self.store.read() as connection:
            return all_holders(connection, now)


def holders(*hosts: int) -> dict[str, str]:
    return {f"192.0.2.{host}/32": f"02:00:00:00:00:{host:02x}" for host in hosts}


def test_kea_adds_lines(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "kea-leases4.csv"
    path.write_text(HEADER + kea(10, 0))
    followed = Followed(store, path, Growing)
    assert followed.step() == holders(10)
    with path.open("a") as file:
        file.write(kea(11, 60)[:20])
        file.flush()
        assert followed.step() == holders(10)
        file.write(kea(11, 60)[20:] + kea(10, 0, 0))
    assert followed.step() == holders(11)
    assert followed.faults == 0


def test_kea_cleans_up(store: Store, tmp_path: Path) -> None:
    """The file is renamed and begun anew; what was written to the old one until then is not lost."""
    path = tmp_path / "kea-leases4.csv"
    path.write_text(HEADER + kea(10, 0))
    followed = Followed(store, path, Growing)
    followed.step()
    with path.open("a") as file:
        file.write(kea(11, 60))
    path.rename(tmp_path / "kea-leases4.csv.1")
    path.write_text(HEADER + kea(12, 120))
    assert followed.step(3) == holders(10, 11, 12)


def test_a_restart_reads_what_kea_would_and_makes_no_new_sessions(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "kea-leases4.csv"
    (tmp_path / "kea-leases4.csv.2").write_text(HEADER + kea(10, 0) + kea(11, 0))
    (tmp_path / "kea-leases4.csv.1").write_text(HEADER + kea(11, 60, 0) + kea(12, 60))
    path.write_text(HEADER + kea(12, 300))
    assert Followed(store, path, Growing).step(4) == holders(10, 12)
    with store.read() as connection:
        before = under_way(connection, "dhcp")
    (tmp_path / "kea-leases4.csv.completed").write_text(HEADER + kea(10, 0) + kea(12, 60))
    assert Followed(store, path, Growing).step(4) == holders(10, 12)
    with store.read() as connection:
        assert under_way(connection, "dhcp") == before


def test_a_bad_line_is_counted_and_the_others_are_taken(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "kea-leases4.csv"
    path.write_text(HEADER + kea(10, 0) + "garbage\n" + kea(11, 0).replace("02:00", "x" * 300) + kea(12, 0))
    followed = Followed(store, path, Growing)
    assert followed.step() == holders(10, 12)
    assert followed.faults == 2


def test_an_endless_line_takes_no_memory(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "kea-leases4.csv"
    path.write_text(HEADER + "x" * 5_000_000)
    followed = Followed(store, path, Growing)
    followed.step(6)
    with path.open("a") as file:
        file.write("\n" + kea(10, 0))
    assert followed.step(2) == holders(10)
    assert followed.faults


def test_dnsmasq_rewrites_its_file(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "dnsmasq.leases"

    def written(second: int, *hosts: int) -> None:
        path.write_text("".join(f"0 02:00:00:00:00:{host:02x} 192.0.2.{host} * *\n" for host in hosts))
        os.utime(path, (T0 + second, T0 + second))

    written(0, 10, 11)
    followed = Followed(store, path, Rewritten)
    assert followed.step() == holders(10, 11)
    path.write_text("")
    assert followed.step() == holders(10, 11)
    written(60, 11, 12)
    assert followed.step() == holders(10, 11, 12)
    assert followed.step() == holders(11, 12)
    written(90, 12)
    assert Followed(store, path, Rewritten).step(2) == holders(12)
    path.write_text("0 02:00:00:00:00:0d 192.0.2.13 * *\n0 02:00")
    assert Followed(store, path, Rewritten).step(3) == holders(12, 13)


@contextmanager
def server(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """dnsmasq and a client's host, each in a namespace; gives the DHCP client there, which has its lease."""
    names = {end: f"op25b-{end}-{os.getpid()}" for end in ("dhcp", "host")}
    leases, script = folder / "dnsmasq.leases", folder / "udhcpc.sh"
    # it must have its address: a release is sent from there
    script.write_text('#!/bin/sh\n[ "$1" != bound ] || ip addr replace "$ip/24" dev "$interface"\n')
    script.chmod(0o755)

    def run(*command: object) -> None:
        subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=30)

    try:
        for name in names.values():
            run("ip", "netns", "add", name)
        veth = ("type", "veth", "peer", "name", "eth0", "netns", names["host"])
        run("ip", "-n", names["dhcp"], "link", "add", "eth0", "address", "02:00:00:00:00:01", *veth)
        run("ip", "-n", names["host"], "link", "set", "eth0", "address", "02:00:00:00:00:0a")
        run("ip", "-n", names["dhcp"], "addr", "add", "192.0.2.1/24", "dev", "eth0")
        for name in names.values():
            run("ip", "-n", name, "link", "set", "eth0", "up")
        options = ["--conf-file=/dev/null", "--port=0", "--user=root", "--keep-in-foreground", "--pid-file="]
        options += [f"--dhcp-leasefile={leases}", "--dhcp-range=192.0.2.10,192.0.2.10,1h", "--dhcp-authoritative"]
        options += ["--no-ping", f"--log-facility={folder}/log"]
        client = ["udhcpc", "-f", "-i", "eth0", "-R", "-t", "60", "-T", "1", "-s", str(script)]
        with (
            subprocess.Popen(["ip", "netns", "exec", names["dhcp"], "dnsmasq", *options]) as dnsmasq,
            subprocess.Popen(["ip", "netns", "exec", names["host"], *client]) as udhcpc,
        ):
            try:
                await_(lambda: leases.exists() and leases.read_text() != "")
                yield udhcpc
            finally:
                udhcpc.terminate()
                dnsmasq.terminate()
    finally:
        for name in names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False)


@pytest.mark.root
@pytest.mark.skipif(not shutil.which("dnsmasq") or not shutil.which("udhcpc"), reason="dnsmasq or udhcpc is missing")
def test_a_real_dnsmasq_and_its_client(store: Store, tmp_path: Path) -> None:
    with server(tmp_path) as client:
        followed = Followed(store, tmp_path / "dnsmasq.leases", Rewritten)
        assert followed.step(1, datetime.now(UTC)) == holders(10)
        with store.read() as connection:
            [held] = under_way(connection, "dhcp").values()
        assert held.expires is not None
        assert timedelta(minutes=55) < held.expires - datetime.now(UTC) <= timedelta(hours=1)
        # with its end it gives the lease back
        client.terminate()
        await_(lambda: not followed.step(1, datetime.now(UTC)))


def await_(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)
