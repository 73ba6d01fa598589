"""Operators record that a town becomes a city, merges, ends or was recorded wrongly; they see the counts before they do."""

import csv
import io
import re
from dataclasses import replace
from datetime import date
from typing import Any

import httpx

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.db import invoices as invoices_db
from services.tenants.domain.municipality import existing_on
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, MEMBER, NAKAGAWA, OOKI, OPERATOR
from services.tenants.tests.test_council_and_public_pages import applied
from services.tenants.tests.test_joining_a_service import answer, approve, ask_to_join, told
from services.tenants.use_cases import count, import_history, registry

TACHIARAI = "405035"
CITY = {"new_code": "405221", "name": "大木市", "kana": "おおきし", "on": "2027-04-01", "reason": "告示第1号"}
MERGER = {
    "new_code": "405248",
    "name": "大木大刀洗町",
    "kana": "おおきたちあらいまち",
    "on": "2027-04-01",
    "parts": [TACHIARAI],
    "reason": "告示第2号",
}


def look(cloud: Cloud, tenant: str, act: str, form: dict[str, Any]) -> httpx.Response:
    return cloud.post(f"/operator/registry/{tenant}/{act}", OPERATOR, form)


def record(cloud: Cloud, tenant: str, act: str, form: dict[str, Any]) -> httpx.Response:
    """Look first, then record what was shown, as the page's own form does."""
    page = look(cloud, tenant, act, form)
    assert page.status_code == 200, page.text
    version = re.findall(r'name="version" value="(\d+)"', page.text)[0]
    return look(cloud, tenant, act, {**form, "version": version, "step": "record"})


def join(database: Database, *lines: str) -> None:
    with database.transaction() as session:
        import_history.import_history(session, "\n".join(["code,service,from,until", *lines]), "test", NOW)


def on(database: Database, day: date, known_on: date | None = None) -> count.Participation:
    with database.reading() as session:
        return count.on(session, day, known_on)


def reasons(database: Database, tenant: str) -> list[tuple[str, str | None]]:
    with database.reading(tenant=tenant) as session:
        return [(entry.action, entry.reason) for entry in audit.entries(session)]


def work_off(cloud: Cloud) -> None:
    while jobs.run_next(cloud.service, worker.jobs):
        pass


# ---- a new name -----------------------------------------------------------------------------------------------------


def test_a_new_name_is_looked_at_before_it_is_recorded(cloud: Cloud) -> None:
    page = look(cloud, OOKI, "rename", CITY)
    assert page.status_code == 200 and "まだ何も記録していません" in page.text and "大木市" in page.text
    assert "<del>" not in page.text, "a new name changes no number"
    assert on(cloud.database, date(2027, 4, 1)).municipalities[OOKI].name == "大木町"
    assert reasons(cloud.database, OOKI) == []


def test_recording_that_a_town_becomes_a_city(cloud: Cloud) -> None:
    answer = record(cloud, OOKI, "rename", CITY)
    assert answer.status_code == 303
    page = cloud.get(answer.headers["location"], OPERATOR).text
    assert "大木市" in page and "以前の記録" in page and "告示第1号" in page
    assert reasons(cloud.database, OOKI) == [("municipality.renamed", "告示第1号")]
    assert on(cloud.database, date(2027, 4, 1)).municipalities[OOKI].kind == "市"


def test_what_cannot_be_recorded_is_explained_beside_the_field(cloud: Cloud) -> None:
    wrong = look(cloud, OOKI, "rename", {**CITY, "new_code": "405222"})
    assert wrong.status_code == 422 and "検査数字" in wrong.text and "大木市" in wrong.text, "what was typed stays"
    taken = look(cloud, OOKI, "rename", {**CITY, "new_code": KURUME})
    assert taken.status_code == 409 and "ほかの市町村が使っています" in taken.text
    for field in ("on", "name", "kana", "reason"):
        page = look(cloud, OOKI, "rename", {**CITY, field: " "})
        assert page.status_code == 422 and f'id="rename-{field}-error"' in page.text, field
    assert look(cloud, "999999", "rename", CITY).status_code == 404


def test_a_register_that_moved_in_between_is_not_written_over(cloud: Cloud) -> None:
    assert record(cloud, OOKI, "rename", CITY).status_code == 303
    stale = look(cloud, OOKI, "rename", {**CITY, "name": "大樹市", "version": "1", "step": "record"})
    assert stale.status_code == 409 and "台帳が変わりました" in stale.text
    assert on(cloud.database, date(2027, 4, 1)).municipalities[OOKI].name == "大木市"


# ---- a merger -------------------------------------------------------------------------------------------------------


