"""Configuration profiles for Apple's programs: a property list with one mail account (com.apple.mail.managed). Pure.

Signed they are CMS (RFC 5652): `op25b.portal.setup.signing`.
"""

from __future__ import annotations

import hashlib
import plistlib
from typing import Any

from op25b.policy.incoming import Security
from op25b.portal.setup.profile import Address, Profile, user_name

TYPE = "application/x-apple-aspen-config"
_ACCOUNT = {"imap": "EmailTypeIMAP", "pop3": "EmailTypePOP"}


def document(profile: Profile, organization: str, description: str, address: Address | None = None) -> bytes | None:
    """The profile; None where no server to read from is known, which it must name.

    Without an address the device asks for it, and for the user name. Passwords are never in it: the device asks.
    """
    if not profile.receiving:
        return None
    outer = {
        "PayloadContent": [_account(profile, address)],
        "PayloadDescription": description,
        "PayloadDisplayName": organization,
        "PayloadOrganization": organization,
        **_payload("Configuration", profile, address),
    }
    return plistlib.dumps(outer, sort_keys=True)


def _account(profile: Profile, address: Address | None) -> dict[str, Any]:
    incoming, outgoing = profile.receiving[0], profile.with_security(Security.TLS)
    known = {
        "EmailAddress": str(address) if address else None,
        "IncomingMailServerUsername": user_name(incoming.user_name, address) if address else None,
        "OutgoingMailServerUsername": user_name(profile.user_name, address) if address else None,
    }
    return {
        "EmailAccountDescription": profile.brand.display.en,
        "EmailAccountType": _ACCOUNT[incoming.kind],
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "IncomingMailServerHostName": incoming.host,
        "IncomingMailServerPortNumber": incoming.port,
        "IncomingMailServerUseSSL": incoming.security is not Security.NONE,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": outgoing.host,
        "OutgoingMailServerPortNumber": outgoing.port,
        "OutgoingMailServerUseSSL": True,
        "OutgoingPasswordSameAsIncomingPassword": incoming.user_name == profile.user_name,
        "PayloadDisplayName": profile.brand.display.en,
        **{key: value for key, value in known.items() if value},
        **_payload("com.apple.mail.managed", profile, address),
    }


def _payload(kind: str, profile: Profile, address: Address | None) -> dict[str, Any]:
    """The same account has the same identifiers, so that installing it again replaces it."""
    uuid = _uuid(f"{kind} {address or profile.domain}")
    return {
        "PayloadIdentifier": f"{'.'.join(reversed(profile.apex.split('.')))}.op25b.{uuid}",
        "PayloadType": kind,
        "PayloadUUID": uuid,
        "PayloadVersion": 1,
    }


def _uuid(name: str) -> str:
    """An identifier that follows from a name (RFC 9562, 5.8: version 8)."""
    raw = bytearray(hashlib.sha256(name.encode()).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex().upper()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
