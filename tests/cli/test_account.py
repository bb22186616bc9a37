"""op25b account, as a shell calls it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from op25b.cli import account
from op25b.errors import Missing, UserError
from op25b.store import Store, upgrade
from op25b.subscribers.accounts import Accounts
from op25b.subscribers.passwords import Hasher

SSHA = "{SSHA}uofoWDOuI8MN4W2VTeeDoG0oG4rg3zF5"
"""Of `correct horse ß`."""


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs `account`'s commands against one store, in this process, with a standard input of their own."""

    def __init__(self, store: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = f"sqlite:///{store}"
        self._capfd, self._monkeypatch = capfd, monkeypatch

    def __call__(self, *arguments: object, stdin: str = "") -> Result:
        self._monkeypatch.setenv("OP25B_STORE", self.store)
        read, write = os.pipe()
        os.write(write, stdin.encode())
        os.close(write)
        self._capfd.readouterr()
        with os.fdopen(read) as given:
            self._monkeypatch.setattr("sys.stdin", given)
            status = self._run([str(argument) for argument in arguments])
        return Result(status, *self._capfd.readouterr())

    def _run(self, arguments: list[str]) -> int:
        # as main.py does
        try:
            account.app(arguments, prog_name="op25b account")
        except (UserError, Missing) as error:
            print(error, file=sys.stderr)
            return error.exit_status
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0
        return 0

    def knows(self, name: str, password: str) -> bool:
        store = Store(self.store)
        found = Accounts(store).find(name)
        store.close()
        assert found is not None
        return Hasher(os.urandom).check(found.secret.hash, password)


@pytest.fixture
def shell(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path / "op25b.db", capfd, monkeypatch)


def test_the_life_of_an_account(shell: Shell) -> None:
    added = shell("add", "Taro@Example.JP", "--why", "new customer", "--by", "desk", stdin="first password\n")
    assert (added.status, added.out) == (0, "taro@example.jp may send as taro@example.jp\n")
    assert shell.knows("taro@example.jp", "first password")

    assert shell("suspend", "taro@example.jp", "--why", "stolen password", "--by", "abuse").status == 0
    assert shell("list", "--json").data[0]["suspended"] == "stolen password"
    assert shell("suspend", "taro@example.jp", "--why", "again").out == "taro@example.jp is suspended already\n"
    assert shell("reset", "TARO@example.jp", stdin="second password").status == 0
    assert shell.knows("taro@example.jp", "second password")
    assert not shell.knows("taro@example.jp", "first password")
    assert shell("resume", "taro@example.jp").status == 0
    assert shell("change", "taro@example.jp", "--sender", "@shop.jp", "--limit", "messages_per_day=9").status == 0

    shown = shell("show", "taro@example.jp", "--json").data
    assert shown["senders"] == ["@shop.jp"]
    assert shown["limits"] == {"messages_per_day": 9}
    assert (shown["suspended"], shown["scheme"], shown["scram_iterations"]) == (None, "ARGON2ID", 65_536)
    assert shell("change", "taro@example.jp", "--limit", "none").status == 0
    assert shell("show", "taro@example.jp", "--json").data["limits"] == {}

    lines = shell("audit", "taro@example.jp", "--json").data
    assert [line["what"] for line in lines] == ["add", "suspend", "reset", "resume", "change", "change"]
    assert (lines[1]["who"], lines[1]["why"], lines[1]["before"]["suspended"]) == ("abuse", "stolen password", None)
    assert set(lines[0]) == {"at", "who", "what", "subject", "why", "before", "after"}
    for command in ("list", "show taro@example.jp", "audit"):
        shown_text = shell(*command.split())
        assert shown_text.status == 0
        assert "taro@example.jp" in shown_text.out
        assert "argon2id$" not in shown_text.out
        assert "second password" not in shown_text.out


def test_passwords_are_never_arguments(shell: Shell) -> None:
    assert shell("add", "taro@example.jp", "secret", stdin="x").status == 2
    assert shell("add", "taro@example.jp", "--password", "secret", stdin="x").status == 2


def test_a_password_at_a_terminal_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    code = "import sys; from op25b.cli import account; account.app(['add', 'taro@example.jp'])"
    main, terminal = pty.openpty()
    environment = os.environ | {"OP25B_STORE": f"sqlite:///{tmp_path}/op25b.db"}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)
    seen = b""
    try:
        for prompt in (b"New password: ", b"Once more: "):
            while not seen.endswith(prompt):
                seen += os.read(main, 1000)
            os.write(main, b"tiger lily\n")
        while True:
            seen += os.read(main, 1000)
    except OSError:
        pass
    finally:
        os.close(main)
    assert process.wait(30) == 0
    assert b"tiger" not in seen
    assert b"may send as taro@example.jp" in seen


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "taro"], "--sender"),
        (["add", "a b@example.jp"], "holds a space"),
        (["add", "there@example.jp"], "exists already"),
        (["add", "taro@example.jp", "--limit", "mails=3"], "messages_per_hour"),
        (["add", "taro@example.jp", "--limit", "messages_per_day=-1"], "NAME=NUMBER"),
        (["add", "taro@example.jp", "--sender", "example.jp"], "write user@example.jp"),
        (["suspend", "nobody", "--why", "x"], "there is no account nobody"),
        (["resume", "nobody"], "there is no account nobody"),
        (["reset", "nobody"], "there is no account nobody"),
        (["show", "nobody"], "op25b account list"),
        (["change", "there@example.jp"], "nothing to change"),
    ],
)
def test_bad_usage_says_what_to_do(shell: Shell, arguments: list[str], words: str) -> None:
    shell("add", "there@example.jp", stdin="x")
    before = shell("audit", "--json").data
    result = shell(*arguments, stdin="password")
    assert result.status == 2
    assert words in result.err
    assert shell("audit", "--json").data == before


