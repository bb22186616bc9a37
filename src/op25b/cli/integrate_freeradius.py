"""`op25b integrate freeradius`: what a FreeRADIUS must be told to report accounting over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from op25b.cli import output
from op25b.cli.service.config import load
from op25b.errors import UserError
from op25b.subscribers.accounting import job, posted
from op25b.subscribers.accounting.config import Http

MODULE = "mods-enabled/op25b"
POLICY = "policy.d/op25b"
_MODULE = """\
# For FreeRADIUS 3.2 with rlm_rest, made by `op25b integrate freeradius`: /etc/freeradius/3.0/mods-enabled/op25b
# The password is op25b's token: `chmod 640` this file, with FreeRADIUS' group.
rest op25b_rest {{
    connect_uri = "{url}"
    connect_timeout = 2.0
    accounting {{
        uri = "${{..connect_uri}}{target}"
        method = 'post'
        body = 'json'
        auth = 'basic'
        username = '{user}'
        password = '{token}'
        require_auth = yes
        timeout = 3.0
    }}
    pool {{
        # FreeRADIUS starts without op25b; what it cannot report it does not answer, and the access server sends again
        start = 0
        min = 0
        max = ${{thread[pool].max_servers}}
        spare = ${{thread[pool].max_spare_servers}}
        uses = 0
        retry_delay = 1
        lifetime = 0
        idle_timeout = 60
    }}
}}
"""
_POLICY = """\
# For FreeRADIUS 3.2, made by `op25b integrate freeradius`: /etc/freeradius/3.0/policy.d/op25b
# In sites-enabled/default write `op25b` at the end of `accounting { ... }`, and keep `preprocess` in `preacct { ... }`.
op25b {
    # rlm_rest writes dates in words, with the abbreviation of its zone; this is the number of seconds
    if (&Event-Timestamp) {
        update request {
            &Tmp-Integer-0 := "%{integer:Event-Timestamp}"
        }
    }
    op25b_rest
}
"""


def files(http: Http, token: str) -> dict[str, str]:
    """The text of each file below FreeRADIUS' configuration folder."""
    host = f"[{http.address}]" if http.address.version == 6 else str(http.address)
    url = f"http://{host}:{http.port}"
    module = _MODULE.format(url=url, target=posted.TARGET.decode(), user=posted.USER, token=token)
    return {MODULE: module, POLICY: _POLICY}


def freeradius(
    config: Annotated[Path, typer.Argument(help="The service's configuration, with [leases.http].")],
    file: Annotated[
        Literal["mods-enabled/op25b", "policy.d/op25b"] | None, typer.Option("--file", help="Print one file alone.")
    ] = None,
) -> None:
    """Print what FreeRADIUS 3.2 needs to report accounting, so that op25b knows who holds which address."""
    read = load(config)
    if read.leases is None or read.leases.http is None:
        raise UserError(f"{config}: there is no [leases.http]; it says where FreeRADIUS reaches op25b")
    http = read.leases.http
    texts = files(http, job.token(http.token_file))
    whole = "\n".join(f"# --- {name}\n\n{text}" for name, text in texts.items())
    output.text((whole if file is None else texts[file]).rstrip())
