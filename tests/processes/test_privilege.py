"""What a job may do, by what the kernel says of it."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from op25b.errors import Missing, UserError
from op25b.processes import logs, privilege
from op25b.processes.notify import Notifier
from op25b.processes.privilege import Capability, Identity
from op25b.processes.supervisor import Job, Supervisor

NOBODY = pwd.getpwnam("nobody")
IS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")
NONE = "0" * 16


def _facts() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _privileges(facts: dict[str, str]) -> list[str]:
    return [facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")]


def _supervised(whom: Identity | None, **jobs: tuple[Capability, ...]) -> dict[str, dict[str, str]]:
    """What the kernel says of each job of a supervisor, and of what it runs."""
    with TemporaryDirectory() as place:  # those of tmp_path are for their owner only
        os.chmod(place, 0o777)
        return _supervised_in(Path(place), whom, jobs)


def _supervised_in(
    folder: Path, whom: Identity | None, jobs: dict[str, tuple[Capability, ...]]
) -> dict[str, dict[str, str]]:

    def job(name: str, keeps: tuple[Capability, ...]) -> Job:
        def run(_: int) -> None:
            (folder / f"{name}.tmp").write_text(Path("/proc/self/status").read_text())
            (folder / f"{name}.tmp").rename(folder / name)
            ran = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True)
            (folder / f"{name}-ran").write_text(ran.stdout)
            signal.pause()

        return Job(name, run, keeps=keeps, ready=(folder / f"{name}-ran").exists)

    if (pid := os.fork()) == 0:
        signal.alarm(30)
        made = [job(name, keeps) for name, keeps in jobs.items()]
        supervisor = Supervisor(made, logs.start("supervisor"), Notifier({}), lambda: None, lambda: None, 0, whom=whom)
        last = made[-1]
        ready = last.ready
        # all are ready: it is told to stop
        last.ready = lambda: ready() and (os.kill(os.getpid(), signal.SIGTERM) or True)
        try:
            os._exit(supervisor.run())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    found = {}
    for path in folder.iterdir():
        lines = (line.partition(":") for line in path.read_text().splitlines())
        found[path.name] = {name: value.strip() for name, _, value in lines}
    return found


@pytest.mark.root
@IS_ROOT
def test_a_job_of_root_keeps_what_it_is_given_and_nothing_else() -> None:
    found = _supervised(None, enforcer=(Capability.NET_ADMIN,), worker=())
    net_admin = f"{1 << 12:016x}"
    assert _privileges(found["enforcer"]) == [NONE, net_admin, net_admin, net_admin, NONE, "1"]
    assert _privileges(found["worker"]) == [NONE, NONE, NONE, NONE, NONE, "1"]
    assert _privileges(found["worker-ran"]) == [NONE, NONE, NONE, NONE, NONE, "1"]


@pytest.mark.root
@IS_ROOT
def test_a_job_becomes_the_user_and_gets_nothing_back_by_exec() -> None:
    whom = Identity("nobody", NOBODY.pw_uid, NOBODY.pw_gid)
    found = _supervised(whom, enforcer=(Capability.NET_ADMIN,), worker=())
    for name in ("enforcer", "worker", "enforcer-ran", "worker-ran"):
        assert set(found[name]["Uid"].split()) == {str(NOBODY.pw_uid)}
        assert set(found[name]["Gid"].split()) == {str(NOBODY.pw_gid)}
        assert found[name]["Groups"] == ""
    assert int(found["enforcer"]["CapEff"], 16) == 1 << 12
    assert _privileges(found["enforcer-ran"])[1:3] == [NONE, NONE]
    assert _privileges(found["worker"]) == [NONE, NONE, NONE, NONE, NONE, "1"]


@pytest.mark.parametrize(("ending", "status"), [(UserError("mend it"), 2), (Missing("get it"), 3), (None, 0)])
def test_what_a_check_finds_is_said_here(ending: Exception | None, status: int) -> None:
    def check() -> None:
        assert not privilege.has(Capability.NET_ADMIN)
        if ending is not None:
            raise ending

    if ending is None:
        privilege.tried(check, None)
    else:
        with pytest.raises(type(ending), match=str(ending)):
            privilege.tried(check, None)


def test_a_check_that_breaks_is_no_success() -> None:
    with pytest.raises(UserError, match="status 1"):
        privilege.tried(lambda: 1 // 0, None)


def test_a_user_that_there_is_not() -> None:
    with pytest.raises(UserError, match="no user 'no-such-user'; `useradd --system"):
        privilege.identity("no-such-user")


def test_nobody_to_become() -> None:
    assert privilege.identity(None) is None
    assert privilege.identity(pwd.getpwuid(os.geteuid()).pw_name) is None


def _without(*capabilities: str, code: str) -> str:
    done = subprocess.run(
        ["setpriv", "--bounding-set", ",".join(f"-{each}" for each in capabilities), sys.executable, "-c", code],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.root
@IS_ROOT
def test_a_privilege_that_is_not_there_is_named() -> None:
    code = "from op25b.processes.privilege import *\n"
    said = _without("setuid", code=f"{code}identity('nobody')")
    assert "may not become nobody; start it as root, or as nobody" in said
    said = _without("net_admin", code=f"{code}require(Capability.NET_ADMIN, 'the enforcer')")
    assert "the enforcer needs the capability CAP_NET_ADMIN; run it as root" in said


@pytest.mark.root
@IS_ROOT
def test_a_user_whom_the_namespace_does_not_know() -> None:
    code = "from op25b.processes.privilege import *\ndrop((), Identity('daemon', 54321, 54321))"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        pytest.skip("no user namespaces here")
    assert "this process may not become daemon (" in done.stderr
    assert "in a user namespace, map its ids" in done.stderr
