"""A new mail address, an account that is stopped, one that is closed; and a proof of a while ago that is no longer enough for any of it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from gateway import db, mail
from gateway.passkeys import Made
from gateway.tests.conftest import CODE, OTHER, PASSWORD
from gateway.tests.inside import Inside
from gateway.use_cases import accounts, second_factors
from libs.common.testing.service import NOW

HTML = {"accept": "text/html"}
OLD, NEW = "hanako@example.jp", "hanako@new.example.jp"


@pytest.fixture
def person(door: Inside) -> str:
    return account(door, OLD)


HASHED: list[str] = []
"""Of PASSWORD: it is meant to be slow, and once is enough."""


def account(door: Inside, email: str) -> str:
    HASHED[:] = HASHED or [door.parts.passwords.hash(PASSWORD)]
    with door.parts.service.database.transaction("400009") as session:
        made = accounts.add_person(session, email, "見本 花子", NOW)
        accounts.set_password(session, made.id, HASHED[0], NOW)
        return made.id


def as_browser(door: Inside, do: Callable[[httpx.AsyncClient], Awaitable[Any]], cookies: dict[str, str]) -> Any:
    async def run() -> Any:
        async with door.client(**HTML) as client:
            for name, value in cookies.items():
                client.cookies.set(name, value, domain="127.0.0.1")
            return await do(client)

    door.parts.callers.forget()
    return asyncio.run(run())


def signs_in(door: Inside, email: str, password: str = PASSWORD) -> int:
    form = {"email": email, "password": password}
    return as_browser(door, lambda c: c.post("/sign-in", data=form), {}).status_code


def sent(door: Inside) -> list[tuple[str, str, str]]:
    """(to, subject, text) of what waits now."""
    found: list[tuple[str, str, str]] = []
    door.parts.service.extras["send_mail"] = lambda to, subject, text, *_: found.append((to, subject, text))
    while mail.jobs.run_next(door.parts.service):
        pass
    return [(to, subject.removeprefix("【共同クラウド】"), text) for to, subject, text in found]


def link_in(door: Inside, to: str) -> str:
    [text] = [text for address, _, text in sent(door) if address == to]
    return re.search(r"http\S+(/account/address\?t=\S+)", text)[1]


def ask_for(door: Inside, cookies: dict[str, str], email: str) -> httpx.Response:
    return as_browser(door, lambda c: c.post("/account/address", data={"email": email}), cookies)


def open_and_change(door: Inside, cookies: dict[str, str], link: str) -> tuple[str, httpx.Response]:
    """The page of the link, and the answer to its button."""

    async def do(client: httpx.AsyncClient) -> tuple[str, httpx.Response]:
        moved = await client.get(link)
        assert (moved.status_code, moved.headers["location"]) == (303, "/account/address"), "the secret leaves at once"
        return (await client.get("/account/address")).text, await client.post("/account/address/change")

    return as_browser(door, do, cookies)


def test_a_person_takes_another_address_by_the_link_that_is_mailed_there(door: Inside, person: str) -> None:
    cookies, elsewhere = door.session(person), door.session(person)
    assert NEW in ask_for(door, cookies, "ｈａｎａｋｏ@new.example.jp").text
    assert signs_in(door, OLD) == 303, "until the link is opened nothing changes"
    page, answer = open_and_change(door, cookies, link_in(door, NEW))
    assert NEW in page and "このメールアドレスに変える" in page
    assert answer.headers["location"] == "/account/?done=address"
    assert (signs_in(door, OLD), signs_in(door, NEW)) == (422, 303)
    assert as_browser(door, lambda c: c.get("/account/"), cookies).status_code == 200
    assert as_browser(door, lambda c: c.get("/account/"), elsewhere).status_code == 303, "other devices are signed out"
    assert [(to, subject) for to, subject, _ in sent(door)] == [(OLD, "メールアドレスが変わりました")]


def test_the_owner_of_a_mistyped_address_gets_nothing_by_the_link(door: Inside, person: str) -> None:
    stranger = account(door, "stranger@example.jp")
    ask_for(door, door.session(person), NEW)
    link = link_in(door, NEW)

    async def without_signing_in(client: httpx.AsyncClient) -> str:
        await client.get(link)
        assert (await client.get("/welcome/")).status_code == 404, "it is no link to begin by"
        assert (await client.post("/welcome/", data={"display_name": "x", "password": PASSWORD})).status_code == 404
        return (await client.get("/account/address")).headers["location"]

    assert as_browser(door, without_signing_in, {}).startswith("/sign-in")
    page, answer = open_and_change(door, door.session(stranger), link)
    assert NEW not in page and answer.status_code == 409
    assert (signs_in(door, OLD), signs_in(door, NEW)) == (303, 422)


def test_an_address_of_somebody_else_is_told_by_mail_and_not_on_the_page(door: Inside, person: str) -> None:
    account(door, NEW)
    cookies = door.session(person)
    known, unknown = ask_for(door, cookies, NEW), ask_for(door, cookies, "nobody@example.jp")
    assert known.text.replace(NEW, "") == unknown.text.replace("nobody@example.jp", "")
    told = {to: text for to, _, text in sent(door)}
    assert "すでに使われています" in told[NEW] and "t=" not in told[NEW]
    assert ask_for(door, cookies, OLD).status_code == 422
    assert ask_for(door, cookies, "no address").status_code == 422


def test_two_who_want_one_address_at_once_one_gets_it(door: Inside, person: str) -> None:
    other = account(door, "taro@example.jp")
    links = []
    for one in (person, other):
        ask_for(door, door.session(one), NEW)
        links.append(link_in(door, NEW))
    answers = [open_and_change(door, door.session(p), link)[1] for p, link in zip((person, other), links, strict=True)]
    assert answers[0].status_code == 303
    assert answers[1].status_code in (404, 409), "the other's link lies in a mailbox that is somebody's now"


SENSITIVE = [
    ("GET", "/account/second-factor"),
    ("POST", "/account/second-factor/passkeys"),
    ("POST", "/account/second-factor/passkeys/x/remove"),
    ("POST", "/account/identities/x/unlink"),
    ("GET", "/account/address"),
    ("POST", "/account/address"),
    ("POST", "/account/address/change"),
    ("GET", "/account/close"),
    ("POST", "/account/close"),
    ("POST", "/account/machine-tokens"),
    ("POST", "/account/machine-tokens/x/rotate"),
]


@pytest.mark.parametrize(("method", "path"), SENSITIVE)
def test_an_open_screen_is_not_enough_to_change_the_ways_in(door: Inside, person: str, method: str, path: str) -> None:
    cookies = door.session(person)
    door.clock.advance(minutes=11)
    asked = as_browser(door, lambda c: c.request(method, path), cookies)
    assert asked.status_code == 303 and asked.headers["location"].startswith("/sign-in/confirm?again=1&next=")

    async def prove(client: httpx.AsyncClient) -> httpx.Response:
        page = await client.get(asked.headers["location"])
        assert "パスワードで確かめる" in page.text
        next_page = re.search(r'name="next" value="([^"]+)"', page.text)[1]
        wrong = await client.post("/sign-in/confirm/password", data={"current": "wrong wrong", "next": next_page})
        assert wrong.status_code == 422
        right = await client.post("/sign-in/confirm/password", data={"current": PASSWORD, "next": next_page})
        assert right.headers["location"] == next_page
        return await client.get(next_page)

    page = as_browser(door, prove, cookies)
    assert page.status_code == 200 and "パスワードで確かめる" not in page.text
    assert as_browser(door, lambda c: c.get("/account/"), cookies).status_code == 303, "the older session has ended"
    assert signs_in(door, OLD) == 303


def test_what_was_typed_for_a_key_is_there_after_the_proof(door: Inside, person: str) -> None:
    """The form was open for longer than a proof lasts: who they are is asked for, not the whole form again."""
    door.publish(**{person: {CODE: ["portal.admin"]}})
    cookies = door.session(person)
    door.clock.advance(minutes=11)
    typed = {"tenant": CODE, "name": "受付の機械 & 表", "scopes": ["eapply.read", "opendata.write"], "days": "45"}
    asked = as_browser(door, lambda c: c.post("/account/machine-tokens", data=typed), cookies)
    back = httpx.URL(asked.headers["location"]).params["next"]
    assert back.startswith("/account/?") and back.endswith("#tokens")
    page = as_browser(door, lambda c: c.get(back.partition("#")[0]), door.session(person)).text
    fields = dict(re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', page))
    assert (fields["name"], fields["days"], fields["scopes"]) == (
        "受付の機械 &amp; 表",
        "45",
        "eapply.read opendata.write",
    )
    assert "kyodo_" not in page, "nothing is made by coming back"


def test_a_page_that_was_left_open_over_night_says_what_to_do(door: Inside, person: str) -> None:
    """Forms carry no token that ends: a sign-in is taken as typed. What came after a first proof begins again, by a link."""
    cookies = door.session(person)
    with door.parts.service.database.transaction("400009") as session:
        second_factors.add_passkey(session, person, Made("credential", b"key", 0), "職場", NOW)

    async def do(client: httpx.AsyncClient) -> None:
        page = (await client.get("/sign-in?next=/account/")).text
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
        half = await client.post("/sign-in", data={"email": OLD, "password": PASSWORD})
        assert half.headers["location"] == "/sign-in/confirm"
        door.clock.advance(hours=14)
        for path, form in (("confirm/code", {"code": "x"}), ("confirm/passkey", {"credential": "x", "challenge": "x"})):
            late = await client.post(f"/sign-in/{path}", data=form)
            assert (
                late.status_code == 401
                and "この画面を開いてから時間がたった" in late.text
                and 'href="/sign-in"' in late.text
            )
        morning = await client.post("/sign-in", data={**fields, "email": OLD, "password": PASSWORD})
        assert morning.headers["location"] == "/sign-in/confirm"
        wrong = await client.post("/sign-in", data={**fields, "email": OLD, "password": "wrong wrong wrong"})
        assert wrong.status_code == 422 and f'value="{OLD}"' in wrong.text and 'value="/account/"' in wrong.text

    as_browser(door, do, {})
    late = as_browser(door, lambda c: c.post("/account/name", data={"display_name": "花子"}), cookies)
    assert late.status_code == 401 and 'href="/sign-in"' in late.text


def test_password_managers_are_told_what_each_field_is(door: Inside, person: str) -> None:
    """HTML, autofill: the address by which one signs in is a username, wherever its password is asked or chosen."""
    cookies = door.session(person)

    def kinds(path: str, cookies: dict[str, str]) -> list[str]:
        page = as_browser(door, lambda c: c.get(path), cookies).text
        return [kind for kind in re.findall(r'autocomplete="([a-z-]+)"', page) if kind != "name"]

    assert kinds("/sign-in", {}) == ["username", "current-password"]
    assert kinds("/account/", cookies) == ["username", "current-password", "new-password"]
    ask_for(door, cookies, NEW)
    door.clock.advance(minutes=11)
    assert kinds("/sign-in/confirm?again=1&next=/account/", cookies) == ["username", "current-password"]
    with door.parts.service.database.transaction("400009") as session:
        second_factors.add_passkey(session, person, Made("credential", b"key", 0), "職場", NOW)
        second_factors.new_codes(session, door.parts.digest_key, person, NOW)
    assert kinds("/sign-in/confirm?again=1&next=/account/", cookies) == ["one-time-code"]


def test_whoever_has_a_passkey_shows_it_and_the_password_does_not_do(door: Inside, person: str) -> None:
    with door.parts.service.database.transaction("400009") as session:
        second_factors.add_passkey(session, person, Made("credential", b"key", 0), "職場", NOW)
        [code, *_] = second_factors.new_codes(session, door.parts.digest_key, person, NOW)
    cookies = door.session(person, acr="two-factor")
    door.clock.advance(minutes=11)

    async def prove(client: httpx.AsyncClient) -> str:
        page = (await client.get("/sign-in/confirm?again=1&next=/account/close")).text
        assert "パスキー" in page and "パスワードで確かめる" not in page
        refused = await client.post("/sign-in/confirm/password", data={"current": PASSWORD, "next": "/account/close"})
        assert refused.status_code == 401
        await client.post("/sign-in/confirm/code", data={"code": code, "next": "/account/close"})
        return (await client.get("/account/close")).text

    assert "元には戻せません" in as_browser(door, prove, cookies)


def test_a_citizen_closes_the_account_and_nothing_of_name_and_address_is_left(door: Inside, person: str) -> None:
    with door.parts.service.database.transaction("400009") as session:
        second_factors.add_passkey(session, person, Made("credential", b"key", 0), "職場", NOW)
        second_factors.new_codes(session, door.parts.digest_key, person, NOW)
    cookies, elsewhere = door.session(person, acr="two-factor"), door.session(person)
    assert "取り下げになりません" in as_browser(door, lambda c: c.get("/account/close"), cookies).text
    closed = as_browser(door, lambda c: c.post("/account/close"), cookies)
    assert "アカウントを閉じました" in closed.text and "clear-site-data" in closed.headers
    for session_of in (cookies, elsewhere):
        assert as_browser(door, lambda c: c.get("/account/"), session_of).status_code == 303
    assert signs_in(door, OLD) == 422
    assert [(to, subject) for to, subject, _ in sent(door)][-1] == (OLD, "アカウントを閉じました")
    with door.parts.service.database.reading() as session:
        row = session.get_one(db.PersonRow, person)
        assert OLD not in row.email and row.display_name == "" and row.closed_at is not None
        assert not db.can_sign_in(session, person) and not db.has_passkey(session, person)
        assert db.codes_left(session, person) == 0
    assert account(door, OLD) != person, "the address is free, and whoever begins with it is somebody new"


def test_whoever_has_a_role_does_not_close_the_account(door: Inside, person: str) -> None:
    door.publish(**{person: {CODE: ["eapply.reviewer"]}})
    cookies = door.session(person)
    assert (
        "先に、管理者に担当を外してもらってください"
        in as_browser(door, lambda c: c.get("/account/close"), cookies).text
    )
    assert as_browser(door, lambda c: c.post("/account/close"), cookies).status_code == 409
    assert signs_in(door, OLD) == 303


def test_an_administrator_stops_an_account_at_once_and_opens_it_again(door: Inside, person: str) -> None:
    admin, outside = account(door, "admin@example.jp"), account(door, "outside@example.jp")
    door.publish(
        **{
            admin: {CODE: ["portal.admin"]},
            person: {CODE: ["eapply.reviewer"]},
            outside: {CODE: ["eapply.reviewer"], OTHER: ["eapply.reviewer"]},
        }
    )
    helper, theirs = door.session(admin, acr="two-factor"), door.session(person)

    def help_with(email: str, what: str) -> int:
        form = {"email": email, "what": what}
        return as_browser(door, lambda c: c.post("/account/help", data=form), helper).status_code

    assert help_with("outside@example.jp", "stop") == 403 and help_with("admin@example.jp", "stop") == 409
    assert signs_in(door, "outside@example.jp") == 303
    assert help_with(OLD, "stop") == 303
    assert as_browser(door, lambda c: c.get("/account/"), theirs).status_code == 303, "the session is over"
    assert signs_in(door, OLD) == 403 and signs_in(door, OLD, "wrong wrong wrong") == 422
    assert help_with(OLD, "open") == 303 and signs_in(door, OLD) == 303
    assert [subject for to, subject, _ in sent(door) if to == OLD] == [
        "アカウントが止められました",
        "アカウントが、また使えるようになりました",
    ]
    assert help_with(OLD, "delete everything") == 422


@pytest.mark.parametrize("path", ["/account/address", "/welcome/"])
@pytest.mark.parametrize(
    "written", ["a.b", "\uf138", "x; Domain=jp; Path=/", "x\r\nSet-Cookie: kyodo_session=planted", "é.\0"]
)
def test_nothing_of_a_link_that_we_never_wrote_goes_into_a_cookie(door: Inside, path: str, written: str) -> None:
    answer = as_browser(door, lambda c: c.get(path, params={"t": written}), {})
    assert answer.status_code == 404 and "期限が切れているか" in answer.text
    assert "planted" not in str(answer.headers) and not [
        v for v in answer.headers.get_list("set-cookie") if "ticket" in v
    ]
