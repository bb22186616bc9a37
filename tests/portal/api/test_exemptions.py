"""The interface end to end: an HTTP client, a server on the loopback, a store of each kind."""

from __future__ import annotations

import threading

from op25b.store import changes
from op25b.subscribers.exemptions import queries
from tests.portal.api.conftest import Portal
from tests.subscribers.exemptions.conftest import DAY, START


def test_from_the_request_to_the_end(portal: Portal) -> None:
    made = portal.made(domain="company.example")
    assert (made.status_code, made.headers["ETag"], made.headers["Location"]) == (201, '"1"', "/exemptions/1")
    assert made.json()["state"] == "requested"
    assert portal.step("clerk", "/1/review", {"why": "by mail"}, 1).json()["state"] == "under-review"
    granted = portal.step("hanako", "/1/approve", {}, 2)
    assert (granted.status_code, granted.headers["ETag"], granted.json()["state"]) == (200, '"3"', "granted")
    with portal.store.read() as connection:
        assert [live.subscriber for live in queries.in_force(connection, START)] == ["taro"]
        assert [change for _, change in changes.after(connection, 0)] == [("subscriber", "taro")]
    portal.now = START + 366 * DAY
    assert portal.step("clerk", "/1/review", {}, 3).json()["state"] == "expiring"
    renewed = portal.step("hanako", "/1/renew", {}, 5).json()
    assert (renewed["state"], renewed["review_at"]) == ("granted", "2028-03-31T00:00:00Z")
    assert portal.step("jiro", "/1/revoke", {"why": "spam was sent"}, 6).json()["state"] == "revoked"
    with portal.client("reader") as client:
        assert client.get("/exemptions/1").json()["state"] == "revoked"
        history = client.get("/exemptions/1/history").json()
    assert [(line["who"], line["what"]) for line in history] == [
        ("clerk", "request"), ("clerk", "review"), ("hanako", "grant"), ("op25b", "expire"), ("clerk", "review"),
        ("hanako", "renew"), ("jiro", "revoke"),
    ]  # fmt: skip
    assert [line["why"] for line in history][-1] == "spam was sent"


def test_lists_in_pages(portal: Portal) -> None:
    for number in range(5):
        portal.made(subscriber=f"s{number}")
    portal.step("clerk", "/2/withdraw", {}, 1)
    with portal.client("reader") as client:
        first = client.get("/exemptions", params={"limit": 3}).json()
        assert ([each["id"] for each in first["exemptions"]], first["next"]) == ([1, 3, 4], 4)
        second = client.get("/exemptions", params={"limit": 3, "after": first["next"]}).json()
        assert ([each["id"] for each in second["exemptions"]], second["next"]) == ([5], None)
        assert [each["id"] for each in client.get("/exemptions?state=withdrawn").json()["exemptions"]] == [2]
        assert [each["id"] for each in client.get("/exemptions?subscriber=s3").json()["exemptions"]] == [4]
        assert client.get("/exemptions?kind=prefix").json()["exemptions"] == []


def test_the_terms_are_for_everybody_and_name_nobody(portal: Portal) -> None:
    portal.follow({"subscriber": {"own_domain": True, "fee": True}, "approvers": ["hanako"]})
    portal.made()
    with portal.client() as client:
        answered = client.get("/terms")
    found = answered.json()
    assert answered.status_code == 200
    assert found["counts"]["subscriber"] == {"asked": 1, "granted": 0, "refused": 0, "in_force": 0}
    assert found["terms"]["subscriber"]["own_domain"] is True
    assert "1,000 yen" in "".join(found["text"]["en"])
    assert "1000円" in "".join(found["text"]["ja"])
    assert "hanako" not in answered.text
    assert "taro" not in answered.text


