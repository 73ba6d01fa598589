"""What a provider's word is good for, and what not: its old sessions, its addresses, its municipality, its own end of a session."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import jwt
import pytest

from gateway import db
from gateway.domain import Voucher
from gateway.oidc.exchange import EVENT
from gateway.tests import fake_provider
from gateway.tests.conftest import CODE, OTHER
from gateway.tests.fake_provider import State, logout_token
from gateway.tests.inside import Inside, inside
from gateway.tests.test_an_account_moves_stops_and_closes import HTML, account, as_browser
from gateway.use_cases import identities, sign_in

PROVIDERS = """
[town]
label = "見本市職員アカウント"
for = "staff"
tenant = "{code}"
issuer = "{issuer}"
client_id = "kyodo"
secret_file = "town.secret"
email_domains = ["city.example.jp"]
[town.strength]
loa2 = "two-factor"

[app]
label = "見本の認証アプリ"
for = "citizen"
issuer = "{issuer}"
client_id = "kyodo"
secret_file = "town.secret"
"""
HANAKO = "hanako@example.jp"
TOWN = Voucher("town")


@pytest.fixture
def door(tmp_path: Path, issuer: str) -> Iterator[Inside]:
    with door_with(tmp_path, issuer) as made:
        yield made


@contextmanager
def door_with(folder: Path, issuer: str, **settings) -> Iterator[Inside]:
    """A gateway on today's date: the provider signs with the real clock."""
    State.fault, State.subject, State.claims = "", "hanako", {}
    (folder / "town.secret").write_text(fake_provider.SECRET)
    (folder / "providers.toml").write_text(PROVIDERS.format(code=CODE, issuer=issuer))
    with inside(folder, at=datetime.now(UTC), oidc_providers=folder / "providers.toml", **settings) as made:
        yield made


async def come_in(client: httpx.AsyncClient, key: str = "town", **query: str) -> httpx.Response:
    """There and back; the answer to the way back."""
    begun = await client.get(f"/sign-in/with/{key}", params=query)
    answer = httpx.get(begun.headers["location"], trust_env=False).headers["location"]  # noqa: ASYNC210 (the provider is a thread)
    return await client.get(answer)


def shown(page: str) -> str:
    return re.search('name="shown" value="([0-9a-f]+)"', page)[1]


def linked(door: Inside, person: str, subject: str = "hanako", provider: str = "town") -> None:
    identity = identities.Identity(provider, fake_provider.issuer(), subject, "password")
    with door.parts.service.database.transaction("400009") as session:
        identities.link(session, person, identity, door.clock.now())


def sessions(door: Inside, person: str) -> list[db.SessionRow]:
    with door.parts.service.database.reading() as session:
        return list(db.sessions_of(session, person, door.clock.now()))


# ---- the way on -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["a" * 5000, "%E7%94%B3" * 300, "a" * 1900])
def test_a_long_way_on_does_not_cost_the_sign_in(door: Inside, query: str) -> None:
    """A browser drops a cookie of more than 4096 characters, and then everybody comes from another browser."""
    person = account(door, HANAKO)
    linked(door, person)
    place = f"/t/{CODE}/eapply/"

    async def do(client: httpx.AsyncClient) -> httpx.Response:
        begun = await client.get("/sign-in/with/town", params={"next": f"{place}?q={query}"})
        assert all(len(cookie) <= 4096 for cookie in begun.headers.get_list("set-cookie"))
        answer = httpx.get(begun.headers["location"], trust_env=False).headers["location"]  # noqa: ASYNC210 (the provider is a thread)
        return await client.get(answer)

    there = as_browser(door, do, {}).headers["location"]
    assert there == (f"{place}?q={query}" if len(query) < 2000 else place)


# ---- a new proof ----------------------------------------------------------------------------------------------------


def test_a_provider_that_asks_nothing_brings_no_new_proof(door: Inside) -> None:
    """Whoever sits down at an open screen has the provider's session too: going there and back must not count as having shown oneself."""
    person = account(door, HANAKO)
    linked(door, person)
    State.claims = {"auth_time": int(door.clock.now().timestamp()) - 3600}

    async def do(client: httpx.AsyncClient) -> None:
        assert (await come_in(client, next="/account/")).headers["location"] == "/account/"
        asked = await client.get("/account/address")
        assert asked.status_code == 303 and asked.headers["location"].startswith("/sign-in/confirm?again=1")
        assert "ご本人であることを確かめて" in await page_of(client, asked)

    as_browser(door, do, {})


