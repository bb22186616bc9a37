"""op25b credentials, as a shell calls it."""

from __future__ import annotations

import csv
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from op25b.policy.table import Words
from op25b.store import Store, upgrade
from op25b.store.audit import By
from op25b.subscribers.accounts import Accounts, New
from op25b.subscribers.credentials.reissues import Reissues, Wanted
from op25b.subscribers.passwords import Hasher
from tests.cli.conftest import Op25b

INFONIA = Path(__file__).parents[2] / "examples" / "infonia.toml"
NOW = datetime(2008, 2, 20, tzinfo=UTC)
BY = By("self-service", NOW, "page of imart")
WANTED = Wanted("imart", "taro@imart.example", "山田太郎", "C-100", "〒810-0001\n福岡市中央区1-1", "ja")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    url = f"sqlite:///{tmp_path}/op25b.db"
    monkeypatch.setenv("OP25B_STORE", url)
    monkeypatch.setenv("OP25B_POLICY", str(INFONIA))
    upgrade(url)
    return Store(url)


def text(pdf: Path) -> str:
    done = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, check=True)
    return done.stdout.decode()


def test_from_the_queue_into_the_letter(op25b: Op25b, store: Store, tmp_path: Path) -> None:
    Reissues(store).request(WANTED, Words(ja="525円", en="525 yen"), "198.19.64.7/32", BY)
    assert "山田太郎" in op25b("credentials", "list").out
    shown = op25b("credentials", "show", 1, "--json").data
    assert (shown["postal"], shown["fee"]["ja"]) == (WANTED.postal, "525円")
    pdf = tmp_path / "letter.pdf"
    printed = op25b("credentials", "print", 1, "--to", pdf, "--by", "desk")
    assert (printed.status, printed.err) == (0, "")
    assert pdf.stat().st_mode & 0o777 == 0o600
    written = text(pdf)
    assert "525円" in written
    assert "post1.infonia.example" in written
    user_name, password = re.findall(r"(imart-\w{8}|\w{4}-\w{4}-\w{4})\n", written)
    account = Accounts(store).find(user_name)
    assert account is not None
    assert Hasher(os.urandom).check(account.secret.hash, password)
    assert password not in printed.out
    again = op25b("credentials", "print", 1, "--to", pdf)
    assert (again.status, "is there already" in again.err) == (2, True)
    assert Accounts(store).find(user_name) == account
    assert op25b("credentials", "sent", 1).out == "request 1 is sent\n"
    assert op25b("credentials", "list", "--json").data == []
    assert op25b("credentials", "list", "--all", "--json").data[0]["state"] == "sent"


def test_one_that_does_not_match_the_file(op25b: Op25b, store: Store) -> None:
    Reissues(store).request(WANTED, None, "198.19.64.7/32", BY)
    assert op25b("credentials", "refuse", 1, "--why", "no such contract").status == 0
    refused = op25b("credentials", "sent", 1)
    assert (refused.status, "is refused" in refused.err) == (2, True)
    assert op25b("credentials", "show", 4711).status == 2


def test_notices_of_acceptance(op25b: Op25b, store: Store, tmp_path: Path) -> None:
    secret = Hasher(os.urandom).make("x")
    Accounts(store).add([New("imart-1", secret, frozenset({"taro@imart.example"}))], BY)
    file = tmp_path / "notices.csv"
    with file.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([("account", "number", "password"), ("IMART-1", "AB-100", "shokai")])
    assert op25b("credentials", "import", file).out == "1 notices taken over\n"
    with file.open("a", encoding="utf-8") as opened:
        opened.write("nobody,AB-101,shokai\n")
    refused = op25b("credentials", "import", file)
    assert (refused.status, "there is no account nobody; nothing was taken over" in refused.err) == (2, True)


@pytest.mark.parametrize("content", [b"account,number\nx,1\n", b"\xff\xfe", b"", b"account,number,password\nx,,y\n"])
def test_files_that_are_refused(op25b: Op25b, store: Store, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notices.csv"
    file.write_bytes(content)
    refused = op25b("credentials", "import", file)
    assert refused.status == 2
    assert str(file) in refused.err
