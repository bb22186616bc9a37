"""Letters and faxes: pages of A4 with Japanese on them, the address in the window, and nothing fetched."""

from __future__ import annotations

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from op25b.answers.speech import LANGUAGES, Language, Speaker
from op25b.errors import UserError
from op25b.rollout import printing
from op25b.rollout.recipients import Person
from tests.rollout.conftest import texts

TARO = Person("n1", "", ("ja",), "徳島 太郎", "770-0831", ("徳島県徳島市寺島本町西1-2-3", "眉山マンション101号"), "")
BOTH = Person("n2", "", LANGUAGES, "阿波 花子", "770-0001", ("徳島市一番町4-5",), "088-655-0000")


def poppler(program: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing; to get it: sudo apt-get install poppler-utils")
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def test_letters_are_paged_each_for_itself(folder: Path, speakers: dict[Language, Speaker]) -> None:
    made = texts("nmtnet", "all-dynamic", "2010-10-26T00:00:00+09:00", speakers)
    path = folder / "letters.pdf"
    printing.write((made.paper("letter", person) for person in (TARO, BOTH, TARO)), path)
    assert path.stat().st_mode & 0o077 == 0
    about = dict(line.split(":", 1) for line in poppler("pdfinfo", str(path)).splitlines())
    assert "A4" in about["Page size"]
    pages = poppler("pdftotext", "-layout", str(path), "-").split("\f")[:-1]
    firsts = [number for number, page in enumerate(pages) if "770-0" in page]
    assert len(firsts) == 3
    assert int(about["Pages"]) == len(pages)
    for first in firsts:
        assert pages[first].strip().endswith("1")
        assert pages[first + 1].strip().endswith("2")
    assert "徳島 太郎 様" in pages[0]
    assert "another notice" in "".join(pages[firsts[1] : firsts[2]])
    fonts = poppler("pdffonts", str(path)).splitlines()[2:]
    assert fonts
    assert all(" yes " in line for line in fonts), "every font is in the file"


def test_the_address_is_in_the_window(folder: Path, speakers: dict[Language, Speaker]) -> None:
    """The window: 20 to 110 mm from the left, 12 to 57 mm from the top."""
    made = texts("nmtnet", "all-dynamic", "2010-10-26T00:00:00+09:00", speakers)
    path = folder / "letter.pdf"
    long = Person("n1", "", ("ja",), "太" * 20, "770-0831", tuple("寺" * 19 for _ in range(5)), "")
    printing.write([made.paper("letter", long)], path)
    window = ["-x", "57", "-y", "34", "-W", "255", "-H", "128", "-r", "72", "-l", "1"]  # points
    inside = poppler("pdftotext", *window, str(path), "-")
    assert inside.count("寺" * 19) == 5
    assert "太" * 20 in inside.replace("\n", "")
    assert "770-0831" in inside


def test_a_fax_is_black_and_white(folder: Path, speakers: dict[Language, Speaker]) -> None:
    made = texts("nmtnet", "all-dynamic", "2010-10-26T00:00:00+09:00", speakers)
    path = folder / "fax.pdf"
    printing.write([made.paper("fax", BOTH)], path)
    pages = poppler("pdftotext", "-layout", str(path), "-").replace(" / ", "/").split("\f")[:-1]
    assert "088-655-0000" in pages[0]
    last = len(pages)
    assert [page.split()[-1] for page in pages] == [f"{number}/{last}" for number in range(1, last + 1)]
    poppler("pdftoppm", "-r", "50", "-png", "-f", "1", "-l", "1", str(path), str(folder / "page"))
    poppler(
        "pdftoppm", "-r", "50", "-aa", "no", "-aaVector", "no", "-f", "1", "-l", "1", str(path), str(folder / "raw")
    )
    (raw,) = folder.glob("raw*.ppm")
    dots = raw.read_bytes().split(b"\n", 3)[3]
    assert set(dots) == {0, 255}


def test_nothing_is_fetched(folder: Path) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    place = f"http://127.0.0.1:{server.server_port}"
    (folder / "secret").write_text("SECRET")
    html = f"""<link rel=stylesheet href="{place}/a.css"><img src="{place}/b.png"><img src="file://{folder}/secret">
    <style>@import "{place}/c.css"; body {{ background: url({place}/d.png) }}</style><p>text
    <link rel=attachment href="file://{folder}/secret">"""
    printing.write([html], folder / "out.pdf")
    server.shutdown()
    server.server_close()
    assert asked == []
    assert b"EmbeddedFile" not in (folder / "out.pdf").read_bytes()


def test_letters_are_never_written_over(folder: Path) -> None:
    path = folder / "letters.pdf"
    path.write_bytes(b"kept")
    with pytest.raises(UserError, match="there already"):
        printing.write(["<p>new"], path)
    assert path.read_bytes() == b"kept"
