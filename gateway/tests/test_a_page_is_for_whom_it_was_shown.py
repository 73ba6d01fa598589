"""One browser, two windows: a page of one person is still open when another has signed in. Its buttons must not mean the other one."""

import re
from collections.abc import Iterator

import pytest

from gateway import db
from gateway.pages import account as own_pages
from gateway.pages import address, close, second_factor, town_provider
from gateway.passkeys import Made
from gateway.tests.conftest import CODE
from gateway.tests.inside import Inside
from gateway.tests.test_an_account_moves_stops_and_closes import account, as_browser
from gateway.use_cases import machine_tokens, second_factors
from libs.common.testing.service import NOW

ROUTES = sorted(
    route.path.replace("{ident}", "x").replace("{town}", CODE)
    for room in (own_pages, address, close, second_factor, town_provider)
    for route in room.router.routes
    if "POST" in route.methods
)
"""Every button of one's own rooms; a new one is among them without anybody adding it."""


@pytest.fixture
def two(door: Inside) -> tuple[str, str]:
    """Both administrators, so that every form is there."""
    first, second = account(door, "first@example.jp"), account(door, "second@example.jp")
    door.publish(**{person: {CODE: ["portal.admin"]} for person in (first, second)})
    return first, second


def mark(door: Inside, person: str) -> str:
    page = as_browser(door, lambda c: c.get("/account/"), door.session(person)).text
    [found] = set(re.findall('name="shown_to" value="([0-9a-f]+)"', page))
    return found


def test_the_rooms_are_all_there() -> None:
    assert len(ROUTES) == 20 and {"/account/name", "/account/close", "/account/help"} < set(ROUTES), ROUTES


@pytest.mark.parametrize("path", ROUTES)
def test_a_button_of_a_page_that_was_shown_to_somebody_else_does_nothing(
    door: Inside, two: tuple[str, str], path: str
) -> None:
    first, second = two
    theirs, now_here = mark(door, first), door.session(second, acr="two-factor")
    assert theirs != mark(door, second)
    form = {"shown_to": theirs, "display_name": "別人"}
    answer = as_browser(door, lambda c: c.post(path, data=form), now_here)
    assert answer.status_code == 409 and "サインインしている方が変わった" in answer.text
    with door.parts.service.database.reading() as session:
        assert db.person(session, second).display_name == "見本 花子"


def test_a_button_of_one_s_own_page_works_in_the_next_session_too(door: Inside, two: tuple[str, str]) -> None:
    """A proof asked in between begins the session anew: the person is the same."""
    form = {"shown_to": mark(door, two[0]), "display_name": "新しい名"}
    answer = as_browser(door, lambda c: c.post("/account/name", data=form), door.session(two[0]))
    assert answer.headers["location"] == "/account/?done=name"
    left = as_browser(door, lambda c: c.post("/account/name", data=form), {})
    assert left.status_code == 401, "whoever has signed out meanwhile is told that, and nothing else"


def forms(page: str) -> Iterator[str]:
    """What follows each form's tag."""
    yield from (
        rest for path, rest in re.findall(r'<form [^>]*action="(/[^"]+)"[^>]*>\s*(.{60})', page) if "account" in path
    )


def test_every_form_says_to_whom_it_was_shown(door: Inside, two: tuple[str, str]) -> None:
    first, _ = two
    with door.parts.service.database.transaction(CODE) as session:
        wish = machine_tokens.Wish(CODE, "連携", ("eapply.read",), 30)
        machine_tokens.make(session, wish, by=first, tenants={CODE}, now=NOW)
    with door.parts.service.database.transaction("400009") as session:
        second_factors.add_passkey(session, first, Made("credential", b"key", 0), "職場", NOW)
        words = {"label": "職員", "issuer": "https://id.example", "client_id": "kyodo", "secret": "", "claim": None}
        session.add(
            db.TownProviderRow(
                for_tenant=CODE, **words, domains=[], claim_values=[], on=False, changed_at=NOW, changed_by=first
            )
        )
    door.session(first)
    cookies = door.session(first, acr="two-factor")
    seen = 0
    for path in ("", "second-factor", "address", "help", f"provider/{CODE}/"):
        page = as_browser(door, lambda c, p=path: c.get(f"/account/{p}"), cookies)
        assert page.status_code == 200
        for rest in forms(page.text):
            seen += 1
            assert rest.startswith('<input type="hidden" name="shown_to"'), (path, rest)
    door.publish()
    [closing] = forms(as_browser(door, lambda c: c.get("/account/close"), cookies).text)
    assert closing.startswith("<input")
    assert seen >= 14
