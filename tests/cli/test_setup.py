"""`setup zone`: the DNS records by which mail programs find the servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Op25b


def test_the_records_of_each_brand(op25b: Op25b, example: Any) -> None:
    said = op25b("setup", "zone", example("infonia"), "--portal", "portal.infonia.example").out
    assert said.count("$ORIGIN") == 2
    assert "_submission._tcp                   SRV   0 1 587 post1.infonia.example.\n" in said
    assert "autoconfig                         CNAME portal.infonia.example.\n" in said


def test_sub_domains(op25b: Op25b, example: Any) -> None:
    more = ("--portal", "portal.sonet.example", "--subdomain", "aa2", "--subdomain", "bb7")
    said = op25b("setup", "zone", example("sonet"), *more).out
    assert "_submissions._tcp.bb7              SRV   0 1 465 mail.bb7.sonet.example.\n" in said


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("sonet", ["--portal", "portal.sonet.example"], "brand sonet have {subdomain}; write --subdomain LABEL"),
        ("sonet", ["--portal", "p.example", "--subdomain", "a.b"], "'a.b' is not one label"),
        ("sonet", ["--portal", "p.example", "--subdomain", "a b"], "'a b' is not one label"),
        ("netlaputa", ["--portal", "https://portal.example"], "is not the name of a host"),
        ("netlaputa", ["--portal", "x@portal.example"], "is not the name of a host"),
    ],
)
def test_what_it_refuses(op25b: Op25b, example: Any, name: str, options: list[str], said: str) -> None:
    done = op25b("setup", "zone", example(name), *options)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