async def page_of(client: httpx.AsyncClient, answer: httpx.Response) -> str:
    return (await client.get(answer.headers["location"])).text.replace("&amp;", "&")


def test_a_new_proof_is_asked_of_the_provider_and_its_old_one_does_not_do(door: Inside) -> None:
    with door.parts.service.database.transaction("400009") as session:
        person = identities.accounts.add_person(session, "only-there@example.jp", "花子", door.clock.now()).id
    linked(door, person)
    session = door.session(person, proved_at=datetime.fromtimestamp(0, UTC), voucher=TOWN)

    async def do(client: httpx.AsyncClient) -> None:
        asked = await client.get("/account/address")
        page = await page_of(client, asked)
        links = re.findall(r'href="(/sign-in/with/[^"]+)"', page)
        assert [link.split("?")[0] for link in links] == ["/sign-in/with/town"], (
            "only the way that leads to this account"
        )
        begun = await client.get(links[0])
        wishes = dict(httpx.URL(begun.headers["location"]).params)
        assert (wishes["prompt"], wishes["max_age"]) == ("login", "0")
        for said in (
            {"auth_time": int(door.clock.now().timestamp()) - 3600},
            {"auth_time": None},
            {"auth_time": "now"},
        ):
            State.claims = said
            back = await come_in(client, next="/account/address", again="1")
            assert back.status_code == 400 and "old-proof" in back.text
        State.claims = {}
        assert (await come_in(client, next="/account/address", again="1")).headers["location"] == "/account/address"
        assert (await client.get("/account/address")).status_code == 200

    as_browser(door, do, session)


# ---- windows --------------------------------------------------------------------------------------------------------


async def begin(client: httpx.AsyncClient, next: str) -> str:
    """Where the provider sends the browser back to, which does not go there yet."""
    begun = await client.get("/sign-in/with/town", params={"next": next})
    return httpx.get(begun.headers["location"], trust_env=False).headers["location"]  # noqa: ASYNC210 (the provider is a thread)


def test_two_windows_on_the_way_to_a_provider_both_arrive(door: Inside) -> None:
    """Two pages that ask for a sign-in, opened side by side: the answer of one must not spoil the other's."""
    linked(door, account(door, HANAKO))

    async def do(client: httpx.AsyncClient) -> None:
        first, second = await begin(client, "/?first"), await begin(client, "/?second")
        assert (await client.get(first)).headers["location"] == "/?first"
        assert (await client.get(first)).status_code == 400, "an answer counts once"
        assert (await client.get(second)).headers["location"] == "/?second"
        assert door.parts.cookies.begun not in client.cookies, "nothing is left"
        ways = [await begin(client, f"/?{number}") for number in range(4)]
        assert [(await client.get(way)).status_code for way in ways] == [400, 303, 303, 303], (
            "the oldest of four has ended"
        )
        far = [await begin(client, "/?" + letter * 1800) for letter in "ab"]
        assert len(client.cookies[door.parts.cookies.begun]) < 4000, "a browser would drop it"
        assert (await client.get(far[1])).status_code == 303, "the newest always arrives"

    as_browser(door, do, {})


# ---- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "email", "believed"),
    [
        ("town", "taro@city.example.jp", True),
        ("town", "mayor@other-city.example.jp", False),
        ("town", "mayor@evilcity.example.jp.example.com", False),
        ("app", "anybody@example.jp", True),
    ],
)
def test_a_municipality_s_provider_proves_addresses_of_its_own_domains_only(
    door: Inside, key: str, email: str, believed: bool
) -> None:
    """Else a town could have an account with another town's address, and the next invitation to it would be the town's own."""
    State.subject, State.claims = "newcomer", {"email": email, "email_verified": True}

    async def do(client: httpx.AsyncClient) -> httpx.Response:
        assert (await come_in(client, key)).headers["location"] == "/sign-in/proved"
        page = (await client.get("/sign-in/proved")).text
        assert (email in page) == believed
        form = {"display_name": "新人", "email": email, "shown": shown(page)}
        return await client.post("/sign-in/proved/begin", data=form)

    answer = as_browser(door, do, {})
    assert answer.status_code == (303 if believed else 200), "a mail goes there first"
    with door.parts.service.database.reading() as session:
        assert (db.person_by_email(session, email) is not None) == believed


# ---- rights ---------------------------------------------------------------------------------------------------------


