"""Password fields hide what is typed, let it be pasted and kept by a password manager; no password expires.

ASVS 5.0, 6.2.6, 6.2.7, 6.2.10."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from gateway.tests.conftest import PASSWORD
from gateway.tests.inside import Inside
from gateway.use_cases import accounts
from libs.common.testing.service import NOW

TEMPLATES = Path(__file__).parents[1] / "templates"
FIELD = re.compile(r'field\.text\("(password|current|current_password|new_password)".*?\)\s*\}\}', re.S)


def fields() -> list[str]:
    return [found[0] for path in sorted(TEMPLATES.rglob("*.html")) for found in FIELD.finditer(path.read_text("utf-8"))]


def test_every_field_for_a_password_hides_it_and_takes_what_a_manager_fills_in() -> None:
    found = fields()
    assert len(found) >= 4, "sign-in, first password, and the two of a change"
    for field in found:
        assert 'type="password"' in field and re.search(r'autocomplete="(current|new)-password"', field), field
        assert "maxlength" not in field and "paste" not in field, field


def test_no_page_hinders_pasting() -> None:
    folders = [TEMPLATES.parents[1] / each for each in ("gateway", "libs", "services")]
    found = [path for folder in folders for path in folder.rglob("*.js")]
    own = [path for path in found if path.name != "htmx.min.js" and "tests" not in path.parts]
    assert [path.name for path in own if re.search(r"""["']paste["']|onpaste""", path.read_text("utf-8"))] == []
    assert len(own) >= 3


def test_a_password_of_three_years_ago_still_opens(door: Inside) -> None:
    with door.parts.service.database.transaction("400009") as session:
        person = accounts.add_person(session, "old@example.jp", "古 一郎", NOW)
        accounts.set_password(session, person.id, door.parts.passwords.hash(PASSWORD), NOW)
    door.clock.advance(seconds=timedelta(days=3 * 365).total_seconds())

    async def sign_in(password: str) -> int:
        async with door.client() as client:
            return (await client.post("/sign-in", data={"email": "old@example.jp", "password": password})).status_code

    assert asyncio.run(sign_in(PASSWORD)) == 303
    assert asyncio.run(sign_in(PASSWORD + "x")) == 422
