"""Configuration profiles: by Apple's published rules, and signatures that openssl verifies."""

from __future__ import annotations

import plistlib
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.errors import UserError
from op25b.portal.setup import mobileconfig, signing
from op25b.portal.setup.profile import Address, profile
from tests.portal.setup.conftest import EXAMPLES, KNOWN, addresses

# github.com/apple/device-management, mdm/profiles/com.apple.mail.managed.yaml: type, whether it must be there, range
AUTHENTICATION = {"EmailAuthNone", "EmailAuthPassword", "EmailAuthCRAMMD5", "EmailAuthNTLM", "EmailAuthHTTPMD5"}
Rule = tuple[type, bool, set[str] | None]
ACCOUNT: dict[str, Rule] = {
    "EmailAccountDescription": (str, False, None),
    "EmailAccountName": (str, False, None),
    "EmailAccountType": (str, True, {"EmailTypeIMAP", "EmailTypePOP"}),
    "EmailAddress": (str, False, None),
    "IncomingMailServerAuthentication": (str, True, AUTHENTICATION),
    "IncomingMailServerHostName": (str, True, None),
    "IncomingMailServerPortNumber": (int, False, None),
    "IncomingMailServerUseSSL": (bool, False, None),
    "IncomingMailServerUsername": (str, False, None),
    "OutgoingMailServerAuthentication": (str, True, AUTHENTICATION),
    "OutgoingMailServerHostName": (str, True, None),
    "OutgoingMailServerPortNumber": (int, False, None),
    "OutgoingMailServerUseSSL": (bool, False, None),
    "OutgoingMailServerUsername": (str, False, None),
    "OutgoingPasswordSameAsIncomingPassword": (bool, False, None),
}
# ... and mdm/profiles/CommonPayloadKeys.yaml and TopLevel.yaml
COMMON: dict[str, Rule] = {
    "PayloadDescription": (str, False, None),
    "PayloadDisplayName": (str, False, None),
    "PayloadIdentifier": (str, True, None),
    "PayloadOrganization": (str, False, None),
    "PayloadType": (str, True, {"Configuration", "com.apple.mail.managed"}),
    "PayloadUUID": (str, True, None),
    "PayloadVersion": (int, True, None),
}
TOP: dict[str, Rule] = COMMON | {"PayloadContent": (list, True, None)}


def check(found: dict[str, Any], rules: dict[str, Rule]) -> None:
    assert found.keys() <= rules.keys()
    for key, (kind, needed, values) in rules.items():
        if key not in found:
            assert not needed, key
            continue
        assert type(found[key]) is kind, key
        assert values is None or found[key] in values, key
    assert str(UUID(found["PayloadUUID"])).upper() == found["PayloadUUID"]
    assert found["PayloadVersion"] == 1


def made(name: str, address: Address, *, told: bool = True) -> dict[str, Any]:
    found = profile(EXAMPLES[name], address.domain)
    assert found is not None
    document = mobileconfig.document(found, "提供者 & 会社", "<設定>", address if told else None)
    assert document is not None
    loaded: dict[str, Any] = plistlib.loads(document)
    return loaded


@pytest.mark.parametrize("name", sorted(KNOWN))
@settings(max_examples=25)
@given(data=st.data())
def test_by_apples_rules(name: str, data: st.DataObject) -> None:
    address = data.draw(addresses(EXAMPLES[name]))
    found = made(name, address, told=data.draw(st.booleans()))
    check(found, TOP)
    (account,) = found["PayloadContent"]
    check(account, ACCOUNT | COMMON)
    assert account["PayloadUUID"] != found["PayloadUUID"]
    assert found["PayloadOrganization"] == "提供者 & 会社"


def test_the_address_and_what_follows_from_it() -> None:
    (account,) = made("netlaputa", Address("taro", "netlaputa.example"))["PayloadContent"]
    assert account["EmailAddress"] == "taro@netlaputa.example"
    assert (account["IncomingMailServerUsername"], account["OutgoingMailServerUsername"]) == ("taro", "taro")
    assert account["OutgoingPasswordSameAsIncomingPassword"] is True


def test_the_device_asks_for_what_nobody_can_know() -> None:
    (account,) = made("infonia", Address("taro", "imart.example"))["PayloadContent"]
    assert "OutgoingMailServerUsername" not in account
    assert account["OutgoingPasswordSameAsIncomingPassword"] is False
    (account,) = made("infonia", Address("taro", "imart.example"), told=False)["PayloadContent"]
    assert not {"EmailAddress", "IncomingMailServerUsername", "OutgoingMailServerUsername"} & account.keys()


def test_the_same_account_replaces_itself_and_no_other() -> None:
    one, other = Address("taro", "netlaputa.example"), Address("jiro", "netlaputa.example")
    assert made("netlaputa", one) == made("netlaputa", one)
    assert made("netlaputa", one)["PayloadIdentifier"] != made("netlaputa", other)["PayloadIdentifier"]


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - KNOWN))
def test_none_without_a_server_to_read_from(name: str) -> None:
    found = profile(EXAMPLES[name], EXAMPLES[name].provider.brands[0].domains[0])
    assert found is not None
    assert mobileconfig.document(found, "x", "x") is None


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def keys(folder: Path, authority: trustme.CA, **how: Any) -> tuple[Path, Path]:
    leaf = authority.issue_cert("portal.netlaputa.example", **how)
    certificate, key = folder / "signing.pem", folder / "signing.key"
    certificate.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return certificate, key


@pytest.mark.parametrize("key_type", [trustme.KeyType.ECDSA, trustme.KeyType.RSA])
def test_openssl_verifies_the_signature(tmp_path: Path, key_type: trustme.KeyType) -> None:
    root = trustme.CA()
    authority = root.create_child_ca()
    signer = signing.load(*keys(tmp_path, authority, key_type=key_type))
    document = b"<?xml version='1.0'?>\n<plist>\r\n\n \x00</plist>"
    (tmp_path / "signed").write_bytes(signer.sign(document))
    root.cert_pem.write_to_path(tmp_path / "root.pem")
    verify = [
        "openssl", "cms", "-verify", "-inform", "DER", "-binary", "-in", "signed", "-CAfile", "root.pem",
        "-purpose", "any",
    ]  # fmt: skip
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, document), done.stderr.decode()
    trustme.CA().cert_pem.write_to_path(tmp_path / "root.pem")
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, timeout=30).returncode != 0


def test_keys_that_cannot_sign(tmp_path: Path, authority: trustme.CA) -> None:
    certificate, key = keys(tmp_path, authority)
    nothing = tmp_path / "nothing"
    with pytest.raises(UserError, match="no certificate"):
        signing.load(nothing, key)
    with pytest.raises(UserError, match="no certificate"):
        signing.load(key, key)
    with pytest.raises(UserError, match="no key"):
        signing.load(certificate, certificate)
    key.write_bytes(authority.issue_cert("x.example").private_key_pem.bytes())
    with pytest.raises(UserError, match="not the key of"):
        signing.load(certificate, key)
    other = Ed25519PrivateKey.generate()
    key.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UserError, match="RSA or EC"):
        signing.load(certificate, key)
