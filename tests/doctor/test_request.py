"""What is asked for, and which connections follow."""

from __future__ import annotations

import pytest

from op25b.doctor.probe.outcomes import Provider, Role, Server, Target
from op25b.doctor.probe.request import Request, Usage, completed, targets

PROVIDER = Provider({"en": "Toy"}, (Server("mail.isp.example", (587, 465)),), (Server("mx.foreign.example", (25,)),))
BY_ADDRESS = PROVIDER._replace(servers=(Server("mail.{subdomain}.isp.example", (587,)),), domains=("isp.example",))


def tried(provider: Provider | None, request: Request) -> list[Target]:
    return list(targets(*completed(provider, request)))


def test_what_the_provider_names() -> None:
    assert tried(PROVIDER, Request()) == [
        Target(Role.OWN, "mail.isp.example", 465),
        Target(Role.OWN, "mail.isp.example", 587),
        Target(Role.OTHER, "mx.foreign.example", 25),
    ]


def test_nothing_is_tried_that_nobody_named() -> None:
    alone = tried(None, Request(server="mail.isp.example"))
    assert {each.host for each in alone} == {"mail.isp.example"}
    assert {each.role for each in alone} == {Role.OWN}


def test_the_setting_is_tried_once() -> None:
    assert tried(PROVIDER, Request(port=587)) == tried(PROVIDER, Request())
    assert Target(Role.SETTING, "mail.isp.example", 25) in tried(PROVIDER, Request(port=25))
    elsewhere = tried(PROVIDER, Request(server="MX.other.example.", port=25))
    assert Target(Role.OTHER, "mx.other.example", 25) in elsewhere
    assert len([each for each in elsewhere if each.host == "mx.other.example"]) == 1
    assert len(tried(PROVIDER, Request(server="mx.other.example"))) == 3 + 3


def test_others() -> None:
    found = tried(PROVIDER, Request(others=("a.example", "b.example:25,443")))
    assert [(each.host, each.port) for each in found if each.role is Role.OTHER] == [
        ("a.example", 25), ("a.example", 465), ("a.example", 587), ("b.example", 25), ("b.example", 443),
        ("mx.foreign.example", 25),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "request_",
    [
        Request(mail="taro@aa2.isp.example"),
        Request(account="taro@AA2.isp.example"),
        Request(server="mail.aa2.isp.example"),
    ],
)
def test_the_servers_name_depends_on_the_address(request_: Request) -> None:
    """Claim S7."""
    assert tried(BY_ADDRESS, request_)[0] == Target(Role.OWN, "mail.aa2.isp.example", 587)


@pytest.mark.parametrize(
    ("provider", "request_"),
    [
        (None, Request()),
        (BY_ADDRESS, Request()),
        (BY_ADDRESS, Request(mail="taro@elsewhere.example")),
        (BY_ADDRESS, Request(mail="taro@isp.example")),
        (PROVIDER, Request(mail="taro")),
        (PROVIDER, Request(mail="taro@isp.example>\r\nRCPT TO:<x@y")),
        (PROVIDER, Request(server="mail isp")),
        (PROVIDER, Request(server="mail.isp.example\n")),
        (PROVIDER, Request(server="\x1b[31m")),
        (PROVIDER, Request(others=("a.example:0",))),
        (PROVIDER, Request(others=("a.example:",))),
        (PROVIDER, Request(others=("a.example:25,x",))),
        (PROVIDER._replace(servers=()), Request(port=25)),
    ],
)
def test_what_cannot_be(provider: Provider | None, request_: Request) -> None:
    with pytest.raises(Usage) as error:
        completed(provider, request_)
    assert str(error.value).isascii()
    assert str(error.value).isprintable()
