"""FreeRADIUS 3.2 and a script, as an operator would have it.

`files` knows who is exempt by name, the session is written down by `detail` (a text file that nobody syncs) or `sql`
(SQLite, WAL, synchronous=FULL, as op25b's store has it), the address is added to a set, and after that comes the
answer. "nft" runs a shell script with `nft add element` (rlm_exec, `wait`); "libnftables" calls the library from a
resident Python script (rlm_python3).
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from accounters import SIZE, Accounter
from radiusload import PORT, SECRET

from op25b.lab.freeradius import radiusd_conf

SETTINGS = Path("/etc/freeradius/3.0/mods-config/sql/main/sqlite")
RULES = f"""table inet op25b {{
set exempt {{ type ipv4_addr; size {SIZE}; }}
chain forward {{ type filter hook forward priority 0; policy accept;
ip saddr 10.0.0.0/8 tcp dport 25 ip saddr != @exempt drop
}}; }}
"""
MODULES = """
  expr {{
  }}
  files {{
    key = "%{{User-Name}}"
    acctusersfile = {folder}/exempt
  }}
  detail {{
    filename = {folder}/detail
  }}
  {sql}
  {grant}
"""
PREACCT = """
    update request {
      Acct-Unique-Session-Id := "%{md5:%{User-Name},%{Acct-Session-Id},%{NAS-Identifier}}"
    }
    files
"""
ACCOUNTING = """
    {book}
    if (&control:Tmp-Integer-0 == 1) {{
      grant
    }}
"""
THREADS = {"start_servers": 5, "max_servers": 32, "min_spare_servers": 3, "max_spare_servers": 10}
SQL = """
sql {{
  dialect = "sqlite"
  driver = "rlm_sql_sqlite"
  sqlite {{
    filename = {folder}/radius.db
    busy_timeout = 10000
  }}
  radius_db = "radius"
  acct_table1 = "radacct"
  acct_table2 = "radacct"
  postauth_table = "radpostauth"
  authcheck_table = "radcheck"
  groupcheck_table = "radgroupcheck"
  authreply_table = "radreply"
  groupreply_table = "radgroupreply"
  usergroup_table = "radusergroup"
  delete_stale_sessions = yes
  read_clients = no
  client_table = "nas"
  pool {{
    start = 1
    max = 8
    spare = 8
    uses = 0
    lifetime = 0
    idle_timeout = 0
  }}
  group_attribute = "SQL-Group"
  $INCLUDE {settings}/queries.conf
}}
"""
SCRIPT = """#!/bin/sh
exec /usr/sbin/nft add element inet op25b exempt "{ $1 }"
"""
RESIDENT = """
import ctypes, threading
library = ctypes.CDLL("libnftables.so.1")
library.nft_ctx_new.restype = ctypes.c_void_p
context = ctypes.c_void_p(library.nft_ctx_new(0))
turn = threading.Lock()

def accounting(request):
    address = next(value for name, value in request if name == "Framed-IP-Address")
    with turn:
        failed = library.nft_run_cmd_from_buffer(context, f"add element inet op25b exempt {{ {address} }}".encode())
    return 1 if failed else 2  # RLM_MODULE_FAIL, RLM_MODULE_OK
"""
GRANTS = {
    "nft": """exec grant {{
    wait = yes
    input_pairs = request
    shell_escape = yes
    timeout = 10
    program = "{folder}/grant.sh %{{Framed-IP-Address}}"
  }}""",
    "libnftables": """python3 grant {{
    python_path = "{path}:{folder}"
    module = grant
    mod_accounting = ${{.module}}
    func_accounting = accounting
  }}""",
}
_PATH = 'import sys; print(":".join(each for each in sys.path if each))'


class FreeRadius(Accounter):
    """`way`: of GRANTS; `book`: `detail` or `sql`."""

    way: ClassVar[str]
    book: ClassVar[str]

    def prepare(self, exempt: Iterable[str]) -> None:
        self.router.router.run("nft", RULES)
        folder = self.folder
        (folder / "exempt").write_text("".join(f"{each} Tmp-Integer-0 := 1\n\n" for each in exempt))
        (folder / "grant.sh").write_text(SCRIPT)
        (folder / "grant.sh").chmod(0o755)
        (folder / "grant.py").write_text(RESIDENT)
        with sqlite3.connect(folder / "radius.db") as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript((SETTINGS / "schema.sql").read_text())
        database.close()
        path = subprocess.run(["/usr/bin/python3", "-c", _PATH], capture_output=True, text=True, check=True).stdout
        sql = SQL.format(folder=folder, settings=SETTINGS) if self.book == "sql" else ""
        way = GRANTS[self.way].format(folder=folder, path=path.strip())
        text = radiusd_conf(
            str(folder),
            ("127.0.0.1", PORT),
            ("127.0.0.1", SECRET.decode()),
            modules=MODULES.format(folder=folder, sql=sql, grant=way),
            more="max_requests = 65536",
            preacct=PREACCT,
            accounting=ACCOUNTING.format(book=self.book),
            threads=THREADS,
        )
        (folder / "radiusd.conf").write_text(text)

    def command(self) -> list[str]:
        return ["freeradius", "-f", "-l", "stdout", "-d", str(self.folder), "-n", "radiusd"]

    def is_ready(self, log: str) -> bool:
        return "Ready to process requests" in log

    def members(self) -> int:
        with self.router.router.entered():
            listed = subprocess.run(["nft", "-j", "list set inet op25b exempt"], capture_output=True, check=True).stdout
        (found,) = (each["set"].get("elem", []) for each in json.loads(listed)["nftables"] if "set" in each)
        return len(found)

    def sessions(self) -> int:
        if self.book == "detail":
            text = (self.folder / "detail").read_text()
            return text.count("\tAcct-Session-Id = ")
        with sqlite3.connect(self.folder / "radius.db") as database:
            return int(database.execute("SELECT count(*) FROM radacct").fetchone()[0])


class ScriptDetail(FreeRadius):
    name, way, book = "nft script, detail", "nft", "detail"


class ScriptSql(FreeRadius):
    name, way, book = "nft script, SQLite", "nft", "sql"


class ResidentDetail(FreeRadius):
    name, way, book = "resident libnftables, detail", "libnftables", "detail"


class ResidentSql(FreeRadius):
    name, way, book = "resident libnftables, SQLite", "libnftables", "sql"


PEERS: tuple[type[FreeRadius], ...] = (ScriptDetail, ScriptSql, ResidentDetail, ResidentSql)