def test_counts_are_not_counted_anew_for_everybody_who_asks(portal: Portal) -> None:
    def asked() -> int:
        with portal.client() as client:
            return int(client.get("/terms").json()["counts"]["subscriber"]["asked"])

    assert asked() == 0
    portal.made()
    assert asked() == 0
    portal.now += DAY
    assert asked() == 1


NEEDED = (
    ("GET", "", 1), ("GET", "/1", 1), ("GET", "/1/history", 1), ("POST", "", 2), ("POST", "/1/review", 2),
    ("POST", "/1/withdraw", 2), ("POST", "/1/approve", 3), ("POST", "/1/refuse", 3), ("POST", "/1/revoke", 3),
    ("POST", "/1/renew", 3),
)  # fmt: skip


def test_who_may_do_what(portal: Portal) -> None:
    portal.made()
    for rank, who in enumerate((None, "reader", "clerk", "hanako")):
        with portal.client(who) as client:
            for method, path, needed in NEEDED:
                # the version is wrong: whoever may do it hears that, and nothing is changed
                answered = client.request(method, f"/exemptions{path}", json={}, headers={"If-Match": '"99"'})
                if who is None:
                    assert answered.status_code == 401
                else:
                    assert (answered.status_code == 403) is (rank < needed), (who, method, path)
                    assert answered.status_code in (200, 403, 412, 422)


def test_who_did_it_is_the_tokens_holder(portal: Portal) -> None:
    portal.follow({"approvers": ["jiro"]})
    portal.made()
    portal.step("clerk", "/1/review", {}, 1)
    refused = portal.step("hanako", "/1/approve", {}, 2)
    assert (refused.status_code, refused.json()["errors"][0]["what"]) == (403, "hanako may not grant")
    assert portal.step("jiro", "/1/approve", {}, 2).json()["approvals"][0]["who"] == "jiro"
    assert portal.step("jiro", "/1/approve", {"by": "hanako"}, 3).status_code == 422


def test_two_persons_and_reasons(portal: Portal) -> None:
    portal.follow({"second_person_above": 4, "prefix": {"own_domain": True}})
    portal.made(kind="prefix", prefix="198.18.1.0/28", subscriber=None)
    found = portal.step("clerk", "/1/review", {}, 1).json()["findings"]
    assert [(each["criterion"], each["passed"], each["found"]) for each in found] == [
        ("own-domain", False, "no domain is named")
    ]
    failed = portal.step("hanako", "/1/approve", {}, 2)
    assert (failed.status_code, failed.json()["errors"][0]["what"]) == (409, "own-domain failed")
    first = portal.step("hanako", "/1/approve", {"overrides": {"own-domain": "a club's"}}, 2)
    assert (first.status_code, first.json()["state"]) == (200, "under-review")
    again = portal.step("hanako", "/1/approve", {}, 3)
    assert again.status_code == 403
    assert "another person is needed" in again.json()["errors"][0]["mend"]
    assert portal.step("jiro", "/1/approve", {}, 3).json()["state"] == "granted"


def test_nobody_decides_on_what_he_has_not_seen(portal: Portal) -> None:
    portal.made()
    assert portal.step("clerk", "/1/review").status_code == 428
    for stale in ("7", "x", "-1", "1.0", "9" * 40):
        with portal.client("clerk") as client:
            answered = client.post("/exemptions/1/review", json={}, headers={"If-Match": f'"{stale}"'})
        assert answered.status_code == 412, stale
    assert portal.step("clerk", "/1/review", {}, 1).status_code == 200