def test_the_provider_of_one_municipality_opens_no_rights_in_another(door: Inside) -> None:
    """Whoever runs the provider of a town can say that anybody is there: of those who work in two towns, too."""
    person = account(door, HANAKO)
    linked(door, person)
    door.publish(**{person: {CODE: ["eapply.reviewer", "portal.admin"], OTHER: ["eapply.reviewer", "portal.admin"]}})

    def seen(cookies: dict[str, str]) -> tuple[str, str, str]:
        def at(code: str) -> str:
            as_browser(door, lambda c: c.get(f"/t/{code}/eapply/"), cookies)
            token = door.upstreams.seen[-1][3][b"authorization"].decode().removeprefix("Bearer ")
            return jwt.decode(token, options={"verify_signature": False})["kind"]

        account_page = as_browser(door, lambda c: c.get("/account/"), cookies).text
        return at(CODE), at(OTHER), "both" if f"/portal/{OTHER}/" in account_page else "one"

    assert seen(door.session(person)) == ("staff", "staff", "both")
    assert seen(door.session(person, voucher=Voucher("app"))) == ("staff", "staff", "both")
    assert seen(door.session(person, voucher=TOWN)) == ("staff", "person", "one")
    desk = as_browser(door, lambda c: c.get(f"/t/{OTHER}/eapply/desk/"), door.session(person, voucher=TOWN))
    assert desk.status_code == 403 and "サインアウトしてから" in desk.text
    theirs = {"tenant": OTHER, "name": "x", "scopes": "opendata.write", "days": "10"}
    made = as_browser(
        door, lambda c: c.post("/account/machine-tokens", data=theirs), door.session(person, voucher=TOWN)
    )
    assert made.status_code == 403


# ---- consent --------------------------------------------------------------------------------------------------------


def test_a_button_pressed_after_somebody_else_has_signed_in_links_nothing(door: Inside) -> None:
    first, second = account(door, HANAKO), account(door, "jiro@example.jp")

    async def do(client: httpx.AsyncClient) -> None:
        await come_in(client)
        page = (await client.get("/sign-in/proved")).text
        client.cookies.set(
            door.parts.cookies.session, door.session(second)[door.parts.cookies.session], domain="127.0.0.1"
        )
        door.parts.callers.forget()
        refused = await client.post("/sign-in/proved/link", data={"shown": shown(page)})
        assert refused.status_code == 409 and "変わりました" in refused.text
        State.subject = "another"
        page = (await client.get("/sign-in/proved")).text
        await come_in(client)
        assert (await client.post("/sign-in/proved/link", data={"shown": shown(page)})).status_code == 409
        page = (await client.get("/sign-in/proved")).text
        assert (await client.post("/sign-in/proved/link", data={"shown": shown(page)})).status_code == 303

    as_browser(door, do, door.session(first))
    with door.parts.service.database.reading() as session:
        assert [row.subject for row in db.identities_of(session, first)] == []
        assert [row.subject for row in db.identities_of(session, second)] == ["another"]


def test_an_address_of_a_mail_that_was_opened_since_is_not_taken_for_the_one_shown(door: Inside) -> None:
    """Somebody sends a link of their own: whoever opens it before they press must not have their account at that address."""
    State.subject, State.claims = "victim", {"email": "victim@example.jp", "email_verified": True}
    with door.parts.service.database.transaction() as session:
        ticket = identities.tickets.issue(
            session, purpose="sign-up", email="thief@example.com", now=door.clock.now(), mail="sign-up"
        ).id

    async def do(client: httpx.AsyncClient) -> None:
        await come_in(client, "app")
        page = (await client.get("/sign-in/proved")).text
        assert "victim@example.jp" in page
        link = identities.tickets.secret_of(door.parts.ticket_key, ticket)
        assert (await client.get("/welcome/", params={"t": link})).status_code == 303
        form = {"display_name": "被害", "shown": shown(page)}
        refused = await client.post("/sign-in/proved/begin", data=form)
        assert refused.status_code == 409 and "thief@example.com" in refused.text and "届け先" in refused.text

    as_browser(door, do, {})
    with door.parts.service.database.reading() as session:
        assert db.person_by_email(session, "thief@example.com") is None


# ---- machines that many people use ----------------------------------------------------------------------------------


