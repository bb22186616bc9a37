"""Autodiscover, which Outlook asks for: plain old XML ([MS-OXDSCLI]), and the JSON that leads to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as xml
from xml.parsers import expat

from op25b.policy.incoming import Security
from op25b.portal.setup.profile import Address, Profile, Server, UserName, user_name

REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
SETTINGS = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
PATH = "/autodiscover/autodiscover.xml"

INVALID, NO_PROVIDER, NO_ADDRESS = 600, 601, 500
"""Error codes: of a request that is none; for another schema; for an address that there are no settings for."""
_MESSAGES = {
    INVALID: "Invalid Request",
    NO_PROVIDER: "Provider is not available",
    NO_ADDRESS: "The email address can't be found.",
}
_KINDS = {"imap": "IMAP", "pop3": "POP3"}
_ENCRYPTION = {Security.TLS: "SSL", Security.STARTTLS: "TLS", Security.NONE: "None"}
"""What [MS-OXDSCLI] calls them; where Encryption is given, SSL beside it is for programs that know no other."""


class Invalid(ValueError):
    """The request is not one of Autodiscover's."""


@dataclass(frozen=True)
class Request:
    """Whom settings are asked for, and in which schema."""

    address: str
    schema: str


def read(body: bytes) -> Request:
    """A request. Raises Invalid. Document types are refused, and so are all entities but XML's own five."""
    taken = _Taken()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = taken.refuse
    parser.StartElementHandler = taken.start
    parser.EndElementHandler = taken.end
    parser.CharacterDataHandler = taken.characters
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Invalid("not well-formed XML") from error
    except (LookupError, ValueError) as error:
        # an encoding that Python has not, or that is none of characters
        raise Invalid("XML in an encoding that is not known") from error
    texts = {name.rpartition(" ")[2]: text.strip() for name, text in taken.texts.items()}
    address, schema = texts.get("EMailAddress"), texts.get("AcceptableResponseSchema")
    if not address or not schema:
        raise Invalid("EMailAddress or AcceptableResponseSchema is missing")
    return Request(address, schema)


class _Taken:
    """The texts of Request's children, by their names."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self._open: list[str] = []

    def refuse(self, *_: object) -> None:
        raise Invalid("a document type")

    def start(self, name: str, _: dict[str, str]) -> None:
        self._open.append(name)

    def end(self, _: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        if len(self._open) == 3:
            self.texts[self._open[2]] = self.texts.get(self._open[2], "") + text


def settings(profile: Profile, address: Address) -> bytes:
    """The answer for an address of the profile's domain."""
    answer, response = _answer(SETTINGS)
    user = xml.SubElement(response, "User")
    _text(user, "DisplayName", profile.brand.display.en)
    account = xml.SubElement(response, "Account")
    _text(account, "AccountType", "email")
    _text(account, "Action", "settings")
    for incoming in profile.receiving:
        _protocol(account, _KINDS[incoming.kind], incoming, incoming.user_name, address)
    _protocol(account, "SMTP", profile.sending[0], profile.user_name, address)
    return _bytes(answer)


def _protocol(account: xml.Element, kind: str, server: Server, form: UserName, address: Address) -> None:
    """[MS-OXDSCLI] 2.2.4.1.1.2.6. Without a LoginName the program asks for it."""
    made = xml.SubElement(account, "Protocol")
    _text(made, "Type", kind)
    _text(made, "Server", server.host)
    _text(made, "Port", str(server.port))
    if name := user_name(form, address):
        _text(made, "LoginName", name)
    _text(made, "DomainRequired", "off")
    _text(made, "SPA", "off")
    _text(made, "SSL", "off" if server.security is Security.NONE else "on")
    _text(made, "Encryption", _ENCRYPTION[server.security])
    _text(made, "AuthRequired", "on")
    if kind == "SMTP":
        _text(made, "UsePOPAuth", "off")
        _text(made, "SMTPLast", "off")


def error(code: int, at: datetime) -> bytes:
    """An answer without settings; it says nothing of the request."""
    answer, response = _answer(RESPONSE)
    made = xml.SubElement(response, "Error", Time=at.strftime("%H:%M:%S.%f"), Id="0")
    _text(made, "ErrorCode", str(code))
    _text(made, "Message", _MESSAGES[code])
    xml.SubElement(made, "DebugData")
    return _bytes(answer)


def pointer(profile: Profile) -> dict[str, str]:
    """The newer form's answer to `Protocol=AutodiscoverV1`: where the XML is, for each of the brand's addresses."""
    return {"Protocol": "AutodiscoverV1", "Url": f"https://autodiscover.{profile.apex}{PATH}"}


def no_pointer(code: str, message: str) -> dict[str, str]:
    """The newer form's refusal."""
    return {"ErrorCode": code, "ErrorMessage": message}


def _answer(schema: str) -> tuple[xml.Element, xml.Element]:
    answer = xml.Element("Autodiscover", xmlns=RESPONSE)
    return answer, xml.SubElement(answer, "Response", xmlns=schema)


def _bytes(answer: xml.Element) -> bytes:
    xml.indent(answer)
    made: bytes = xml.tostring(answer, encoding="utf-8", xml_declaration=True)
    return made


def _text(parent: xml.Element, tag: str, text: str) -> None:
    xml.SubElement(parent, tag).text = text