def test_of_two_who_decide_at_once_one_is_told_to_look_again(portal: Portal) -> None:
    portal.made()
    portal.step("clerk", "/1/review", {}, 1)
    statuses: list[int] = []
    together = threading.Barrier(2)

    def decide(who: str, step: str) -> None:
        together.wait()
        statuses.append(portal.step(who, f"/1/{step}", {"why": "x"}, 2).status_code)

    threads = [threading.Thread(target=decide, args=each) for each in (("hanako", "approve"), ("jiro", "refuse"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 412]


NESTED = b"[" * 16000
WRONG: list[tuple[bytes, int]] = [
    (b"", 422),
    (b"{", 422),
    (b"\xff\xfe", 422),
    (NESTED, 400),
    (b"[]", 422),
    (b'{"kind": "everything"}', 422),
    (b'{"kind": "subscriber", "reason": "x"}', 422),
    (b'{"kind": "subscriber", "subscriber": "a\\u0000b", "reason": "x"}', 422),
    (b'{"kind": "subscriber", "subscriber": "\\ud800", "reason": "x"}', 422),
    (b'{"kind": "subscriber", "subscriber": "a", "reason": "x", "state": "granted"}', 422),
    (b'{"kind": "subscriber", "subscriber": "a", "reason": "x", "until_at": "2026-05-01T00:00:00"}', 422),
    (b'{"kind": "subscriber", "subscriber": "a", "reason": "x", "until_at": "2020-05-01T00:00:00Z"}', 422),
    (b'{"kind": "subscriber", "subscriber": "a", "reason": "x", "until_at": 1e400}', 422),
    (b'{"kind": "prefix", "prefix": "203.0.113.0/24", "reason": "x"}', 422),
    (b'{"kind": "subscriber", "subscriber": "' + b"a" * 254 + b'", "reason": "x"}', 422),
    (b'{"kind": "subscriber", "subscriber": "a", "reason": "' + b"x" * 2001 + b'"}', 422),
    (b'{"kind": "subscriber", "subscriber": "a", "reason": "' + b"x" * 17000 + b'"}', 413),
]


def test_what_is_wrong_is_said_and_nothing_is_changed(portal: Portal) -> None:
    with portal.client("clerk") as client:
        for body, status in WRONG:
            answered = client.post("/exemptions", content=body, headers={"Content-Type": "application/json"})
            assert answered.status_code == status, body[:100]
            assert all(error["what"] and error["mend"] for error in answered.json()["errors"]), body[:100]
        assert client.get("/exemptions").json()["exemptions"] == []


NOWHERE = (
    ("/exemptions/1", 404), ("/exemptions/0", 422), ("/exemptions/99999999999999999999", 422), ("/exemptions/x", 422),
    ("/exemptions?limit=1000", 422), ("/exemptions?after=-1", 422), ("/exemptions?state=gone", 422),
    ("/exemptions?subscriber=a%00b", 422), ("/nothing", 404),
)  # fmt: skip


def test_paths_that_lead_nowhere(portal: Portal) -> None:
    with portal.client("reader") as client:
        for path, status in NOWHERE:
            answered = client.get(path)
            assert answered.status_code == status, path
            assert all(error["what"] and error["mend"] for error in answered.json()["errors"]), path


def test_a_value_that_is_refused_is_not_repeated(portal: Portal) -> None:
    secret = portal.tokens["hanako"]
    with portal.client("clerk") as client:
        answered = client.post("/exemptions", json={"kind": secret, "reason": "x", secret: 1})
    assert answered.status_code == 422
    assert f'"{secret}"' not in answered.text


def test_the_store_away(portal: Portal) -> None:
    with portal.store.write() as connection:
        connection.exec_driver_sql("ALTER TABLE exemptions RENAME TO moved")
    answered = portal.made()
    assert answered.status_code == 503
    assert [line["level"] for line in portal.logged] == ["error"]


def test_the_openapi_document(portal: Portal) -> None:
    with portal.client() as client:
        document = client.get("/openapi.json").json()
        assert client.get("/docs").status_code == 404
    assert set(document["paths"]) >= {"/exemptions", "/exemptions/{number}", "/exemptions/{number}/approve", "/terms"}
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert "security" not in document["paths"]["/terms"]["get"]
    assert document["paths"]["/exemptions"]["post"]["security"] == [{"HTTPBearer": []}]