def test_whoever_says_that_the_machine_is_shared_is_believed_whatever_the_way_in(door: Inside) -> None:
    person = account(door, HANAKO)
    linked(door, person)

    async def first(client: httpx.AsyncClient) -> str:
        page = (await client.get("/sign-in")).text
        page = (await client.get(re.search(r'href="(/sign-in\?shared=1[^"]*)"', page)[1].replace("&amp;", "&"))).text
        link = re.search(r'href="(/sign-in/with/town\?[^"]+)"', page)[1].replace("&amp;", "&")
        assert (await come_in(client, **dict(httpx.URL(link).params))).status_code == 303
        return page

    assert re.search(r'name="shared"[^>]* checked', as_browser(door, first, {}))
    assert [row.shared for row in sessions(door, person)] == [True]


def test_another_proof_makes_no_long_session_on_a_shared_machine(door: Inside) -> None:
    person = account(door, HANAKO)
    linked(door, person)
    as_browser(door, lambda c: come_in(c, need="two-factor"), door.session(person, shared=True))
    assert [(row.acr, row.shared) for row in sessions(door, person)] == [("two-factor", True)]


def test_a_new_account_on_a_shared_machine_has_a_short_session(door: Inside) -> None:
    State.subject, State.claims = "newcomer", {"email": "new@example.jp", "email_verified": True}

    async def do(client: httpx.AsyncClient) -> None:
        await come_in(client, "app", shared="1")
        form = {"display_name": "新人", "shown": shown((await client.get("/sign-in/proved")).text)}
        assert (await client.post("/sign-in/proved/begin", data=form)).status_code == 303

    as_browser(door, do, {})
    with door.parts.service.database.reading() as session:
        person = db.person_by_email(session, "new@example.jp")
    assert [row.shared for row in sessions(door, person.id)] == [True]


# ---- the provider ends a session ------------------------------------------------------------------------------------


