"""Lost passkeys, guessing neighbours, old answers, what is left in a browser: who gets in, who is told, and who does not."""

import asyncio
import contextlib
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from gateway import db, domain
from gateway.passkeys import Made, Used
from gateway.tests.conftest import CODE, PASSWORD
from gateway.tests.inside import Inside, inside
from gateway.tests.test_an_account_moves_stops_and_closes import HTML, account, as_browser, sent, signs_in
from gateway.use_cases import second_factors, sign_in, tickets
from libs.common.errors import Invalid, TooMany

HANAKO = "hanako@example.jp"


@pytest.fixture
def person(door: Inside) -> str:
    return account(door, HANAKO)


# ---- everything is lost ---------------------------------------------------------------------------------------------


def test_who_has_the_password_and_says_that_the_passkey_is_lost_does_not_get_in(door: Inside, person: str) -> None:
    """A thief with the password asks an administrator to take the passkey away. What is left opens nothing, and the owner is told."""
    admin = account(door, "admin@example.jp")
    door.publish(**{admin: {CODE: ["portal.admin"]}, person: {CODE: ["eapply.reviewer"]}})
    with door.parts.service.database.transaction("400009") as session:
        second_factors.add_passkey(session, person, Made("AAAA", b"\x01", 0), "職場", door.clock.now())
    sent(door)
    form = {"email": HANAKO, "what": "reset"}
    helped = as_browser(door, lambda c: c.post("/account/help", data=form), door.session(admin, acr="two-factor"))
    assert helped.headers["location"] == "/account/help?done=reset"
    assert signs_in(door, HANAKO) == 422
    [(to, subject, text)] = sent(door)
    assert (to, subject) == (HANAKO, "管理者が、サインインの方法を消しました") and "お願いした覚えがないとき" in text
    assert "/welcome/?t=" in text, "and the owner begins again by the mail"


# ---- guessing -------------------------------------------------------------------------------------------------------


def guesses(door: Inside, address: str, email: str, times: int) -> list[int]:
    async def run() -> list[int]:
        async with door.client(address, **HTML) as client:
            form = {"email": email, "password": "wrong wrong wrong"}
            return [(await client.post("/sign-in", data=form)).status_code for _ in range(times)]

    return asyncio.run(run())


def test_a_neighbour_who_guesses_does_not_shut_out_the_owner_of_a_browser_that_was_here_before(
    door: Inside, person: str
) -> None:
    """A town hall and a mobile carrier's customers share an address: whoever guesses there must not make the owner wait."""
    account(door, "neighbour@example.jp")

    async def sign_in(client: httpx.AsyncClient, email: str = HANAKO, password: str = PASSWORD) -> int:
        return (await client.post("/sign-in", data={"email": email, "password": password})).status_code

    async def run() -> None:
        async with door.client("203.0.113.7", **HTML) as client:
            assert await sign_in(client) == 303
            assert (await client.post("/sign-out")).status_code == 303
            await asyncio.to_thread(guesses, door, "203.0.113.9", HANAKO, 8)
            async with door.client("203.0.113.9", **HTML) as stranger:
                assert await sign_in(stranger) == 429, "the neighbour waits"
            assert await sign_in(client) == 303, "the owner does not"
            assert (await client.post("/sign-out")).status_code == 303
            for _ in range(6):
                await sign_in(client, password="wrong wrong wrong")
            assert await sign_in(client) == 429, "but whoever has this browser may not guess for ever either"
            assert await sign_in(client, "neighbour@example.jp") == 303, "and it is known for one account only"

    asyncio.run(run())


