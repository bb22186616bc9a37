"""Servers whose Debian packages conflict with postfix: unpacked into the build folder, never installed.

They look for their users by name and for their files at fixed paths, so each runs in a mount namespace of its own, with
a passwd file that has the users, and with folders of the run in place of those of the host.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from op25b.errors import Missing

ROOT = Path(__file__).parents[2] / "build" / "bench"
PACKAGES = {
    "opensmtpd": ("opensmtpd",),
    "exim4": ("exim4-daemon-light", "exim4-base"),
    "sendmail": ("sendmail-bin", "sendmail-base", "sendmail-cf", "m4"),
}
# only those of their libraries that a host may lack
LIBRARIES = (
    *("libevent-2.1-7", "libdb5.3", "libgnutls-dane0", "libidn12", "libnsl2", "libpcre2-8-0", "libunbound8"),
    "libwrap0",
)
USERS = {"opensmtpd": 64901, "opensmtpq": 64902, "Debian-exim": 64903}


def unpacked(name: str) -> Path:
    """The folder with a server's files as below `/`. Raises Missing if they cannot be had."""
    folder = ROOT / name
    if not folder.exists():
        for program in ("apt-get", "dpkg"):
            if shutil.which(program) is None:
                raise Missing(f"{name} is taken from Debian's packages; this host has no {program}")
        debs, new = ROOT / "debs", ROOT / f"{name}.new"
        debs.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(new, ignore_errors=True)
        for package in (*PACKAGES[name], *LIBRARIES):
            _unpack(package, debs, new)
        new.rename(folder)
    return folder


def _unpack(package: str, debs: Path, folder: Path) -> None:
    command = ["apt-get", "-qq", "download", "-o", "APT::Sandbox::User=root", package]
    done = subprocess.run(command, cwd=debs, capture_output=True, text=True, check=False)
    found = sorted(debs.glob(f"{package}_*.deb"))
    if done.returncode or not found:
        raise Missing(f"the package {package} cannot be had: {done.stderr.strip()[:200] or 'apt-get update may help'}")
    subprocess.run(["dpkg", "-x", str(found[-1]), str(folder)], check=True)


def inside(name: str, binds: Mapping[Path, str], folder: Path, command: list[str]) -> list[str]:
    """A command as run with the package's files: `binds` are folders of the run and the host's path of each."""
    root = unpacked(name)
    passwd, group = folder / "passwd", folder / "group"
    users = "".join(f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n" for user, number in USERS.items())
    passwd.write_text(Path("/etc/passwd").read_text() + users)
    groups = "".join(f"{user}:x:{number}:\n" for user, number in USERS.items())
    group.write_text(Path("/etc/group").read_text() + groups)
    # asr(3), OpenSMTPD's resolver, asks a name server about "localhost" otherwise, and waits
    resolver = folder / "resolv.conf"
    resolver.write_text("lookup file\n")
    mounts = {passwd: "/etc/passwd", group: "/etc/group", resolver: "/etc/resolv.conf", **binds}
    script = [f"mount --bind {shlex.quote(str(path))} {target}" for path, target in mounts.items()]
    library = root / "usr" / "lib" / f"{_machine()}-linux-gnu"
    # behind the host's own, so that nothing but what is missing comes from there
    script.append(f"exec env LD_LIBRARY_PATH={_host_libraries()}:{shlex.quote(str(library))} {shlex.join(command)}")
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join(script)]


def _machine() -> str:
    return subprocess.run(["uname", "-m"], check=True, capture_output=True, text=True).stdout.strip()


def _host_libraries() -> str:
    return f"/lib/{_machine()}-linux-gnu:/usr/lib/{_machine()}-linux-gnu"
