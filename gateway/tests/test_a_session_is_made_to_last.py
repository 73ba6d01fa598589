"""The page knows when a session ends, and one press makes it last (WCAG 2.2.1); nothing is decided by what the page knows."""

import asyncio

import pytest

from gateway.tests.conftest import PASSWORD
from gateway.tests.inside import Inside
from gateway.use_cases import accounts
from libs.common.testing.service import NOW

FIFTY_MINUTES = 50 * 60


@pytest.fixture
def person(door: Inside) -> str:
    with door.parts.service.database.transaction("400009") as session:
        made = accounts.add_person(session, "slow@example.jp", "遅筆 一郎", NOW)
        accounts.set_password(session, made.id, door.parts.passwords.hash(PASSWORD), NOW)
        return made.id


def set_cookies(door: Inside, shared: str) -> dict[str, str]:
    async def sign_in() -> list[str]:
        async with door.client() as client:
            form = {"email": "slow@example.jp", "password": PASSWORD, "shared": shared}
            return (await client.post("/sign-in", data=form)).headers.get_list("set-cookie")

    return {cookie.split("=", 1)[0]: cookie for cookie in asyncio.run(sign_in())}


@pytest.mark.parametrize(("shared", "idle", "hours"), [("", 3600, 12), ("1", 300, 0.5)])
def test_a_sign_in_tells_the_page_when_it_ends_and_scripts_read_nothing_else(
    door: Inside, person: str, shared: str, idle: int, hours: float
) -> None:
    cookies = set_cookies(door, shared)
    said = cookies[door.parts.cookies.life].split("=", 1)[1].split(";")[0]
    assert said == f"{idle}.{door.clock.now().timestamp() + hours * 3600:.0f}.{int(bool(shared))}"
    assert [name for name, cookie in cookies.items() if "HttpOnly" not in cookie] == [door.parts.cookies.life]


def test_a_press_in_time_makes_a_session_last_and_none_does_not(door: Inside, person: str) -> None:
    async def press(cookies: dict[str, str]) -> int:
        async with door.client() as client:
            return (await client.post("/account/stay", cookies=cookies)).status_code

    pressed, forgotten = door.session(person), door.session(person)
    for _ in range(3):
        door.clock.advance(seconds=FIFTY_MINUTES)
        door.parts.callers.forget()
        assert asyncio.run(press(pressed)) == 204
    assert asyncio.run(press(forgotten)) == 401


def test_a_page_that_says_it_lasts_for_ever_changes_nothing(door: Inside, person: str) -> None:
    async def ask(cookies: dict[str, str]) -> int:
        async with door.client() as client:
            return (await client.post("/account/stay", cookies=cookies)).status_code

    cookies = door.session(person) | {door.parts.cookies.life: "999999999.99999999999.0"}
    door.clock.advance(seconds=2 * FIFTY_MINUTES)
    door.parts.callers.forget()
    assert asyncio.run(ask(cookies)) == 401


def test_on_a_shared_machine_the_page_stays_for_who_pressed_and_is_left_by_everybody_else(
    door: Inside, person: str
) -> None:
    async def left(cookies: dict[str, str]) -> int:
        async with door.client() as client:
            return (await client.get("/sign-in?said=ended", cookies=cookies)).status_code

    cookies, pressed = door.session(person, shared=True), {"kyodo_stays": "1"}
    assert asyncio.run(left(cookies | pressed)) == 204, "nothing to go to: the browser stays"
    assert asyncio.run(left(cookies)) == 303
    door.clock.advance(seconds=400)
    door.parts.callers.forget()
    assert asyncio.run(left(cookies | pressed)) == 200, "the session has ended: the form"