def test_whoever_guesses_in_a_school_makes_its_others_wait_for_seconds_and_tells_them_why(
    door: Inside, person: str
) -> None:
    """Hundreds share its address. Somebody there tries one password on many accounts, and goes on as often as it is possible."""
    school = "203.0.113.9"

    def guess(number: int) -> None:
        with door.parts.service.database.transaction() as session:
            key, now = door.parts.digest_key, door.clock.now()
            with contextlib.suppress(TooMany):
                sign_in.check_pace(session, key, f"guessed{number}@example.jp", domain.network_of(school), now)
                sign_in.note_failure(session, key, f"guessed{number}@example.jp", domain.network_of(school), now)

    def fair(address: str = school) -> httpx.Response:
        async def run() -> httpx.Response:
            async with door.client(address, **HTML) as client:
                return await client.post("/sign-in", data={"email": HANAKO, "password": PASSWORD})

        return asyncio.run(run())

    for number in range(2000):  # more than half an hour of it: as long as it pays
        guess(number)
        door.clock.advance(seconds=1)
    guess(2000)
    while fair().status_code == 303:
        door.clock.advance(seconds=1)
        guess(2000)
    refused = fair()
    seconds = int(refused.headers["retry-after"])
    assert refused.status_code == 429 and seconds <= 21
    for words in (f"{seconds}秒後", "パスワードが違うという意味ではありません", "スマートフォンの回線", HANAKO):
        assert words in refused.text, words
    assert fair("198.51.100.7").status_code == 303, "another network does not wait"
    for number in range(seconds):
        guess(3000 + number)
        door.clock.advance(seconds=1)
    assert fair().status_code == 303, "the time that was said is the time: who has to wait makes nobody wait longer"
    guess(4000)
    assert fair().status_code == 429, "but who guesses on may be quicker"
    assert came_in_by_mail(door, school) == "/account/", "the mail's way in is no guess, and waits for nobody"


def came_in_by_mail(door: Inside, address: str) -> str:
    """Where somebody gets who says that they have forgotten the password."""
    sent(door)

    async def run() -> str:
        async with door.client(address, **HTML) as client:
            assert (await client.post("/reset", data={"email": HANAKO})).status_code == 200
            [text] = [text for to, _, text in await asyncio.to_thread(sent, door) if to == HANAKO]
            await client.get(re.search(r"http\S+(/welcome/\?t=\S+)", text)[1])
            form = {"display_name": "見本 花子", "password": "umi to yama to kawa"}
            answer = await client.post("/welcome/", data=form)
            assert (await client.get("/account/")).status_code == 200
            return answer.headers["location"]

    return asyncio.run(run())


def test_forty_who_register_in_one_room_get_their_mails(door: Inside) -> None:
    """A training day in a town hall: all at once, behind one address."""

    async def run() -> list[int]:
        async with door.client("203.0.113.9", **HTML) as client:
            waits = []
            for number in range(40):
                while (
                    sent := await client.post("/sign-up", data={"email": f"clerk{number}@example.jp"})
                ).status_code == 429:
                    door.clock.advance(seconds=1)
                    waits.append(number)
                    assert len(waits) < 10 * 21
                assert sent.status_code == 200
            return waits

    waits = asyncio.run(run())
    assert waits


def test_a_machine_that_many_people_use_is_not_known_again(door: Inside, person: str) -> None:
    form = {"email": HANAKO, "password": PASSWORD, "shared": "1"}
    answer = as_browser(door, lambda c: c.post("/sign-in", data=form), {})
    assert not [name for name in answer.headers.get_list("set-cookie") if "kyodo_known" in name]


def test_whoever_asks_for_mails_in_somebody_s_name_does_not_keep_them_from_a_new_password(
    door: Inside, person: str
) -> None:
    async def ask(client: httpx.AsyncClient, path: str) -> int:
        return (await client.post(path, data={"email": HANAKO})).status_code

    async def run() -> None:
        async with door.client("198.51.100.1", **HTML) as stranger, door.client("203.0.113.7", **HTML) as owner:
            assert [await ask(stranger, "/sign-up") for _ in range(5)][-1] == 429
            assert await ask(owner, "/reset") == 200

    asyncio.run(run())


# ---- passkeys -------------------------------------------------------------------------------------------------------


def test_an_answer_of_a_passkey_counts_once(door: Inside, person: str) -> None:
    """Passkeys that are kept in a cloud do not count: an answer that was overheard must not open anything a second time."""
    asked = door.clock.now()
    with door.parts.service.database.transaction("400009") as session:
        second_factors.add_passkey(session, person, Made("AAAA", b"\x01", 0), "職場", asked)
        second_factors.use_passkey(session, person, Used("AAAA", 0, asked), asked + timedelta(seconds=20))
    with door.parts.service.database.transaction("400009") as session, pytest.raises(Invalid, match="別の画面で"):
        second_factors.use_passkey(session, person, Used("AAAA", 0, asked), asked + timedelta(seconds=40))
    with door.parts.service.database.transaction("400009") as session:
        later = asked + timedelta(minutes=1)
        second_factors.use_passkey(session, person, Used("AAAA", 0, later), later + timedelta(seconds=5))