def end(door: Inside, token: str, key: str = "town") -> httpx.Response:
    """As the provider sends it: no cookie, no browser."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(door.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(f"/sign-in/with/{key}/ended", data={"logout_token": token})

    import asyncio

    return asyncio.run(run())


def test_a_provider_says_that_a_session_has_ended_and_it_ends_here(door: Inside) -> None:
    person = account(door, HANAKO)
    linked(door, person)
    for name in ("at-the-office", "at-home"):
        State.claims = {"sid": name}
        as_browser(door, lambda c: come_in(c), {})
    own = door.session(person)
    assert len(sessions(door, person)) == 3
    answer = end(door, logout_token(sub="hanako", sid="at-the-office"))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert {row.provider_sid for row in sessions(door, person)} == {"at-home", None}
    assert end(door, logout_token(sid="at-home")).status_code == 200, "a session's name alone does"
    assert [row.provider for row in sessions(door, person)] == [None], "what came in by a password stays"
    assert as_browser(door, lambda c: c.get("/account/"), own).status_code == 200


def test_a_provider_that_names_nobody_s_session_ends_all_of_that_person_s_and_no_one_else_s(door: Inside) -> None:
    person, other = account(door, HANAKO), account(door, "jiro@example.jp")
    linked(door, person)
    linked(door, other, "jiro")
    for who in ("hanako", "hanako", "jiro"):
        State.subject = who
        as_browser(door, lambda c: come_in(c), {})
    assert end(door, logout_token(sub="hanako")).status_code == 200
    assert (len(sessions(door, person)), len(sessions(door, other))) == (0, 1)
    assert end(door, logout_token(sub="nobody-here")).status_code == 200


def test_a_word_sent_twice_ends_nothing_that_began_after_it(door: Inside) -> None:
    person = account(door, HANAKO)
    linked(door, person)
    token = logout_token(sub="hanako")
    as_browser(door, lambda c: come_in(c), {})
    assert end(door, token).status_code == 200 and sessions(door, person) == []
    door.clock.advance(seconds=90)
    with door.parts.service.database.transaction("400009") as session:
        sign_in.open_session(
            session, person, acr="password", device="", now=door.clock.now(), life=door.parts.life, voucher=TOWN
        )
    assert end(door, token).status_code == 200
    assert len(sessions(door, person)) == 1


NOW = int(datetime.now(UTC).timestamp())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"sub": None}, "about nobody"),
        ({"sub": "hanako", "events": None}, "an ID token"),
        ({"sub": "hanako", "events": {"other": {}}}, "another event"),
        ({"sub": "hanako", "events": "x"}, "no event"),
        ({"sub": "hanako", "events": {EVENT: "x"}}, "an event without a content"),
        ({"sub": "hanako", "nonce": "n"}, "an ID token with events"),
        ({"sub": "hanako", "aud": "somebody-else"}, "another audience"),
        ({"sub": "hanako", "aud": ["somebody-else", "others"]}, "other audiences"),
        ({"sub": "hanako", "aud": None}, "for nobody"),
        ({"sub": "hanako", "iss": "https://other.example"}, "another issuer"),
        ({"sub": "hanako", "iss": None}, "of nobody"),
        ({"sub": "hanako", "exp": NOW - 600, "iat": NOW - 900}, "old"),
        ({"sub": "hanako", "iat": NOW + 3600, "exp": NOW + 7200}, "of tomorrow"),
        ({"sub": "hanako", "nbf": NOW + 3600, "exp": NOW + 7200}, "not yet good"),
        ({"sub": "hanako", "iat": None}, "said at no time"),
        ({"sub": "hanako", "exp": None}, "good for ever"),
        ({"sub": "hanako", "exp": str(NOW + 300)}, "a time in words"),
        ({"sub": "hanako", "jti": None}, "without a name"),
        ({"sub": ["hanako"]}, "a list of people"),
        ({"sub": "hanako", "sid": ["a"]}, "a list of sessions"),
        ({"sub": "", "sid": ""}, "about nobody, in so many words"),
    ],
)
def test_a_word_of_an_end_that_is_not_exactly_right_ends_nothing(door: Inside, changes: dict, why: str) -> None:
    person = account(door, HANAKO)
    linked(door, person)
    as_browser(door, lambda c: come_in(c), {})
    refused = end(door, logout_token(**changes))
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request"), why
    assert len(sessions(door, person)) == 1


def test_forged_words_of_an_end_are_refused_and_break_nothing(door: Inside) -> None:
    person = account(door, HANAKO)
    linked(door, person)
    as_browser(door, lambda c: come_in(c), {})
    claims = jwt.decode(logout_token(sub="hanako"), options={"verify_signature": False})
    keys = fake_provider.KEYS
    forged = [
        "",
        "x.y.z",
        jwt.encode(claims, "", algorithm="none"),
        jwt.encode(claims, keys["stranger"], algorithm="RS256", headers={"kid": "one"}),
        jwt.encode(claims, fake_provider.SECRET + "-" * 32, algorithm="HS256", headers={"kid": "one"}),
        with_header(logout_token(sub="hanako"), alg="ES256"),
        with_header(logout_token(sub="hanako"), alg="EdDSA"),
        with_header(logout_token(sub="hanako"), kid={"a": 1}),
        with_header(logout_token(sub="hanako"), alg=["RS256"]),
    ]
    assert [end(door, token).status_code for token in forged] == [400] * len(forged)
    assert end(door, logout_token(sub="hanako"), key="nobody").status_code == 404
    assert len(sessions(door, person)) == 1
    assert door.parts.providers.seat("town").record.failures == {}, "not the sign-ins' figures"


def with_header(token: str, **changes: object) -> str:
    header, rest = token.split(".", 1)
    said = jwt.utils.base64url_decode(header)
    return jwt.utils.base64url_encode(json.dumps(json.loads(said) | changes).encode()).decode() + "." + rest


def test_strange_words_for_the_strength_count_as_one_factor(door: Inside) -> None:
    person = account(door, HANAKO)
    linked(door, person)
    for said in (["loa2"], {"loa2": 1}, 2, True):
        State.claims = {"acr": said}
        assert as_browser(door, lambda c: come_in(c), {}).status_code == 303
    assert {row.acr for row in sessions(door, person)} == {"password"}
    assert HTML["accept"] == "text/html"


def test_a_way_in_that_is_given_up_ends_what_came_in_by_it_elsewhere(door: Inside) -> None:
    """Whoever finds a connection that they did not make takes it away: who made it must not stay in."""
    person = account(door, HANAKO)
    linked(door, person)
    as_browser(door, lambda c: come_in(c), {})
    with door.parts.service.database.reading() as session:
        [ident] = [row.id for row in db.identities_of(session, person)]
    own = door.session(person)
    given_up = as_browser(door, lambda c: c.post(f"/account/identities/{ident}/unlink"), own)
    assert given_up.headers["location"] == "/account/?done=unlinked"
    assert [row.provider for row in sessions(door, person)] == [None]


def test_somebody_not_signed_in_comes_back_to_the_very_page(door: Inside) -> None:
    led = as_browser(door, lambda c: c.get(f"/account/second-factor?next=/t/{CODE}/eapply/?tab=mine"), {})
    wanted = httpx.URL(led.headers["location"]).params["next"]
    assert wanted == f"/account/second-factor?next=/t/{CODE}/eapply/?tab=mine"
