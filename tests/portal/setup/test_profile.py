"""What a mail program must know, from the policy and the part after the @."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from op25b.policy.incoming import Security
from op25b.policy.model import Policy
from op25b.portal.setup.profile import Address, Receiving, Server, address, domain_name, profile, user_name
from tests.portal.setup.conftest import EXAMPLES, addresses


def test_netlaputa() -> None:
    found = profile(EXAMPLES["netlaputa"], "netlaputa.example")
    assert found is not None
    host = "mail.netlaputa.example"
    assert found.sending == (Server(host, 587, Security.STARTTLS), Server(host, 465, Security.TLS))
    assert found.receiving == (Receiving("pop.netlaputa.example", 995, Security.TLS, "pop3", "local-part"),)
    assert (found.user_name, found.apex, found.brand.name) == ("local-part", "netlaputa.example", "netlaputa")


def test_the_sub_domain_is_in_the_names_of_the_servers() -> None:
    found = profile(EXAMPLES["sonet"], "aa2.sonet.example")
    assert found is not None
    assert {server.host for server in found.sending} == {"mail.aa2.sonet.example"}
    assert [server.host for server in found.receiving] == ["pop.aa2.sonet.example", "imap.aa2.sonet.example"]


@pytest.mark.parametrize("domain", ["sonet.example", "a.b.sonet.example", "evilsonet.example", "infonia.example"])
def test_no_settings_without_the_sub_domain_or_for_others(domain: str) -> None:
    assert profile(EXAMPLES["sonet"], domain) is None


def test_each_brand_reads_its_own_mail_and_sends_through_the_same_server() -> None:
    found = [profile(EXAMPLES["infonia"], f"{brand}.example") for brand in ("infonia", "imart")]
    assert [each and (each.sending[0].host, each.receiving[0].host) for each in found] == [
        ("post1.infonia.example", "pop.infonia.example"),
        ("post1.infonia.example", "pop.imart.example"),
    ]
    assert [each and each.user_name for each in found] == ["told", "told"]


def test_the_domain_that_fits_best_and_never_a_port_that_is_not_open() -> None:
    found = profile(EXAMPLES["campus"], "x.alumni.campus.example")
    assert found is not None
    assert found.apex == "alumni.campus.example"
    only = EXAMPLES["campus"].model_copy(update={"own_servers": EXAMPLES["campus"].own_servers[1:]})
    on_587 = profile(only, "campus.example")
    assert on_587 is not None
    assert [server.port for server in on_587.sending] == [587]
    assert on_587.with_security(Security.TLS) == on_587.sending[0]


def test_a_pop_account_of_which_nothing_is_known_has_a_name_that_only_its_holder_knows() -> None:
    brands = [brand.model_copy(update={"incoming": ()}) for brand in EXAMPLES["netlaputa"].provider.brands]
    provider = EXAMPLES["netlaputa"].provider.model_copy(update={"brands": tuple(brands)})
    found = profile(EXAMPLES["netlaputa"].model_copy(update={"provider": provider}), "netlaputa.example")
    assert found is not None
    assert (found.user_name, found.receiving) == ("told", ())


def test_no_profile_where_there_is_nothing_to_send_through() -> None:
    relay = EXAMPLES["campus"].own_servers[1].model_copy(update={"ports": (25,)})
    policy: Policy = EXAMPLES["campus"].model_copy(update={"own_servers": (relay,)})
    assert profile(policy, "campus.example") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("taro@netlaputa.example", Address("taro", "netlaputa.example")),
        (" Taro.Yamada@AA2.Sonet.Example. ", Address("Taro.Yamada", "aa2.sonet.example")),
        ("ta..ro.@netlaputa.example", Address("ta..ro.", "netlaputa.example")),
        ("netlaputa.example", None),
        ("@netlaputa.example", None),
        ("taro@netlaputa", None),
        ("taro@-x.example", None),
        ("a b@netlaputa.example", None),
        ("a\r\nBcc: x@netlaputa.example", None),
        ("taro@netlaputa.example\r\nX: y", None),
        ("<taro@netlaputa.example>", None),
        ("taro@netlaputa.example\0", None),
        ("太郎@ネット.example", None),
        ("x" * 65 + "@netlaputa.example", None),
        ("taro@" + "x." * 130 + "example", None),
    ],
)
def test_addresses_as_people_write_them(text: str, found: Address | None) -> None:
    assert address(text) == found


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_none(text: str) -> None:
    found = address(text)
    if found is not None:
        assert domain_name(str(found)) == found.domain
        assert str(found).isprintable()
        assert not set(str(found)) & set(' <>"\r\n')


@pytest.mark.parametrize("name", sorted(EXAMPLES))
@settings(max_examples=25)
@given(data=st.data())
def test_nothing_but_the_user_name_depends_on_who_it_is(name: str, data: st.DataObject) -> None:
    one = data.draw(addresses(EXAMPLES[name]))
    found = profile(EXAMPLES[name], one.domain)
    assert found is not None
    assert all("{" not in server.host for server in (*found.sending, *found.receiving))
    assert user_name(found.user_name, one) in (None, one.local, str(one))