# ---- what is left ---------------------------------------------------------------------------------------------------


def test_a_mail_s_link_that_was_opened_here_is_closed_by_the_sign_out(door: Inside, person: str) -> None:
    """On a machine that many people use the next one would find it at /welcome/, and choose a new password."""
    with door.parts.service.database.transaction() as session:
        now = door.clock.now()
        ticket = tickets.issue(session, purpose="reset", email=HANAKO, person_id=person, now=now, mail="reset").id
        link = tickets.secret_of(door.parts.ticket_key, ticket)

    async def do(client: httpx.AsyncClient) -> tuple[str, int]:
        assert (await client.get("/welcome/", params={"t": link})).status_code == 303
        assert (await client.get("/welcome/")).status_code == 200
        await client.post("/sign-out")
        return str(dict(client.cookies)), (await client.get("/welcome/")).status_code

    left, status = as_browser(door, do, door.session(person))
    assert status == 404 and "kyodo_ticket" not in left


@pytest.mark.parametrize(("shared", "cleared"), [(True, True), (False, False)])
def test_a_shared_machine_that_was_left_alone_is_left_clean(
    door: Inside, person: str, shared: bool, cleared: bool
) -> None:
    """Nobody signs out who walks away: the page leaves by itself, and then as little stays as after a sign-out."""
    cookies = door.parts.cookies
    life = f"300.{int(door.clock.now().timestamp()) + 300}.{int(shared)}"
    guest = door.parts.guests.new()[0]
    old = {**door.session(person, shared=shared), cookies.life: life, cookies.guest: guest}
    door.clock.advance(minutes=90)
    answer = as_browser(door, lambda c: c.get("/sign-in?said=ended"), old)
    assert ("clear-site-data" in answer.headers) == cleared
    gone = {cookie.split("=")[0] for cookie in answer.headers.get_list("set-cookie") if "Max-Age=0" in cookie}
    assert ({cookies.guest, cookies.session, cookies.life} <= gone) == cleared


def test_sessions_that_ended_by_themselves_are_not_listed_as_open(door: Inside, person: str) -> None:
    door.session(person)
    door.clock.advance(minutes=70)
    page = as_browser(door, lambda c: c.get("/account/"), door.session(person)).text
    assert page.count("/account/sessions/") == page.count("/account/sessions/end-others"), "only this one is open"
    with door.parts.service.database.reading() as session:
        assert len(db.sessions_of(session, person, door.clock.now())) == 2


# ---- programs' keys -------------------------------------------------------------------------------------------------

KEY = "kyodo_0123456789abcdef_" + "A" * 43


@pytest.mark.parametrize(
    "path", [f"/t/{CODE}/eapply/?key={KEY}", f"/t/{CODE}/eapply/?access_token={KEY}", f"/t/{CODE}/eapply/{KEY}/x"]
)
def test_a_key_in_an_address_is_refused_and_goes_nowhere(door: Inside, path: str) -> None:
    answer = as_browser(door, lambda c: c.get(path, headers={"accept": "application/json"}), {})
    assert (answer.status_code, answer.json()["code"]) == (400, "key-in-address"), answer.text
    assert door.upstreams.seen == []
    assert as_browser(door, lambda c: c.get(f"/t/{CODE}/eapply/?q=kyodo_cloud"), {}).status_code == 200


def test_a_key_has_no_scope_that_the_page_does_not_offer(tmp_path: Path) -> None:
    with inside(tmp_path, machine_scopes={"opendata.write": "公開"}) as door:
        admin = account(door, "admin@example.jp")
        door.publish(**{admin: {CODE: ["portal.admin"]}})
        for scope, status in (("portal.admin", 422), ("opendata.manager", 422), ("opendata.write", 201)):
            form = {"tenant": CODE, "name": "連携", "scopes": scope, "days": "30"}
            made = as_browser(door, lambda c, f=form: c.post("/account/machine-tokens", data=f), door.session(admin))
            assert made.status_code == status, scope
