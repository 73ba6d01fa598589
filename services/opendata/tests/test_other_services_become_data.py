"""Tender results, application counts and participation become data sets by themselves, and stay right as more is told."""

from datetime import datetime
from typing import Any

import pytest

from libs.common import jobs
from services.opendata import worker
from services.opendata.domain.live import application_rows, code_of_prefecture
from services.opendata.tests.people import Town, open_room
from services.opendata.use_cases import live

pytestmark = pytest.mark.any_store

TENDER: dict[str, Any] = {
    "tender_id": "t-1", "ocid": "ocds-x-1", "number": "令和8-12", "title": "町道舗装工事", "category": "works", "method": "open",
    "fiscal_year": 2026, "published_at": "2026-11-01T00:00:00+00:00", "bid_until": "2026-11-10T00:00:00+00:00",
    "opens_at": "2026-11-11T00:00:00+00:00",
}  # fmt: skip
RESULT = {key: TENDER[key] for key in ("tender_id", "ocid", "number", "title", "category", "method", "fiscal_year")} | {
    "outcome": "awarded", "bidders": 3, "winner_corporate_number": "7000020405221", "winner_name": "大木建設", "amount": 12_100_000,
    "reserve": 13_000_000, "opened_at": "2026-11-11T00:00:00+00:00", "concluded_at": "2026-11-12T00:00:00+00:00",
}  # fmt: skip


def hear(town: Town, handler: Any, data: dict[str, Any]) -> None:
    """As the inbox does with an arrived event."""
    now = town.service.clock.now()
    with town.service.database.transaction(tenant=town.code) as session:
        handler(session, {"data": data, "tenantid": town.code}, now)


def wait(town: Town) -> None:
    """The moment passes after which data sets are made of what was heard."""
    town.service.clock.advance(seconds=5)
    while jobs.run_next(town.service, worker.jobs):
        pass


def rows(town: Town, title: str) -> list[dict[str, Any]]:
    found = town.visitor().result("package_search", q=title)["results"]
    package = next(each for each in found if each["title"] == title)
    [table] = [each["id"] for each in package["resources"] if each["datastore_active"]]
    return town.visitor().result("datastore_search", resource_id=table)["records"]


def test_a_tender_is_in_the_data_seconds_after_its_publication_and_again_after_its_result(town: Town):
    hear(town, worker.tender_published, TENDER)
    wait(town)
    [row] = rows(town, "入札の公告と結果")
    assert (row["案件名"], row["区分"], row["結果"], row["入札締切日時"]) == (
        "町道舗装工事",
        "工事",
        None,
        "2026-11-10T09:00:00.000+09:00",
    )
    hear(town, worker.result_published, RESULT)
    hear(town, worker.result_published, RESULT)
    wait(town)
    [row] = rows(town, "入札の公告と結果")
    assert (row["結果"], row["契約金額（円・税込）"], row["落札者名"]) == ("落札", 12_100_000, "大木建設")
    package = town.visitor().result("package_search", q="入札")["results"][0]
    assert [each["url"] for each in package["resources"]][
        1
    ] == f"http://127.0.0.1:8080/t/{town.code}/ebid/ocds/releases"
    assert "町道舗装工事" in town.visitor().get(f"/opendata/data/{package['resources'][0]['id']}.csv").text
    assert "入札の公告と結果" in town.staff().get(f"desk/datasets/{package['id']}").text
    page = town.visitor().get(f"/opendata/datasets/{package['name']}/resources/{package['resources'][0]['id']}").text
    assert "2026-11-10 09:00<" in page  # as a clock in Japan showed it


def test_a_withdrawn_one_is_not_made_anew_until_a_person_publishes_it_again(town: Town):
    hear(town, worker.tender_published, TENDER)
    wait(town)
    ident = town.visitor().result("package_search", q="入札")["results"][0]["id"]
    town.staff().post(f"desk/datasets/{ident}/withdraw", {"reason": "内容を確かめています。"})
    hear(town, worker.result_published, RESULT)
    wait(town)
    assert town.visitor().result("package_search", q="入札")["count"] == 0
    town.staff().post(f"desk/datasets/{ident}/again")
    hear(town, worker.result_published, RESULT)
    wait(town)
    assert rows(town, "入札の公告と結果")[0]["結果"] == "落札"


