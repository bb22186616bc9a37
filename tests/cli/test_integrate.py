"""What `integrate postfix` prints; that a real Postfix takes it is shown in tests/submission/postfix."""

from __future__ import annotations

from pathlib import Path

import pytest

from op25b.cli.main import run
from tests.support.service import HOST, POLICY

CONFIG = """
policy = "policy.toml"
store = "sqlite:////var/lib/op25b/op25b.db"
[submission]
hostname = "{host}"
server = "mail"
{submission}
[[submission.certificates]]
certificate = "/etc/op25b/tls/{host}.pem"
key = "/etc/op25b/tls/{host}.key"
{tables}
"""
BOTH = """
[postfix]
auth = "/var/spool/postfix/op25b/auth"
policy = "/var/spool/postfix/op25b/policy"
"""


class Printer:
    """Writes a configuration and a policy, and runs the command on them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, *options: str, submission: str = "", tables: str = BOTH, policy: str = POLICY) -> str:
        status, out, err = self.run(*options, submission=submission, tables=tables, policy=policy)
        assert (status, err) == (0, "")
        return out

    def run(
        self, *options: str, submission: str = "", tables: str = BOTH, policy: str = POLICY
    ) -> tuple[int, str, str]:
        (self._folder / "policy.toml").write_text(policy)
        (self._folder / "service.toml").write_text(CONFIG.format(host=HOST, submission=submission, tables=tables))
        status = run(["integrate", "postfix", str(self._folder / "service.toml"), *options])
        said = self._capsys.readouterr()
        return status, said.out, said.err


@pytest.fixture
def printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Printer:
    return Printer(tmp_path, capsys)


def _settings(text: str) -> dict[str, str]:
    """The parameters of a main.cf; continued lines are joined."""
    lines = [line for line in text.replace("\n ", " ").splitlines() if line and not line.startswith("#")]
    return {name.strip(): " ".join(value.split()) for name, _, value in (line.partition("=") for line in lines)}


def test_main_cf(printed: Printer) -> None:
    settings = _settings(printed("--file", "main.cf"))
    assert settings["myhostname"] == HOST
    assert settings["smtpd_forbid_bare_newline"] == "normalize"
    assert settings["smtpd_forbid_bare_newline_exclusions"] == ""
    assert settings["smtpd_forbid_unauth_pipelining"] == "yes"
    assert settings["smtpd_sasl_path"] == "op25b/auth"
    assert settings["smtpd_tls_chain_files"] == f"/etc/op25b/tls/{HOST}.key, /etc/op25b/tls/{HOST}.pem"
    assert settings["message_size_limit"] == "52428800"
    assert settings["virtual_mailbox_limit"] == "0"
    assert settings["mynetworks"] == "127.0.0.0/8 [::1]/128 127.0.0.2/32 [2001:db8::]/32"
    assert settings["smtpd_relay_restrictions"] == "permit_mynetworks, reject_unauth_destination"
    assert settings["smtpd_recipient_restrictions"] == "check_policy_service unix:op25b/policy"


def test_where_port_25_is_closed_to_customers_they_are_no_networks_of_postfix_s(printed: Printer) -> None:
    settings = _settings(printed("--file", "main.cf", policy=POLICY.replace("[25, 587, 465]", "[587, 465]")))
    assert settings["mynetworks"] == "127.0.0.0/8 [::1]/128"
    assert "smtpd_recipient_restrictions" not in settings
    assert "smtpd_end_of_data_restrictions" not in settings


def test_pop_before_smtp(printed: Printer) -> None:
    policy = POLICY.replace("[25, 587, 465]", "[587]") + '[submission]\npop_before_smtp = "accepted"\n'
    settings = _settings(printed("--file", "main.cf", policy=policy))
    assert settings["smtpd_relay_restrictions"] == (
        "permit_mynetworks, check_policy_service { unix:op25b/policy, policy_context=relay }, reject_unauth_destination"
    )
    assert settings["smtpd_recipient_restrictions"] == "check_policy_service unix:op25b/policy"


def test_prefixes_that_touch_are_one(printed: Printer) -> None:
    policy = POLICY.replace('"127.0.0.2/32", "2001:db8::/32"', '"192.0.2.0/25", "192.0.2.128/25", "2001:db8::/33"')
    assert _settings(printed("--file", "main.cf", policy=policy))["mynetworks"] == (
        "127.0.0.0/8 [::1]/128 192.0.2.0/24 [2001:db8::]/33"
    )


def test_over_tcp_and_elsewhere(printed: Printer) -> None:
    table = '[postfix]\nauth = "127.0.0.1:10025"\npolicy = "[::1]:10026"\n'
    settings = _settings(printed("--file", "main.cf", tables=table))
    assert settings["smtpd_sasl_path"] == "inet:127.0.0.1:10025"
    assert settings["smtpd_recipient_restrictions"] == "check_policy_service inet:[::1]:10026"
    settings = _settings(printed("--file", "main.cf", "--queue", "/var/spool/postfix-out"))
    assert settings["smtpd_sasl_path"] == "/var/spool/postfix/op25b/auth"
    assert settings["smtpd_recipient_restrictions"] == "check_policy_service unix:/var/spool/postfix/op25b/policy"


def test_the_policy_service_alone_and_log_ins_alone(printed: Printer) -> None:
    only_policy = _settings(printed("--file", "main.cf", tables=BOTH.replace("auth =", "# auth =")))
    assert "smtpd_sasl_path" not in only_policy
    only_auth = BOTH.replace("policy =", "# policy =")
    assert "smtpd_recipient_restrictions" not in _settings(printed("--file", "main.cf", tables=only_auth))
    assert "check_policy_service" not in printed("--file", "master.cf", tables=only_auth)


def test_master_cf(printed: Printer) -> None:
    text = printed("--file", "master.cf")
    submission, rest = text.split("\n465 ")
    assert "-o smtpd_tls_security_level=encrypt" in submission
    assert "-o smtpd_tls_wrappermode=no" in submission
    assert "-o smtpd_tls_wrappermode=yes" in rest
    assert text.count("-o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n") == 2
    assert text.count("check_policy_service unix:op25b/policy") == 4
    assert text.count("-o cleanup_service_name=op25b-cleanup\n") == 2
    shown = printed("--file", "master.cf", submission="hide_customers = false")
    assert "cleanup" not in shown


def test_log_ins_without_tls_only_where_the_configuration_says_so(printed: Printer) -> None:
    text = printed("--file", "master.cf", submission="auth_without_tls = true")
    submission, implicit = text.split("\n465 ")
    assert "-o smtpd_tls_security_level=may\n" in submission
    assert "-o smtpd_tls_auth_only=no\n" in submission
    assert "-o smtpd_tls_auth_only=yes\n" in implicit


def test_both_files_in_one(printed: Printer) -> None:
    text = printed()
    assert (
        text == f"# --- main.cf\n\n{printed('--file', 'main.cf')}\n# --- master.cf\n\n{printed('--file', 'master.cf')}"
    )


def test_what_cannot_be_printed(printed: Printer, tmp_path: Path) -> None:
    status, out, err = printed.run(tables="[[submission.listen]]\naddress = '127.0.0.1'\nport = 587\n")
    assert (status, out) == (2, "")
    assert err.endswith("service.toml: there is no [postfix]; it says where Postfix reaches op25b (docs/postfix.md)\n")
    status, out, err = printed.run(tables=BOTH.replace("op25b/auth", "op25b/${x} y"))
    assert (status, out) == (2, "")
    assert "/var/spool/postfix/op25b/${x} y: Postfix cannot be told this path" in err
