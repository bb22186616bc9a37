"""Where customers of a brand read their mail, for mail programs that set themselves up."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from op25b.policy.fields import host_name, port
from op25b.policy.table import Table


class Security(StrEnum):
    """How a mail program protects a connection: TLS from the start (RFC 8314, 3), by STARTTLS, or not at all."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class Incoming(Table):
    """A server from which mail is read; the first of a brand is the one to be preferred.

    Without any, set-up covers sending alone: the settings for receiving stay as they are (claim L9).
    """

    kind: Literal["imap", "pop3"]
    host: Annotated[str, AfterValidator(host_name)]
    """Its name; `{subdomain}` as in the hosts of the own servers."""
    port: Annotated[int, AfterValidator(port)]
    security: Annotated[Security, Field(strict=False)] = Security.TLS
    user_name: Literal["mail-address", "local-part"] = "mail-address"
    """What the user name is: the mail address, or the part of it before the @."""
