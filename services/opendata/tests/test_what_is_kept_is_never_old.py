"""Pages and answers are kept for the next who asks: nobody ever sees an old one, another's, or one in another language."""

import re

import pytest

from libs.common.room import RoomRow
from services.opendata.datastore import indexes
from services.opendata.db import DatasetRow, published
from services.opendata.kept import Kept
from services.opendata.tests.people import AED, Town, visible
from services.opendata.use_cases.project import project


def page(town: Town, name: str, **more: str) -> str:
    answer = town.visitor().get(f"/opendata/datasets/{name}", **more)
    assert answer.status_code == 200
    return visible(answer.text)


def test_a_new_version_a_new_description_and_a_withdrawal_are_seen_at_once(town: Town):
    machine, visitor = town.machine(), town.visitor()
    dataset = town.publish()
    name = town.name_of(dataset)
    for _ in range(2):  # the second comes from what is kept
        assert "AED設置箇所一覧" in page(town, name)
        assert visitor.result("package_show", id=name)["notes"] != "新しい説明"
        assert visitor.result("package_search", q="AED")["results"][0]["title"] == "AED設置箇所一覧"
        assert "4行" in visible(visitor.get("/opendata/?q=AED").text)
    machine.result("package_patch", id=dataset, notes="新しい説明", title="AEDの場所")
    assert "新しい説明" in page(town, name) and "AEDの場所" in page(town, name)
    assert visitor.result("package_show", id=name)["notes"] == "新しい説明"
    assert visitor.result("package_search", q="AED")["results"][0]["title"] == "AEDの場所"
    assert "新しい説明" in visible(visitor.get("/opendata/?q=AED").text)
    resource = visitor.result("package_show", id=name)["resources"][0]["id"]
    assert len(visitor.get(f"/opendata/data/{resource}.json").json()["rows"]) == 4
    town.staff().post(f"desk/datasets/{dataset}/withdraw", {"reason": "設置場所に誤りがありました。"})
    assert visitor.get(f"/opendata/datasets/{name}").status_code == 410
    assert visitor.act("package_show", id=name).status_code == 404
    assert visitor.get(f"/opendata/data/{resource}.json").status_code == 410
    assert visitor.result("package_search", q="AED")["count"] == 0
    assert "当てはまるデータはありませんでした" in visible(visitor.get("/opendata/?q=AED").text)


def test_what_a_transaction_that_failed_had_written_is_never_shown(town: Town):
    """Its number of change is given again to the next: what it saw of itself must not be kept under that number."""
    dataset = town.publish()
    with pytest.raises(RuntimeError), town.service.database.transaction(tenant=town.code) as session:
        row = session.get_one(DatasetRow, (town.code, dataset))
        row.title = "公開されなかった題"
        project(session, row, town.service.clock.now())
        seen = published.find(session, dataset)
        assert seen is not None and seen.document["title"] == "公開されなかった題"
        raise RuntimeError("the store went away")
    town.machine().result("package_patch", id=dataset, notes="次の変更")
    told = town.visitor().result("package_show", id=dataset)
    assert (told["title"], told["notes"]) == ("AED設置箇所一覧", "次の変更")


def test_every_reader_has_their_own_language_face_and_name(town: Town):
    name = town.name_of(town.publish())
    japanese = page(town, name)
    english = visible(town.visitor().get(f"/opendata/datasets/{name}?lang=en").text)
    assert "このデータについて" in japanese and "About this data" in english and page(town, name) == japanese
    own = town.guest().get(f"datasets/{name}").text
    assert f"/t/{town.code}/opendata/datasets/{name}/resources/" in own
    assert (
        f"/t/{town.code}/opendata/datasets/{name}/resources/"
        not in town.visitor().get(f"/opendata/datasets/{name}").text
    )
    staff = town.staff()
    assert "古賀 真理" in staff.get(f"/opendata/datasets/{name}").text and "古賀 真理" in staff.get("/opendata/").text
    assert "古賀 真理" not in page(town, name) and "古賀 真理" not in town.visitor().get("/opendata/").text


def test_what_somebody_writes_behind_an_address_is_not_shown_to_others(town: Town):
    town.publish()
    assert "planted" not in re.sub(
        r'lang=\w+|next=[^"]*', "", town.visitor().get("/opendata/?q=AED&planted=1").text.partition("<main")[2]
    )
    assert "planted" not in town.visitor().get("/opendata/?q=AED").text


def test_a_town_that_is_called_otherwise_is_so_everywhere(town: Town):
    name = town.name_of(town.publish())
    assert "大木町" in page(town, name) and "大木町" in visible(town.visitor().get("/opendata/?q=AED").text)
    with town.service.database.transaction(tenant=town.code) as session:
        row = session.get(RoomRow, town.code)
        assert row is not None
        row.name = "大木市"
    town.publish(AED.replace("大木町".encode("cp932"), "大木市".encode("cp932")), "b.csv", title="ほかの一覧")
    assert town.visitor().result("package_show", id=name)["organization"]["title"] == "大木市"
    assert "公開している団体 大木市" in page(town, name)
    assert visible(town.visitor().get("/opendata/?q=AED").text).count("大木市") > 1


def test_views_are_counted_on_a_page_that_is_kept(town: Town):
    name = town.name_of(town.publish())
    for sid in ("one", "two", "three"):
        town.visitor(sid).get(f"/opendata/datasets/{name}")
    town.app.state.uses.write()
    assert "閲覧 3回" in page(town, name)


def test_no_more_is_kept_than_there_is_room_for():
    kept = Kept(1_000, measure=len)
    for number in range(100):
        kept.put(number, "x" * 99)
        assert kept.get(0) or number > 11, "what is asked for again and again stays"
    assert [number for number in range(1, 100) if kept.get(number)] == list(range(91, 100))
    assert kept.put("large", "y" * 5_000) and kept.get("large") is None and kept.get(99) is None


def test_rows_chosen_by_a_column_s_value_get_an_index_and_stay_the_same(town: Town):
    count = indexes.LEAST_ROWS + 1_000
    rows = "町,数\n" + "".join(f"町{n % 50},{n}\n" for n in range(count))
    name = town.name_of(town.publish(rows.encode(), "rows.csv", title="大きな表"))
    visitor, tables = town.visitor(), town.service.extras["tables"]
    resource = visitor.result("package_show", id=name)["resources"][0]["id"]
    asked = [f"/opendata/data/{resource}.json?{query}" for query in (
        "町=町7", "町=町7&数__gt=100&sort=-数", "町__in=町1,町2&limit=500", "数__gte=5000",
         "町__ne=町7&limit=3", "町=なし", "数=12")]  # fmt: skip
    before = [visitor.get(address).json() for address in asked]
    tables.indexer.wait()
    visitor.get(asked[-1])
    tables.indexer.wait()
    made = list((town.service.settings.data_dir / "opendata" / "tables").glob("*.indexed.sqlite"))
    assert len(made) == 1
    with tables.open(town.code, made[0].name.split(".")[0].removeprefix(f"{town.code}-")) as table:
        assert table.indexed == {"c0", "c1"}
        plan = table.connection.execute("EXPLAIN QUERY PLAN SELECT * FROM data WHERE c0 = 'x' ORDER BY _id").fetchall()
        assert "USING INDEX c0_" in str(plan)
    assert [visitor.get(address).json() for address in asked] == before
    assert before[0]["total"] == count / 50
    tables.sweep(made[0].stat().st_mtime + 60)
    assert [visitor.get(address).json() for address in asked] == before, "copies come back when asked"