@pytest.mark.parametrize("password", ["", "\n", "a\tb\n", "x" * 1025 + "\n"])
def test_bad_passwords(shell: Shell, password: str) -> None:
    result = shell("add", "taro@example.jp", stdin=password)
    assert result.status == 2
    assert "the password" in result.err
    assert shell("list", "--json").data == []


def test_an_import(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_text(f"taro:{SSHA}:1000:1000\nhanako:{{PLAIN}}correct horse ß\njiro:{SSHA}::::::nologin\n")
    result = shell("import", file, "--domain", "example.jp", "--json")
    assert (result.status, result.data) == (0, {"added": 3, "existing": 0, "faults": []})
    found = {each["name"]: each for each in shell("list", "--json").data}
    assert [found[name]["scheme"] for name in ("taro", "hanako", "jiro")] == ["SSHA", "ARGON2ID", "SSHA"]
    assert found["jiro"]["suspended"] == "nologin in the passwd-file"
    assert found["taro"]["senders"] == ["taro@example.jp"]
    assert shell.knows("taro", "correct horse ß")
    assert shell.knows("hanako", "correct horse ß")
    again = shell("import", file, "--domain", "example.jp")
    assert again.status == 2
    assert again.err.count("exists; --skip-existing") == 3
    assert shell("import", file, "--domain", "example.jp", "--skip-existing", "--json").data["existing"] == 3


def test_bad_lines_are_named_and_nothing_is_imported(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_text(f"taro:{SSHA}\nhanako:{{MD5}}hunter22\njiro\n")
    refused = shell("import", file, "--domain", "example.jp")
    assert refused.status == 2
    assert f"{file}:2: " in refused.err
    assert f"{file}:3: " in refused.err
    assert "--skip-bad" in refused.err
    assert "hunter22" not in refused.err
    assert shell("list", "--json").data == []
    skipped = shell("import", file, "--domain", "example.jp", "--skip-bad", "--json")
    assert skipped.status == 0
    assert skipped.data["added"] == 1
    assert [fault["line"] for fault in skipped.data["faults"]] == [2, 3]
    assert f"{file}:2: " in skipped.err


def test_stores_that_cannot_be_used(shell: Shell, tmp_path: Path) -> None:
    missing = shell("list")
    assert missing.status == 2
    assert "op25b account upgrade" in missing.err
    assert not (tmp_path / "op25b.db").exists()
    upgrade(shell.store, "0001")
    old = shell("add", "taro@example.jp", stdin="x")
    assert old.status == 2
    assert "earlier version" in old.err
    assert shell("upgrade").out == "the store is up to date\n"
    assert shell("upgrade").out == "the store was up to date already\n"
    assert shell("add", "taro@example.jp", stdin="x").status == 0


def test_it_is_a_typer_application() -> None:
    assert isinstance(account.app, typer.Typer)
