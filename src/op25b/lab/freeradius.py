"""Pure: radiusd.conf(5) of a FreeRADIUS that takes accounting and nothing else, from a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping

_THREADS = {"start_servers": 2, "max_servers": 8, "min_spare_servers": 1, "max_spare_servers": 2}


def radiusd_conf(
    folder: str,
    listen: tuple[str, int],
    client: tuple[str, str],
    *,
    modules: str = "",
    policy: str = "",
    more: str = "",
    preacct: str = "",
    accounting: str = "",
    threads: Mapping[str, int] = _THREADS,
) -> str:
    """It listens at an address and a port, and knows one client by address and secret; its log is `log` in the folder.

    `more`: whole sections; `modules`, `policy`, `preacct`, `accounting` go into the sections of their names.
    """
    pool = "\n".join(f"  {name} = {number}" for name, number in threads.items())
    return f"""\
prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = {folder}
run_dir = {folder}
db_dir = {folder}
logdir = {folder}
name = radiusd
log {{
  destination = files
  file = {folder}/log
}}
security {{
  status_server = no
}}
thread pool {{
{pool}
}}
client here {{
  ipaddr = {client[0]}
  secret = "{client[1]}"
}}
modules {{
  {modules}
}}
policy {{
  {policy}
}}
{more}
server default {{
  listen {{
    type = acct
    ipaddr = {listen[0]}
    port = {listen[1]}
  }}
  preacct {{
    {preacct}
  }}
  accounting {{
    {accounting}
  }}
}}
"""