def test_a_merger_is_shown_with_the_counts_before_and_after(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,", f"{TACHIARAI},eapply,2012-04-01,")
    page = look(cloud, OOKI, "merge", MERGER).text
    assert "<del>60</del>" in page and "<ins>59</ins>" in page, "municipalities"
    assert "<del>2</del>" in page and "<ins>1</ins>" in page, "participating in e-application"
    assert "元の市町村に残ります" in page and "大木町" in page and "大刀洗町" in page
    assert len(on(cloud.database, date(2027, 4, 1)).municipalities) == 60


def test_a_merger_is_recorded_in_one_piece_and_told_to_everyone_it_concerns(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,", f"{TACHIARAI},center,2012-04-01,")
    assert record(cloud, OOKI, "merge", MERGER).status_code == 303
    before, after = on(cloud.database, date(2027, 3, 31)), on(cloud.database, date(2027, 4, 1))
    assert (len(before.municipalities), len(after.municipalities)) == (60, 59)
    assert after.joined["eapply"] == after.joined["center"] == {"405248"}
    assert ("municipality.merged", "告示第2号") in reasons(cloud.database, OPERATOR.tenant or "")
    work_off(cloud)
    assert ("municipality.ended", "告示第2号") in reasons(cloud.database, OOKI)
    assert ("municipality.ended", "告示第2号") in reasons(cloud.database, TACHIARAI)
    assert ("municipality.established", "告示第2号") in reasons(cloud.database, "405248")
    assert "大木町（405221）は大木大刀洗町（405248）になりました" in cloud.get("/council/municipalities", MEMBER).text


def test_the_new_municipality_s_rooms_are_prepared_on_its_first_day(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,")
    record(cloud, OOKI, "merge", {**MERGER, "on": "2026-11-22"})
    work_off(cloud)
    assert told(cloud.database) == []
    cloud.clock.advance(days=2)
    worker.tell_new_names(cloud.service, None)  # type: ignore[arg-type]
    assert [(e["tenantid"], e["data"]["action"], e["data"]["name"]) for e in told(cloud.database)] == [
        ("405248", "provision", "大木大刀洗町")
    ]


def test_a_merger_of_one_or_with_somebody_who_is_gone_is_refused(cloud: Cloud) -> None:
    alone = look(cloud, OOKI, "merge", {**MERGER, "parts": []})
    assert alone.status_code == 422 and "2つ以上選んでください" in alone.text
    record(cloud, TACHIARAI, "end", {"on": "2027-01-01", "successor": KURUME, "reason": "編入"})
    gone = look(cloud, OOKI, "merge", MERGER)
    assert gone.status_code == 409 and "この日に台帳にない市町村" in gone.text
    assert len(on(cloud.database, date(2027, 4, 1)).municipalities) == 59


# ---- an end ---------------------------------------------------------------------------------------------------------


def test_an_absorbed_town_ends_and_the_city_goes_on_as_it_was(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,")
    form = {"on": "2027-04-01", "successor": KURUME, "reason": "編入合併"}
    assert record(cloud, OOKI, "end", form).status_code == 303
    after = on(cloud.database, date(2027, 4, 1))
    assert OOKI not in after.municipalities and not after.joined["eapply"]
    assert after.municipalities[KURUME].name == "久留米市"
    assert "大木町（405221）は久留米市（402036）になりました" in cloud.get("/council/municipalities", MEMBER).text
    twice = look(cloud, OOKI, "end", form)
    assert twice.status_code == 409 and "もう台帳にありません" in twice.text
    assert look(cloud, TACHIARAI, "end", {**form, "successor": OOKI}).status_code == 422
    assert look(cloud, TACHIARAI, "end", {**form, "successor": TACHIARAI}).status_code == 409


# ---- a correction ---------------------------------------------------------------------------------------------------


def life(since: str = "2018-10-01") -> dict[str, Any]:
    return {
        "code": ["403059", "402311", ""],
        "name": ["那珂川町", "那珂川市", ""],
        "kana": ["なかがわまち", "なかがわし", ""],
        "region": ["福岡", "福岡", ""],
        "since": ["", since, ""],
        "until": [since, "", ""],
        "reason": "告示の日付の誤り",
    }


def test_a_correction_changes_past_counts_and_keeps_what_was_known(cloud: Cloud) -> None:
    cloud.clock.advance(days=1)
    page = look(cloud, NAKAGAWA, "correct", life("2018-11-01")).text
    assert "平成30年11月1日" in page and "那珂川市" in page
    assert record(cloud, NAKAGAWA, "correct", life("2018-11-01")).status_code == 303
    day = date(2018, 10, 15)
    assert on(cloud.database, day).municipalities[NAKAGAWA].name == "那珂川町"
    assert on(cloud.database, day, known_on=date(2026, 11, 20)).municipalities[NAKAGAWA].name == "那珂川市"
    assert reasons(cloud.database, NAKAGAWA) == [("municipality.corrected", "告示の日付の誤り")]
    council = cloud.get("/council/municipalities", MEMBER).text
    assert "平成30年11月1日" in council and "平成30年10月1日" not in council
    then = cloud.get("/council/municipalities?known=2026-11-20", MEMBER).text
    assert "平成30年10月1日" in then and "平成30年11月1日" not in then


def test_a_life_with_a_gap_an_overlap_or_somebody_else_s_code_is_refused(cloud: Cloud) -> None:
    gap = {**life(), "until": ["2018-09-01", "", ""]}
    assert "同じ日にしてください" in look(cloud, NAKAGAWA, "correct", gap).text
    backwards = {**life(), "until": ["2018-10-01", "2018-10-01", ""]}
    assert "同じか、それより前です" in look(cloud, NAKAGAWA, "correct", backwards).text
    taken = look(cloud, NAKAGAWA, "correct", {**life(), "code": ["403059", KURUME, ""]})
    assert taken.status_code == 409
    assert look(cloud, NAKAGAWA, "correct", {**life(), "reason": ""}).status_code == 422
    assert look(cloud, NAKAGAWA, "correct", {"reason": "x"}).status_code == 422
    with cloud.database.reading() as session:
        assert registry.present(session, NAKAGAWA, date(2026, 11, 20)).code == "402311"
        assert len(existing_on(registry.db.states(session), date(2018, 9, 30))) == 61


# ---- a merger corrected ---------------------------------------------------------------------------------------------

MERGED = "405248"


def test_a_merger_is_put_to_another_day_in_one_form(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,", f"{TACHIARAI},center,2027-07-01,")
    record(cloud, OOKI, "merge", MERGER)
    cloud.clock.advance(days=1)
    form = {"on": "2027-06-01", "reason": "告示第3号"}
    page = look(cloud, MERGED, "merger", form).text
    assert "<del>59</del>" in page and "<ins>60</ins>" in page, "in April both are still there"
    assert record(cloud, MERGED, "merger", form).status_code == 303
    may, june, july = (on(cloud.database, date(2027, month, 1)) for month in (5, 6, 7))
    assert (len(may.municipalities), may.joined["eapply"]) == (60, {OOKI})
    assert (len(june.municipalities), june.joined["eapply"], june.joined["center"]) == (59, {MERGED}, set())
    assert july.joined["center"] == {MERGED}, "what one of them only begins later"
    work_off(cloud)
    assert ("municipality.ended", "告示第3号") in reasons(cloud.database, OOKI)


def test_a_merger_that_does_not_come_leaves_both_as_they_were(cloud: Cloud) -> None:
    join(cloud.database, f"{OOKI},eapply,2010-04-01,")
    record(cloud, OOKI, "merge", MERGER)
    cloud.clock.advance(days=1)
    answer = record(cloud, MERGED, "merger", {"never": "1", "reason": "合併協議会の解散"})
    assert answer.status_code == 303 and cloud.get(answer.headers["location"], OPERATOR).status_code == 200
    after = on(cloud.database, date(2027, 4, 1))
    assert (len(after.municipalities), after.joined["eapply"]) == (60, {OOKI})
    work_off(cloud)
    assert ("municipality.corrected", "合併協議会の解散") in reasons(cloud.database, OOKI)
    assert look(cloud, MERGED, "merger", {"never": "1", "reason": "x"}).status_code == 404


def test_a_merger_that_has_begun_is_not_called_off_and_no_second_end_is_written_over_the_first(cloud: Cloud) -> None:
    record(cloud, OOKI, "merge", {**MERGER, "on": "2026-11-21"})
    cloud.clock.advance(days=2)
    begun = look(cloud, MERGED, "merger", {"never": "1", "reason": "x"})
    assert begun.status_code == 409 and "もう始まっています" in begun.text
    assert look(cloud, KURUME, "merger", {"on": "2027-06-01", "reason": "x"}).status_code == 422
    record(cloud, KURUME, "end", {"on": "2027-04-01", "successor": MERGED, "reason": "編入"})
    again = look(cloud, KURUME, "end", {"on": "2027-03-01", "reason": "廃止"})
    assert again.status_code == 409 and "もう記録されています" in again.text


def test_a_municipality_that_only_comes_can_be_chosen_for_a_second_merger_in_the_year(cloud: Cloud) -> None:
    record(cloud, OOKI, "merge", MERGER)
    assert f'value="{MERGED}"' in cloud.get(f"/operator/registry/{KURUME}", OPERATOR).text
    second = {
        **MERGER,
        "new_code": "405256",
        "name": "新久留米市",
        "kana": "しんくるめし",
        "on": "2027-10-01",
        "parts": [MERGED],
    }
    assert record(cloud, KURUME, "merge", second).status_code == 303
    assert [len(on(cloud.database, date(2027, month, 1)).municipalities) for month in (3, 4, 10)] == [60, 59, 58]


# ---- what is decided between the record of a merger and its day ------------------------------------------------------


def test_who_joins_after_the_merger_was_recorded_is_carried_too(cloud: Cloud) -> None:
    """A merger is recorded months before; a use that begins in between ended with the town, and the new one did not have it."""
    record(cloud, OOKI, "merge", MERGER)
    asked = ask_to_join(cloud.database)
    approve(cloud.database, asked)
    answer(cloud.database, asked, "provisioned")
    before, after = on(cloud.database, date(2027, 3, 31)), on(cloud.database, date(2027, 4, 1))
    assert (before.joined["eapply"], after.joined["eapply"]) == ({OOKI}, {MERGED})
    assert record(cloud, MERGED, "merger", {"on": "2027-05-01", "reason": "告示の訂正"}).status_code == 303
    later = on(cloud.database, date(2027, 4, 1)), on(cloud.database, date(2027, 5, 1))
    assert [one.joined["eapply"] for one in later] == [{OOKI}, {MERGED}]
    assert record(cloud, MERGED, "merger", {"never": "1", "reason": "合併協議会の解散"}).status_code == 303
    assert on(cloud.database, date(2027, 5, 1)).joined["eapply"] == {OOKI}


def test_who_joins_after_its_end_in_another_was_recorded_leaves_that_as_it_is(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=OOKI) as session:
        registry.end(session, OPERATOR, OOKI, date(2027, 4, 1), NOW, successor=KURUME)
    asked = ask_to_join(cloud.database)
    approve(cloud.database, asked)
    answer(cloud.database, asked, "provisioned")
    assert on(cloud.database, date(2027, 4, 1)).joined["eapply"] == set(), "久留米市 decides for itself"


# ---- what was asked of the towns before ------------------------------------------------------------------------------


def test_whoever_a_merger_made_reads_the_invoices_of_its_parts_and_nobody_else_s(cloud: Cloud) -> None:
    """Nobody can sign in for a town that ended: its bills would be read, paid and kept by nobody."""
    join(cloud.database, f"{OOKI},center,2010-04-01,", f"{KURUME},center,2010-04-01,")
    cloud.post(
        "/council/sharing/center/rule",
        MEMBER,
        {"year": "2026", "total": "1000", "equal": "100", "population": "", "use": ""},
    )
    cloud.post("/council/invoices/issue", MEMBER, {"year": "2026", "due_on": "2027-01-31"})
    with cloud.database.reading() as session:
        idents = {row.tenant: row.id for row in invoices_db.invoices(session)}
    assert record(cloud, OOKI, "merge", MERGER).status_code == 303
    new = replace(ADMIN, tenant=MERGED, code=MERGED)
    home = f"/portal/{MERGED}/invoices/"
    cloud.clock.advance(days=131)  # 2027-03-31
    assert idents[OOKI] in cloud.get(f"/portal/{OOKI}/invoices/", ADMIN).text
    cloud.clock.advance(days=1)
    page = cloud.get(home, new).text
    assert idents[OOKI] in page and "合併前の大木町あて" in page and idents[KURUME] not in page
    assert "大木町 御中" in cloud.get(f"{home}{idents[OOKI]}", new).text, "as it was sent"
    assert "大木町" in cloud.get(f"{home}{idents[OOKI]}/lines.csv", new).text
    assert cloud.get(f"{home}{idents[OOKI]}/invoice.pdf", new).content.startswith(b"%PDF")
    assert cloud.get(f"/portal/{MERGED}/dates.ics", new).text.count("納期限") == 1, "what is due is due"
    for path in ("", "/lines.csv", "/invoice.pdf"):
        assert cloud.get(f"{home}{idents[KURUME]}{path}", new).status_code == 404
        elsewhere = replace(ADMIN, tenant=KURUME, code=KURUME)
        assert cloud.get(f"/portal/{KURUME}/invoices/{idents[OOKI]}{path}", elsewhere).status_code == 404


def test_who_leaves_between_a_merger_s_record_and_its_day_is_not_carried_unless_somebody_else_is(cloud: Cloud) -> None:
    """The use went on in the new municipality, which had agreed to nothing, and was counted and billed there."""
    join(cloud.database, f"{OOKI},eapply,2010-04-01,", f"{OOKI},center,2010-04-01,", f"{TACHIARAI},center,2010-04-01,")
    cloud.clock.advance(hours=1)
    record(cloud, OOKI, "merge", MERGER)
    cloud.clock.advance(hours=1)
    day = date(2027, 4, 1)
    assert [on(cloud.database, day).joined[s] for s in ("eapply", "center")] == [{MERGED}, {MERGED}]
    leaving = {}
    for service in ("eapply", "center"):
        asked = cloud.post(f"/portal/{OOKI}/services/{service}/leave", ADMIN, {"when": "day", "day": "2027-02-28"})
        leaving[service] = asked.headers["location"]
    assert [on(cloud.database, day).joined[s] for s in ("eapply", "center")] == [set(), {MERGED}]
    assert on(cloud.database, date(2027, 2, 28)).joined["eapply"] == {OOKI}
    cloud.clock.advance(hours=1)
    assert cloud.post(f"{leaving['eapply']}/withdraw", ADMIN).status_code == 303
    assert on(cloud.database, day).joined["eapply"] == {MERGED}, "staying after all, it is carried again"
    assert cloud.post(f"{leaving['center']}/withdraw", ADMIN).status_code == 303
    assert on(cloud.database, day).joined["center"] == {MERGED}


def test_a_use_called_off_between_a_merger_s_record_and_its_day_never_begins_in_the_new_one(cloud: Cloud) -> None:
    asked = ask_to_join(cloud.database, effective_from=date(2027, 3, 1))
    approve(cloud.database, asked)
    answer(cloud.database, asked, "provisioned")
    record(cloud, OOKI, "merge", MERGER)
    assert on(cloud.database, date(2027, 4, 1)).joined["eapply"] == {MERGED}
    assert cloud.post(f"/portal/{OOKI}/services/eapply/cancel", ADMIN).status_code == 303
    assert (
        on(cloud.database, date(2027, 3, 1)).joined["eapply"]
        == on(cloud.database, date(2027, 4, 1)).joined["eapply"]
        == set()
    )


def test_applications_count_with_whom_a_merger_made_and_the_prefecture_s_are_no_municipality_s(cloud: Cloud) -> None:
    record(cloud, OOKI, "merge", {**MERGER, "on": "2026-11-22"})
    for tenant, number, year in (
        (OOKI, 3, 2026),
        (TACHIARAI, 2, 2026),
        (OPERATOR.tenant or "", 50, 2026),
        (OOKI, 4, 2025),
    ):
        applied(cloud, tenant, number, year=year)
    cloud.clock.advance(days=2)

    def told(year: int) -> tuple[list[str], list[list[str]]]:
        page = cloud.get(f"/council/applications?year={year}", MEMBER).text
        rows = csv.reader(io.StringIO(cloud.get(f"/council/applications.csv?year={year}", MEMBER).text))
        return re.findall(r"<li><b>(\d+)<", page), [row[1:4] for row in rows if row[3] not in ("0", "オンライン")]

    assert told(2026) == (["1", "5"], [["大木大刀洗町", "2026", "5"]]), (
        "one has real use, not three; the sum is that of the lines"
    )
    assert told(2025) == (["1", "4"], [["大木町", "2025", "4"]]), "the municipalities of that year"


def test_whom_a_merger_made_stands_on_the_maps_and_is_found_by_the_name_of_before(cloud: Cloud) -> None:
    record(cloud, OOKI, "merge", {**MERGER, "on": "2026-11-22"})
    guest = Actor("guest", "guest-1")
    assert "大木大刀洗" not in cloud.get("/", guest).text
    cloud.clock.advance(days=2)
    home = cloud.get("/", guest).text
    assert home.count('href="/t/405248/"') == 2, "on the map and in the list"
    for words in ("大木町", "たちあらい"):
        assert 'href="/t/405248/"' in cloud.get(f"/?q={words}", guest).text.split("地図から選ぶ")[0], words
    assert cloud.get(f"/?q={OOKI}", guest).headers["location"] == "/t/405248/"
    record(cloud, KURUME, "end", {"on": "2027-04-01", "successor": "405248", "reason": "編入"})
    assert ">大木大刀洗<" in cloud.get("/council/", MEMBER).text, "not on the tile of one that goes into it later"
    assert ">大木<" in cloud.get("/council/?on=2026-11-21", MEMBER).text
