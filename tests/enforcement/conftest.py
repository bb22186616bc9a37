"""A network namespace of its own for each test that wants the kernel's packet filter."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from op25b.enforcement.generations import Records
from op25b.enforcement.netlink import Netlink
from tests.support.enforced import NEIGHBOURS, Edge, of_others
from tests.support.traffic import Traffic

CLONE_NEWNET = 0x40000000

Nft = Callable[..., str]


@pytest.fixture
def netns() -> Iterator[None]:
    """The test, and the programs it starts, are in a fresh network namespace, which goes away after it."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            yield
        finally:
            if libc.setns(before, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(before)


@pytest.fixture
def nft(netns: None) -> Nft:
    """Run nft commands given as text, and return what it prints; `nft("list ...", "-j")` passes options on."""

    def run(commands: str, *options: str) -> str:
        # Options such as -j concern a file's syntax too, so the commands are an argument then.
        source = [commands] if options else ["-f", "-"]
        done = subprocess.run(["nft", *options, *source], input=commands, text=True, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def link(netns: None) -> Iterator[Netlink]:
    """A socket to nf_tables of the test's namespace."""
    with Netlink() as opened:
        yield opened


@pytest.fixture
def edge(link: Netlink, tmp_path: Path) -> Edge:
    """The test's namespace as a router, with nothing applied yet."""
    return Edge(link, Records(tmp_path / "state"))


@pytest.fixture
def others(nft: Nft) -> Iterator[None]:
    """Tables of other people, which must be left as they are."""
    nft(NEIGHBOURS)
    before = of_others()
    yield
    assert of_others() == before


@pytest.fixture
def traffic(netns: None) -> Iterator[Traffic]:
    """Customers behind it, and somebody whom they send to."""
    with Traffic() as opened:
        yield opened