def test_applications_are_counted_by_month_and_small_numbers_are_not_told(town: Town):
    hear(town, worker.procedure_published, {"procedure_id": "p-1", "key": "k", "title": "児童手当の申請"})
    wait(town)
    assert town.visitor().result("package_list") == [], "a procedure without an application is no data yet"
    hear(town, worker.procedure_published, {"procedure_id": "p-1", "key": "k", "title": "児童手当の申請"})
    for number in range(4):
        hear(town, worker.application_submitted, {"application_id": f"a-{number}", "procedure_id": "p-1", "channel": "online",
                                                  "submitted_at": "2026-10-31T16:00:00+00:00"})  # fmt: skip
        hear(town, worker.application_decided, {"application_id": f"a-{number}", "outcome": "approved"})
    hear(town, worker.application_submitted, {"application_id": "b", "procedure_id": "p-1", "channel": "paper",
                                              "submitted_at": "2026-11-02T00:00:00+00:00"})  # fmt: skip
    wait(town)
    told = [
        (row["年月"], row["受付方法"], row["受付件数（件）"], row["承認件数（件）"], row["秘匿"])
        for row in rows(town, "電子申請の受付件数")
    ]
    assert told == [("2026-11", "オンライン", 4, 4, 0), ("2026-11", "窓口・郵送", None, None, 1)], (
        "the month is Japan's"
    )


@pytest.mark.parametrize(
    ("received", "approved", "told"),
    [
        (2, 0, (None, None, "1")),
        (5, 2, ("5", None, "1")),
        (5, 4, ("5", None, "1")),
        (9, 0, ("9", "0", "0")),
        (9, 5, ("9", "5", "0")),
    ],
)
def test_a_small_number_cannot_be_had_from_the_other(received: int, approved: int, told: tuple[str | None, ...]):
    counts = [("2026-11", "p", "online", "approved", approved), ("2026-11", "p", "online", None, received - approved)]
    assert [row[3:] for row in application_rows(counts, {"p": "x"})] == [told]


def test_the_prefecture_tells_who_takes_part_since_when(town: Town):
    open_room(town.service, code_of_prefecture(40), "福岡県")
    hear(town, worker.subscription_started, {"service": "eapply", "from_date": "2026-04-01"})
    hear(town, worker.subscription_ended, {"service": "eapply", "until_date": "2026-12-01"})
    hear(town, worker.subscription_started, {"service": "ebid", "from_date": "2027-04-01"})
    hear(town, worker.subscription_ended, {"service": "ebid", "until_date": "2027-04-01"})  # called off: no line of it
    wait(town)
    [row] = rows(town, "共同利用サービスの参加履歴")
    assert (row["市町村名"], row["サービス"], row["開始日"], row["終了日"]) == (
        "大木町",
        "電子申請",
        "2026-04-01",
        "2026-12-01",
    )
    package = town.visitor().result("package_search", q="参加履歴")["results"][0]
    assert package["organization"]["title"] == "福岡県"


def test_a_municipality_without_open_data_is_told_of_nowhere(town: Town):
    town.code = "401307"
    hear(town, worker.tender_published, TENDER)
    wait(town)
    assert town.visitor().result("package_list") == []


def test_a_table_that_took_long_to_make_does_not_hide_its_number_from_who_counts(town: Town):
    """Its moment is when its making began; what a clerk published meanwhile is older in the record and counts less."""
    hear(town, worker.tender_published, TENDER)
    begun = town.service.clock.now()
    town.service.clock.advance(seconds=30)
    dataset = town.publish()
    assert live.make(town.service, town.code, "tenders", begun)
    answer = town.staff().post(f"desk/datasets/{dataset}/withdraw", {"reason": "内容に誤りがありました。"})
    assert answer.status_code == 303
    told = [
        (datetime.fromisoformat(each["data"][f"{type_}_at"]), each["data"]["datasets"])
        for type_ in ("published", "withdrawn")
        for each in town.events(f"opendata.dataset.{type_}.v1")
    ]
    assert [count for _, count in sorted(told)] == [1, 2, 1], "the latest moment tells the number there is"
    assert len({at for at, _ in told}) == 3
