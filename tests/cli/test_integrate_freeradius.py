"""What `op25b integrate freeradius` prints; that a real FreeRADIUS takes it: tests/subscribers/accounting."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from op25b.cli import integrate_freeradius
from op25b.cli.integrate import app
from op25b.errors import UserError

TOKEN = "0123456789abcdef"
CONFIG = """
policy = "policy.toml"
store = "sqlite:////var/lib/op25b/op25b.db"

[leases]
{leases}
"""
HTTP = '[leases.http]\naddress = "{address}"\nport = 9527\ntoken_file = "token"\n'


def printed(folder: Path, leases: str, *options: str) -> str:
    (folder / "service.toml").write_text(CONFIG.format(leases=leases))
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    done = CliRunner().invoke(app, ["freeradius", str(folder / "service.toml"), *options])
    if done.exception is not None:
        raise done.exception
    return done.stdout


@pytest.mark.parametrize(
    ("address", "url"), [("192.0.2.10", "http://192.0.2.10:9527"), ("2001:db8::10", "http://[2001:db8::10]:9527")]
)
def test_freeradius_posts_to_where_op25b_listens(tmp_path: Path, address: str, url: str) -> None:
    module = printed(tmp_path, HTTP.format(address=address), "--file", integrate_freeradius.MODULE)
    assert f'    connect_uri = "{url}"\n' in module
    assert f"        password = '{TOKEN}'\n" in module
    policy = printed(tmp_path, HTTP.format(address=address), "--file", integrate_freeradius.POLICY)
    assert TOKEN not in policy
    both = printed(tmp_path, HTTP.format(address=address))
    assert module.strip() in both
    assert policy.strip() in both


def test_nothing_to_tell(tmp_path: Path) -> None:
    leases = '[[leases.listen]]\naddress = "192.0.2.10"\n[[leases.clients]]\nprefix = "198.51.100.1"\nsecret_file = "s"'
    with pytest.raises(UserError, match=r"there is no \[leases\.http\]"):
        printed(tmp_path, leases)
