"""The portal's table of the service's configuration."""

from __future__ import annotations

from ipaddress import IPv4Address

from op25b.policy.model import Port, SingleAddress
from op25b.policy.table import Table
from op25b.processes.settings import File


class Api(Table):
    """The operators' HTTP interface. It speaks plain HTTP: beyond this host, a proxy in front of it does the TLS."""

    address: SingleAddress = IPv4Address("127.0.0.1")
    port: Port = 9528
    tokens_file: File
    """Who may use it, by `op25b api token add`; read again whenever it has changed."""
