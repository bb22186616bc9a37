"""Lists of recipients: what is taken, and what is refused with its row."""

from __future__ import annotations

import csv
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.rollout.recipients import ADDRESS_LINES, LONGEST, Person, read


def faults(text: str) -> list[tuple[int, str]]:
    people, found = read(io.StringIO(text, newline=""))
    assert not people
    return [(fault.row, fault.text) for fault in found]


def test_taken() -> None:
    text = (
        "id,email,language,name,postal_code,address,fax\r\n"
        'n1,taro@nmtnet.example,ja,徳島　太郎,770-0831,"徳島県徳島市\r\n寺島本町西1-2",+81 88-655-5559\r\n'
        "\r\n"
        "n2,o'brien+x@sub.friends.example,en,\"O'Brien, Pat\",,,\r\n"
        "n3,,,,,,\r\n"
    )
    people, found = read(io.StringIO(text, newline=""))
    assert found == []
    address = ("徳島県徳島市", "寺島本町西1-2")
    assert people == [
        Person("n1", "taro@nmtnet.example", ("ja",), "徳島　太郎", "770-0831", address, "+81 88-655-5559"),
        Person("n2", "o'brien+x@sub.friends.example", ("en",), "O'Brien, Pat", "", (), ""),
        Person("n3", "", ("ja", "en"), "", "", (), ""),
    ]  # fmt: skip
    assert [person.way for person in people] == ["mail", "mail", "letter"]


def test_columns_in_any_order_and_few_of_them() -> None:
    people, found = read(["fax,id\n", "088-655-5559,n1\n"])
    assert (found, people[0].way) == ([], "fax")


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", "no column id"),
        ("email,name", "no column id"),
        ("id,mail", "unknown column 'mail'"),
        ("id,email,id", "the column id is there twice"),
        ("id;email", "unknown column 'id;email'"),
        ("x" * 100_000, "unknown column 'xxxx"),
    ],
)
def test_a_header_that_is_not_known(header: str, part: str) -> None:
    found = faults(f"{header}\nn1,a@b.example\n")
    assert {row for row, _ in found} == {1}
    assert any(part in text and len(text) < 200 for _, text in found)


@pytest.mark.parametrize(
    ("row", "part"),
    [
        (",a@b.example,", "id is empty"),
        ("n1", "2 values too few"),
        ("n1,a@b.example,Taro,x", "1 values too many"),
        ('n1,"a@b.example\r\nBcc: all@b.example",Taro', "email holds a line break"),
        ('n1,a@b.example,"Taro\nBcc: all@b.example"', "name holds a line break"),
        ('n1,a@b.example,"Taro\rBcc: all@b.example"', "name holds a control character"),
        ("n1,a@b.example,Ta\x1b[2Jro", "name holds a control character"),
        ("n1,a@b.example,Ta\u2028ro", "name holds a control character"),
        ("n1,a@b.example,Ta\u202ero", "name holds a control character"),
        ("n1,a@b.example,=HYPERLINK(1)", "begins with '=', as a formula"),
        ("+n1,a@b.example,Taro", "begins with '+', as a formula"),
        ("n1,@b.example,Taro", "begins with '@', as a formula"),
        ("n1,Taro <a@b.example>,Taro", "not a mail address"),
        ("n1,\"a@b.example,c@d.example\",Taro", "not a mail address"),
        ("n1,a@b,Taro", "not a mail address"),
        ("n1,a..b@c.example,Taro", "not a mail address"),
        ("n1,太郎@b.example,Taro", "not a mail address in ASCII"),
        ("n1,a@日本.example,Taro", "written xn--"),
        ("n1,a@b.example>\tSIZE=1,Taro", "email holds a control character"),
        (f"n1,{'a' * 65}@b.example,Taro", "not a mail address"),
        (f"n1,a@b.example,{'x' * 101}", "name has 101 characters; 100 are the most"),
        (f"{'x' * 100_000},a@b.example,x", "id has 100000 characters"),
        ('n1,a@b.example,"Taro', "unexpected end of data; nothing after it"),
        ("n1,a@b.example,Ta\x00ro", "a NUL character; nothing after it"),
        (f"n1,a@b.example,{'x' * 200_000}", "field larger than field limit"),
    ],
)  # fmt: skip
def test_a_hostile_row_is_named(row: str, part: str) -> None:
    ((number, text),) = faults(f"id,email,name\n{row}\n")
    assert number == 2
    assert part in text


@pytest.mark.parametrize(
    ("column", "value", "part"),
    [
        ("fax", "call me", "not a telephone number"),
        ("fax", "088,,;ATDT1", "not a telephone number"),
        ("language", "de", "write ja or en"),
        ("address", '"' + "\n".join("abcdefg") + '"', f"more than {ADDRESS_LINES} lines"),
        ("address", "=1+1", "as a formula"),
    ],
)
def test_of_other_columns(column: str, value: str, part: str) -> None:
    quoted = value if value.startswith('"') else f'"{value}"'
    ((number, text),) = faults(f"id,{column}\nn1,{quoted}\n")
    assert (number, part in text) == (2, True)


def test_the_same_person_twice() -> None:
    people, found = read(["id\n", "n1\n", "n2\n", "n1\n"])
    assert [person.id for person in people] == ["n1", "n2"]
    assert [(fault.row, fault.text) for fault in found] == [(4, "'n1' is in row 2 already; leave one of the two")]


@given(st.lists(st.lists(st.text(string.printable + "\0太=＠", max_size=20), max_size=8), max_size=5), st.text())
def test_whatever_a_file_holds_it_is_read(rows: list[list[str]], end: str) -> None:
    text = "id,email,name\n" + "\n".join(",".join(row) for row in rows) + end
    people, found = read(io.StringIO(text, newline=""))
    assert all(0 < len(person.id) <= LONGEST["id"] for person in people)
    assert all(fault.row > 1 for fault in found)


# often taken, and now and then just not
CELLS = st.text("ab太　 ", max_size=4) | st.text('ab\0\t\n\v\r\x1b\x85=@",', max_size=4)
ADDRESSES = st.sampled_from(["", "a@b.example"]) | CELLS.map("a{}@b.example".format)


@given(CELLS.filter(str.strip), ADDRESSES, CELLS)
def test_whatever_is_taken_fits_a_header(number: str, address: str, name: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("id", "email", "name"), (number, address, name)])
    people, found = read(io.StringIO(text.getvalue(), newline=""))
    assert len(people) + len(found) == 1
    for person in people:
        assert (person.id, person.email, person.name) == (number.strip(" "), address, name.strip(" "))
        for value in (person.id, person.email, person.name):
            assert not set(value) & {*map(chr, range(32)), "\x7f", "\x85"}
