"""The edge as its operator runs it: beside the filter an `op25b serve` that takes in who holds which address, keeps the
filter's exemptions in step with them, and watches."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from op25b.errors import Missing
from op25b.lab import service
from op25b.lab.addresses import Address
from op25b.lab.freeradius import radiusd_conf
from op25b.lab.holder import WORK
from op25b.lab.hosts import Lab
from op25b.lab.leases import Lease, Status, accounting
from op25b.lab.namespaces import environment
from op25b.lab.service import STORE

NAME = "router"
POLICY, STATE = f"{WORK}/edge.toml", f"{WORK}/edge.state"
ACCOUNTING = 1813
_RADDB = f"{WORK}/freeradius"
_SECRET, _TOKEN = "etc/radius.secret", "etc/http.token"


def service_toml(address: Address) -> str:
    """Pure: what `op25b serve` is told on a router that has this address for its own."""
    return f"""\
policy = "{POLICY}"
store = "{STORE}"
[[leases.listen]]
address = "{address}"
[[leases.clients]]
prefix = "{address}"
secret_file = "{_SECRET}"
[leases.http]
address = "{address}"
token_file = "{_TOKEN}"
[enforcer]
socket = "enforcer"
[follower]
name = "edge"
state = "{STATE}"
enforcer = "enforcer"
[watch]
enforcer = "enforcer"
look_seconds = 1
"""


@dataclass(frozen=True)
class Starting:
    """The router's service on its way up, and FreeRADIUS where it can run."""

    service: service.Starting
    freeradius: subprocess.Popen[str] | None

    @classmethod
    def begin(cls, lab: Lab, policy: str) -> Starting:
        """Write all files, and start them."""
        folder = lab.files / NAME
        (folder / "etc").mkdir(parents=True)
        (lab.files / Path(POLICY).name).write_text(policy)
        (folder / "service.toml").write_text(service_toml(_address(lab, "edge")))
        for name in (_SECRET, _TOKEN):
            (folder / name).touch(0o600)
            (folder / name).write_text(secrets.token_hex(16))
        freeradius = _begin_freeradius(lab) if lab.has_freeradius else None
        return cls(service.Starting.begin(lab, "edge", NAME), freeradius)

    def wait(self, lab: Lab, seconds: float) -> None:
        """Until both serve. Raises Missing with what one of them said instead."""
        self.service.wait()
        if self.freeradius and self.freeradius.wait(seconds):
            said = [lab.files / "freeradius" / name for name in ("started", "log")]
            raise Missing(f"FreeRADIUS did not start: {''.join(f.read_text() for f in said if f.exists()).strip()}")


def report(lab: Lab, reports: Iterable[tuple[Status, Lease]]) -> None:
    """The edge, as an access server, reports sessions: to FreeRADIUS where there is one, which hands them on. Returns
    when all were acknowledged; raises subprocess.CalledProcessError if one was not."""
    server = _address(lab, "radius" if lab.has_freeradius else "edge")
    # patient: where several labs share few processors, its own 15 seconds are soon over
    command = [
        "radclient",
        "-q",
        "-r",
        "9",
        "-t",
        "3",
        "-S",
        f"{WORK}/{NAME}/{_SECRET}",
        f"{server}:{ACCOUNTING}",
        "acct",
    ]
    lab.run("edge", command, input=accounting(reports), check=True)


def _begin_freeradius(lab: Lab) -> subprocess.Popen[str]:
    """Start FreeRADIUS with what `op25b integrate freeradius` prints. It has started when this ends."""
    folder = lab.files / "freeradius"
    for name in ("mods-enabled", "policy.d"):
        (folder / name).mkdir(parents=True)
    secret = (lab.files / NAME / _SECRET).read_text()
    conf = radiusd_conf(
        _RADDB,
        (str(_address(lab, "radius")), ACCOUNTING),
        (str(_address(lab, "edge")), secret),
        modules="$INCLUDE mods-enabled/op25b",
        policy="$INCLUDE policy.d/op25b",
        accounting="op25b",
    )
    (folder / "radiusd.conf").write_text(conf)
    printing = f"{sys.executable} -m op25b integrate freeradius {WORK}/{NAME}/service.toml"
    # each file has a line with its name before it
    split = "awk '/^# --- / { file = $3; next } { print > file }'"
    script = [f"cd {_RADDB}", f"{printing} >both", f"{split} both", f"exec freeradius -d {_RADDB} -n radiusd"]
    with (folder / "started").open("w") as said:
        return subprocess.Popen(
            lab.command("radius", ["sh", "-c", " && ".join(script)]),
            stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, text=True, env=environment(),
        )  # fmt: skip


def _address(lab: Lab, host: str) -> Address:
    found = lab.plan.host(host).address(4)
    assert found is not None
    return found
