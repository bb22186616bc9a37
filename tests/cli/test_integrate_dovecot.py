"""What `op25b integrate dovecot` prints; that a real Dovecot takes it is shown in tests/submission/driver."""

from __future__ import annotations

from pathlib import Path

import pytest

from op25b.cli.integrate_dovecot import snippet
from op25b.cli.service.config import Config, load
from op25b.errors import UserError
from tests.support.service import CONFIG

SECRET = "0123456789abcdef"


def _config(folder: Path, tables: str) -> Config:
    ports = [587, 465, 25, 9525]
    store = f"sqlite:///{folder}/op25b.db"
    text = CONFIG.format(folder=folder, workers=1, submission="", store=store, ports=ports, tables=tables)
    (folder / "service.toml").write_text(text)
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    return load(folder / "service.toml")


@pytest.mark.parametrize(
    ("address", "url"), [("192.0.2.10", "http://192.0.2.10:9526/"), ("2001:db8::10", "http://[2001:db8::10]:9526/")]
)
def test_the_exporter_posts_to_where_op25b_listens(tmp_path: Path, address: str, url: str) -> None:
    printed = snippet(_config(tmp_path, f'[pop]\naddress = "{address}"\nsecret_file = "secret"\n'), "op25b")
    assert f"  transport_args = {url}{SECRET}\n" in printed
    assert "success=yes and service=pop3\n" in printed
    assert "unix_listener" not in printed


def test_the_socket_is_op25b_s_alone(tmp_path: Path) -> None:
    printed = snippet(_config(tmp_path, '[accounts]\ndovecot = "/run/dovecot/auth-op25b"\n'), "mailer")
    assert "  unix_listener /run/dovecot/auth-op25b {\n    mode = 0600\n    user = mailer\n" in printed
    assert "event_exporter" not in printed


def test_nothing_to_tell(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither \[pop\] nor accounts\.dovecot"):
        snippet(_config(tmp_path, ""), "op25b")


def test_no_secret_no_snippet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere: cannot be read"):
        snippet(_config(tmp_path, '[pop]\nsecret_file = "nowhere"\n'), "op25b")
