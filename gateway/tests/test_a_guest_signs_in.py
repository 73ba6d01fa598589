"""What a guest began goes on under the account: services are told who the guest was, by us, once, to one person only."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway import domain
from gateway.parts import Stored
from gateway.tests.conftest import CODE, OTHER, PASSWORD, Running
from gateway.tests.test_people_sign_in import actor, seen_actor
from gateway.use_cases import accounts, guests
from gateway.use_cases.sign_in import open_session
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.testing.service import make_service

PAGE = f"/t/{CODE}/eapply/"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def people(cloud: Running) -> list[str]:
    return [cloud.person("guest-a@example.jp"), cloud.person("guest-b@example.jp")]


def sign_in(client, email: str = "guest-a@example.jp"):  # type: ignore[no-untyped-def]
    answer = client.post("/sign-in", data={"email": email, "password": PASSWORD, "next": PAGE})
    assert answer.status_code == 303
    return answer


def test_services_learn_who_the_guest_was(cloud: Running, people: list[str]) -> None:
    client = cloud.client()
    guest = seen_actor(cloud, client, PAGE)
    assert guest.kind == "guest" and guest.sid and guest.earlier_guest is None
    answer = sign_in(client)
    assert "kyodo_guest=;" in answer.headers["set-cookie"], "the guest's cookie has done its work"
    person = seen_actor(cloud, client, PAGE)
    assert (person.kind, person.subject, person.earlier_guest) == ("person", people[0], guest.sid)
    assert seen_actor(cloud, client, f"/t/{OTHER}/eapply/").earlier_guest == guest.sid, "each of its towns is told"


def test_who_asks_for_data_is_somebody_of_their_own(cloud: Running) -> None:
    """Else all visitors of the open data catalogue shared one person's ten requests a day, and one vote."""
    page, sent = "/opendata/requests/", {"headers": {"accept": "text/html", "origin": cloud.url}}

    def asked(client) -> str:  # type: ignore[no-untyped-def]
        cloud.forget_seen()
        assert client.post(page, data={"title": "x"}, **sent).status_code == 200
        return actor(cloud, cloud.seen()[0], "opendata").subject

    one, other = cloud.client(), cloud.client()
    assert "set-cookie" not in one.get(page, headers={"accept": "text/html"}).headers, (
        "what all read alike is kept by caches"
    )
    first = asked(one)
    assert first == asked(one) and first != asked(other) and first != "guest"
    program = cloud.client()
    assert program.post("/opendata/api/3/action/package_search", json={}).status_code == 200
    assert not program.cookies


def test_who_was_no_guest_brings_nothing_along(cloud: Running, people: list[str]) -> None:
    client = cloud.client()
    answer = sign_in(client)
    assert "kyodo_guest" not in answer.headers["set-cookie"]
    assert seen_actor(cloud, client, PAGE).earlier_guest is None


@pytest.mark.parametrize("forged", ["x", "a.5.b", "g-0123456789abcdef0123456789abcdef"])
def test_a_guest_s_cookie_that_is_not_ours_brings_nothing_along(cloud: Running, people: list[str], forged: str) -> None:
    client = cloud.client(cookies={"kyodo_guest": forged})
    sign_in(client)
    assert seen_actor(cloud, client, PAGE).earlier_guest is None


def test_a_cookie_planted_beside_a_session_brings_nothing_along(cloud: Running, people: list[str]) -> None:
    other = cloud.client()
    seen_actor(cloud, other, PAGE)
    client = cloud.client()
    sign_in(client)
    client.cookies.set("kyodo_guest", other.cookies["kyodo_guest"])
    assert seen_actor(cloud, client, PAGE).earlier_guest is None, "only at the sign-in"
    sign_in(client)
    assert seen_actor(cloud, client, PAGE).earlier_guest is None, "and only who was a guest until then"


def test_the_same_cookie_leads_to_one_person_only(cloud: Running, people: list[str]) -> None:
    first = cloud.client()
    guest = seen_actor(cloud, first, PAGE)
    copy = first.cookies["kyodo_guest"]
    sign_in(first)
    second = cloud.client(cookies={"kyodo_guest": copy})
    sign_in(second, "guest-b@example.jp")
    assert seen_actor(cloud, second, PAGE).earlier_guest is None
    clicked_twice = cloud.client(cookies={"kyodo_guest": copy})
    sign_in(clicked_twice)
    assert seen_actor(cloud, clicked_twice, PAGE).earlier_guest == guest.sid


def test_it_is_told_for_a_quarter_of_an_hour(database: Database, tmp_path) -> None:  # type: ignore[no-untyped-def]
    clock, life = FixedClock(NOW), domain.SessionLife()
    with database.transaction() as session:
        person = accounts.add_person(session, "a@example.jp", "見本", NOW).id
        session.flush()
        secret = open_session(session, person, acr="password", device="", now=NOW, life=life, guest_sid="g-1")
    stored = Stored(make_service("gateway", database, tmp_path, clock=clock), life)
    found = stored.session(domain.digest(secret))
    assert found is not None and found.earlier_guest == "g-1"
    clock.advance(seconds=(guests.TOLD_FOR - timedelta(seconds=1)).total_seconds())
    found = stored.session(domain.digest(secret))
    assert found is not None and found.earlier_guest == "g-1"
    clock.advance(seconds=1)
    found = stored.session(domain.digest(secret))
    assert found is not None and found.earlier_guest is None
