"""Lists of words for choosing: a key's municipality makes them, everybody reads them."""

from typing import Any

import pytest

from services.opendata.tests.people import Town

pytestmark = pytest.mark.any_store


def words(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def test_a_vocabulary_is_made_changed_and_read_by_everybody(town: Town) -> None:
    program, guest = town.machine(), town.visitor()
    made = program.result("vocabulary_create", name="分野", tags=words("防災", "福祉"))
    assert guest.result("vocabulary_show", id="分野") == made
    assert guest.result("tag_list", vocabulary_id=made["id"]) == ["防災", "福祉"]
    changed = program.result("vocabulary_update", id=made["id"], tags=words("福祉", "観光"))
    assert changed["tags"][0] == made["tags"][1]
    added = program.result("tag_create", name="教育", vocabulary_id="分野")
    assert added["vocabulary_id"] == made["id"]
    assert guest.result("tag_show", id="教育", vocabulary_id="分野") == added
    assert guest.act("tag_show", id="教育").status_code == 404
    program.result("tag_delete", id="福祉", vocabulary_id="分野")
    assert [each["name"] for each in guest.result("vocabulary_list")[0]["tags"]] == ["観光", "教育"]
    assert guest.result("organization_list") == [town.code]
    assert guest.result("group_list") == []
    program.result("vocabulary_delete", id="分野")
    assert guest.result("vocabulary_list") == []


@pytest.mark.parametrize(
    "said",
    [
        {"name": "a"},
        {"name": "x" * 200},
        {"name": "分野"},
        {"id": "x"},
        {"tags": None},
        {"tags": words("a!")},
        {"tags": [{}]},
    ],
)
def test_what_is_no_vocabulary_is_refused(town: Town, said: dict[str, Any]) -> None:
    program = town.machine()
    program.result("vocabulary_create", name="分野")
    assert program.act("vocabulary_create", **{"name": "area"} | said).status_code == 409


def test_a_vocabulary_is_changed_by_its_own_municipality_only(town: Town, neighbour: Town) -> None:
    town.machine().result("vocabulary_create", name="分野", tags=words("防災"))
    other, guest = neighbour.machine(), town.visitor()
    assert other.act("vocabulary_create", name="分野").status_code == 409
    assert other.act("vocabulary_update", id="分野", tags=[]).status_code == 404
    assert other.act("vocabulary_delete", id="分野").status_code == 404
    assert other.act("tag_create", name="福祉", vocabulary_id="分野").status_code == 404
    assert guest.act("vocabulary_create", name="別").status_code == 403
    assert guest.result("tag_list", vocabulary_id="分野") == ["防災"]
