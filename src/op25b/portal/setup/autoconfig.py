"""Thunderbird's autoconfig, which other programs read too: clientConfig 1.1 (draft-ietf-mailmaint-autoconfig). Pure."""

from __future__ import annotations

from xml.etree import ElementTree as xml

from op25b.policy.incoming import Security
from op25b.portal.setup.profile import Profile, Server, UserName

PATHS = ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml")

_SOCKET = {Security.TLS: "SSL", Security.STARTTLS: "STARTTLS", Security.NONE: "plain"}
_USER_NAME: dict[UserName, str] = {
    "mail-address": "%EMAILADDRESS%",
    "local-part": "%EMAILLOCALPART%",
    # a name is demanded with a password, and a wrong one is asked for again, with the servers kept
    "told": "%EMAILADDRESS%",
}


def document(profile: Profile) -> bytes | None:
    """The document for every address of a domain; None where no server to read from is known, which it must name."""
    if not profile.receiving:
        return None
    root = xml.Element("clientConfig", version="1.1")
    provider = xml.SubElement(root, "emailProvider", id=profile.apex)
    for domain in dict.fromkeys((profile.domain, profile.apex)):
        _text(provider, "domain", domain)
    _text(provider, "displayName", profile.brand.display.en)
    _text(provider, "displayShortName", profile.brand.display.en)
    for incoming in profile.receiving:
        _server(provider, "incomingServer", incoming.kind, incoming, incoming.user_name)
    for outgoing in profile.sending:
        _server(provider, "outgoingServer", "smtp", outgoing, profile.user_name)
    xml.indent(root)
    made: bytes = xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def _server(provider: xml.Element, tag: str, kind: str, server: Server, name: UserName) -> None:
    made = xml.SubElement(provider, tag, type=kind)
    _text(made, "hostname", server.host)
    _text(made, "port", str(server.port))
    _text(made, "socketType", _SOCKET[server.security])
    _text(made, "authentication", "password-cleartext")
    _text(made, "username", _USER_NAME[name])


def _text(parent: xml.Element, tag: str, text: str) -> None:
    xml.SubElement(parent, tag).text = text
