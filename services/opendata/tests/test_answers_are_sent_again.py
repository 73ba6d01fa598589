"""What guests ask for again is sent as it was made: to guests only, in their language, never a refusal, never after a change."""

from dataclasses import replace
from typing import Any

import pytest

from libs.common.actor import Actor
from libs.common.web import i18n
from services.opendata.api import answers
from services.opendata.tests.people import BROWSER, Browser, Town, visible

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def name(town: Town) -> str:
    return town.name_of(town.publish())


def marked(town: Town) -> int:
    """Write over every kept answer, so that whoever gets one shows it; how many there are."""
    kept = town.service.extras["answers"]
    for key, (answer, _) in list(kept._values.items()):
        kept.put(key, replace(answer, body=b"kept ".ljust(len(answer.body), b".")))
    return len(kept._values)


def is_kept(answer: Any) -> bool:
    assert answer.status_code == 200, answer.text[:200]
    return answer.content.startswith(b"kept ")


def addresses(town: Town, name: str) -> list[str]:
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    action = "/opendata/api/3/action"
    return [
        f"/opendata/datasets/{name}", "/opendata/?q=AED", f"{action}/package_show?id={name}", f"{action}/package_search?q=AED",
        f"{action}/datastore_search?resource_id={resource}", f"/opendata/data/{resource}.json",
    ]  # fmt: skip


def test_the_second_guest_gets_what_the_first_one_got_and_everybody_else_their_own(town: Town, name: str):
    asked = addresses(town, name)
    first = [town.visitor("one").get(address) for address in asked]
    second = [town.visitor("two").get(address) for address in asked]
    for one, two in zip(first, second, strict=True):
        assert one.content == two.content
        told = [dict(answer.headers) for answer in (one, two)]
        assert told[0].pop("x-request-id") != told[1].pop("x-request-id")
        assert told[0] == told[1]
    assert marked(town) == len(asked)
    person = Browser(town, Actor("person", "p-1", "山田", acr="password", sid="p"))
    for address in asked:
        assert is_kept(town.visitor("three").get(address)), address
        for other in (person, town.staff(), town.machine()):
            assert not is_kept(other.get(address)), (other.actor.kind, address)


def test_languages_are_kept_apart_and_choosing_one_sets_its_cookie_each_time(town: Town, name: str):
    page, english = f"/opendata/datasets/{name}", {"Cookie": f"{i18n.COOKIE}=en"}
    assert "このデータについて" in visible(town.visitor().get(page).text)
    assert "About this data" in visible(town.visitor().get(page, headers=english).text)
    assert marked(town) == 2
    for _ in range(2):
        chosen = town.visitor().get(f"{page}?lang=en")
        assert "About this data" in visible(chosen.text) and i18n.COOKIE in chosen.headers["set-cookie"]


def test_refusals_and_what_is_not_there_are_never_kept(town: Town, name: str):
    visitor = town.visitor()
    for _ in range(2):
        assert visitor.get("/opendata/datasets/not-there").status_code == 404
        assert visitor.get("/opendata/api/3/action/package_show?id=not-there").status_code == 404
        unknown = visitor.client.get(f"/opendata/datasets/{name}", headers={"Authorization": "Bearer x"})
        assert unknown.status_code == 401
        assert visitor.client.get(f"/opendata/datasets/{name}").status_code == 401
    assert marked(town) == 0


def test_a_change_a_count_and_five_seconds_each_make_a_page_anew(
    town: Town, name: str, monkeypatch: pytest.MonkeyPatch
):
    page, rows = addresses(town, name)[0], addresses(town, name)[-1]
    visitor = town.visitor()
    for change in (
        lambda: town.machine().result("package_patch", id=name, notes="新しい説明"),
        town.service.extras["catalogue"].look_again,
    ):
        visitor.get(page), visitor.get(rows)
        assert marked(town) and is_kept(visitor.get(page)) and is_kept(visitor.get(rows))
        change()
        assert not is_kept(visitor.get(page)) and not is_kept(visitor.get(rows))
    town.app.state.uses.note("view", "v", BROWSER, "d", "", town.service.clock.now())
    marked(town)
    town.app.state.uses.write()
    assert not is_kept(visitor.get(page)) and is_kept(visitor.get(rows))
    monkeypatch.setattr(answers, "SECONDS", -1.0)
    town.app.state.uses.written += 1
    visitor.get(page)
    marked(town)
    assert not is_kept(visitor.get(page)) and is_kept(visitor.get(rows))


def test_a_program_s_question_with_an_etag_still_gets_304(town: Town, name: str):
    rows = addresses(town, name)[-1]
    etag = town.visitor().get(rows).headers["etag"]
    assert town.visitor().get(rows, headers={"If-None-Match": etag}).status_code == 304
