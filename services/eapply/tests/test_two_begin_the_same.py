"""Two of the staff begin the same thing in the same moment: one has it, the other reads that it is there; nobody reads of an error."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError

import pytest
from httpx import Response

from services.eapply.tests.people import Browser, Town, visible
from services.eapply.tests.test_staff_make_a_procedure import NEW, clerk, make_hall, publish
from services.eapply.use_cases import editions, inventory

ENTRY = {"version": "0", "name": "印鑑登録", "department": "市民課", "online": "no", "reason": "original"}


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Whoever has looked whether it is there waits for the other, as far as the store lets both look at once."""

    def hold(module: object, name: str) -> None:
        real, both = getattr(module, name), Barrier(2)

        def held(*args: object, **more: object) -> object:
            found = real(*args, **more)
            try:
                both.wait(1)
            except BrokenBarrierError:  # SQLite lets one write at a time: the other has not begun
                both.reset()
            return found

        monkeypatch.setattr(module, name, held)

    return hold


def at_once(town: Town, act: Callable[[Browser], Response]) -> list[Response]:
    people = [clerk(town), clerk(town, "clerk-2", "江口 渉")]
    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(act, people), key=lambda answer: answer.status_code)


def test_the_same_new_procedure(town: Town, together):
    together(editions, "last_number")
    first, second = at_once(town, lambda staff: staff.post("desk/procedures/new", NEW, follow_redirects=False))
    assert (first.status_code, second.status_code) == (303, 422), visible(second.text)
    assert "この名前の手続きは、もうあります" in visible(second.text)
    assert 'value="会議室の利用申請"' in second.text, "what was typed is there"


def test_the_same_file(town: Town, together):
    staff = make_hall(town)
    text = staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text.replace("kaigishitsu", "shukaijo")
    together(editions, "last_number")

    def take(each: Browser) -> Response:
        file = ("k.yaml", text.encode(), "application/yaml")
        return each.post("desk/procedures/import", files={"file": file}, follow_redirects=False)

    first, second = at_once(town, take)
    assert (first.status_code, second.status_code) == (303, 409), visible(second.text)
    assert "には下書きがあります" in visible(second.text), "and what the other's draft has is shown"


def test_the_same_template(town: Town, neighbour: Town, together):
    theirs = make_hall(neighbour)
    publish(theirs)
    theirs.post("desk/procedures/kaigishitsu/share", {"shared": "", "to": "all"})
    together(editions, "last_number")

    def adopt(each: Browser) -> Response:
        return each.post("desk/procedures/templates", {"take": f"{neighbour.code}:kaigishitsu"}, follow_redirects=False)

    first, second = at_once(town, adopt)
    assert (first.status_code, second.status_code) == (303, 409), visible(second.text)


def test_a_draft_of_what_is_published(town: Town):
    publish(make_hall(town))
    answers = at_once(town, lambda staff: staff.post("desk/procedures/kaigishitsu/draft", follow_redirects=False))
    assert [answer.status_code for answer in answers] == [303, 303], "both are led to the one draft"


def test_the_same_entry_of_the_inventory(town: Town, together):
    together(inventory, "_by_name")
    first, second = at_once(
        town, lambda staff: staff.post("desk/procedures/inventory/new", ENTRY, follow_redirects=False)
    )
    assert (first.status_code, second.status_code) == (303, 422), visible(second.text)
    assert "もう表にあります" in second.text
