"""Numbers for the council, export for another system, retention with preview, hold and certificate, handling."""

import io
import json
import re
import zipfile
from datetime import date

import pytest
from httpx import Response
from sqlalchemy import select

from libs.common.audit.table import AuditEntryRow
from libs.common.room import RoomRequest, drain
from libs.common.service import Service
from services.eapply.db import ApplicationRow, AttachmentRow, DeletionRow, ProcedureRow
from services.eapply.domain.numbers import Count
from services.eapply.domain.retention import kept_until
from services.eapply.forms.analysis import findings
from services.eapply.forms.definition import from_document
from services.eapply.forms.handling import Column
from services.eapply.rooms import EapplyRoom
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Town, version_in, visible
from services.eapply.tests.test_receipt_on_paper import words
from services.eapply.tests.test_staff_decide import case, step, taken
from services.eapply.tests.test_the_statutory_clock import MANAGER, decided, offer_event, work
from services.eapply.use_cases import build, clock, exports, procedures, retention
from services.eapply.worker import KEEPER


@pytest.mark.parametrize(
    ("online", "paper", "rate"),
    [(694, 134815, "0.5"), (268750, 278650, "49.1"), (278970, 269950, "50.8"), (0, 0, None), (1, 0, "100.0")],
)
def test_the_published_rates_come_out(online: int, paper: int, rate: str | None):
    """福岡県官民データ活用推進計画: online and paper applications of 2004, 2016 and 2017, and the rates it gives."""
    found = Count(online, paper).rate
    assert (str(found) if found is not None else None) == rate


def procedure_id(town: Town) -> str:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(ProcedureRow.id).where(ProcedureRow.key == "event-moushikomi")).one()


def test_online_and_counted_paper_make_the_rate_and_are_told(town: Town):
    for number in range(3):
        town.guest(f"g{number}").apply_for_event()
    staff = town.staff()
    wanted = {"procedure": procedure_id(town), "month": "2026-10", "applications": "5"}
    staff.post("desk/numbers", wanted)
    page = visible(staff.post("desk/numbers", wanted | {"applications": "1"}).text)
    assert "オンライン利用率 75.0%" in page
    assert "2026,イベント参加申込,3,1,4,75.0" in staff.get("desk/numbers.csv").text
    told = [event["data"] for event in town.events("eapply.paper_applications.counted.v1")]
    assert [(each["applications"], each["added"], each["fiscal_year"]) for each in told] == [
        (5, 5, 2026),
        (1, -4, 2026),
    ]
    staff.post("desk/numbers", wanted | {"applications": "1"})
    assert len(town.events("eapply.paper_applications.counted.v1")) == 2, "nothing changed, nothing is told"
    assert "75.0" not in visible(staff.get("desk/numbers", params={"year": "2025"}).text)


@pytest.mark.parametrize("wrong", [{"month": "2026-13"}, {"month": "2027-01"}, {"applications": "多数"}])
def test_a_wrong_count_is_explained(town: Town, wrong: dict[str, str]):
    wanted = {"procedure": procedure_id(town), "month": "2026-10", "applications": "5"} | wrong
    assert town.staff().post("desk/numbers", wanted).status_code == 422


def test_nobody_counts_paper_under_the_first_procedure_of_the_list_by_chance(town: Town):
    answer = town.staff().post("desk/numbers", {"procedure": "", "month": "来月", "applications": "5"})
    page = visible(answer.text)
    assert answer.status_code == 422 and "手続きを選んでください" in page and "「2026-11」のように" in page
    assert '<option value="" selected>選んでください' in town.staff().get("desk/numbers").text


# ---- export


def test_answers_go_out_in_the_columns_another_system_knows(town: Town):
    mapping = [
        {"name": "氏名_カナ", "field": "kana", "form": "halfwidth"},
        {"name": "氏名_漢字", "field": "name"},
        {"name": "人数", "field": "people"},
    ]
    offer_event(town, handling={"export": mapping})
    town.guest().apply_for_event()
    boss = town.staff(roles=MANAGER)
    text = boss.get(f"desk/procedures/{procedure_id(town)}/export").content.decode("utf-8-sig").split("\r\n")
    assert text[0] == "受付番号,到達日時,状態,決定,決定日,氏名_カナ,氏名_漢字,人数"
    assert text[1].endswith(",20261120105207,未着手,,,ﾀｶﾊｼ ﾖｼﾛｳ,髙橋 𠮷郎,2")
    packed = zipfile.ZipFile(
        io.BytesIO(boss.get(f"desk/procedures/{procedure_id(town)}/export?charset=shift_jis").content)
    )
    assert "髙橋 〓郎" in packed.read(packed.namelist()[0]).decode("cp932")
    assert "𠮷" in packed.read(packed.namelist()[1]).decode("utf-8-sig")
    assert town.staff().get(f"desk/procedures/{procedure_id(town)}/export").status_code == 403


def test_a_system_of_the_municipality_fetches_the_answers_with_its_key(town: Town):
    """Without somebody who signs in each month; another key, a visitor and another municipality's key get nothing."""
    town.guest().apply_for_event()
    address = "api/procedures/event-moushikomi/export"
    text = town.machine("eapply.export").get(address, page=False).content.decode("utf-8-sig").split("\r\n")
    assert text[0].startswith("受付番号,到達日時") and "髙橋 𠮷郎" in text[1]
    packed = zipfile.ZipFile(io.BytesIO(town.machine("eapply.export").get(f"{address}?charset=shift_jis").content))
    assert "𠮷" in packed.read("置き換えた文字.txt").decode("utf-8-sig")
    assert "髙橋" not in town.machine("eapply.export").get(f"{address}?year=2020").text
    assert town.machine("opendata.write").get(address).status_code == 403
    assert town.guest().get(address).status_code in (401, 403)
    assert town.machine("eapply.export").get("api/procedures/no-such-one/export").status_code == 404
    with town.service.database.reading(tenant=town.code) as session:
        kept = session.scalars(
            select(AuditEntryRow.detail).where(AuditEntryRow.action == "eapply.answers.export")
        ).all()
    assert [(told["year"], told["applications"]) for told in map(json.loads, kept)] == [(2026, 1), (2026, 1), (2020, 0)]


def test_the_answers_of_an_earlier_year_are_written_out_too(town: Town):
    """The page led to this year's alone: in April nobody found what had come in March."""
    boss = town.staff(roles=MANAGER)
    page = boss.get("desk/procedures").text
    assert "2026年度に届いた申請の内容を書き出します" in page and "procedures?year=2025#handling" in page
    earlier = boss.get("desk/procedures?year=2025").text
    assert (
        f"desk/procedures/{procedure_id(town)}/export?year=2025" in earlier
        and "procedures?year=2026#handling" in earlier
    )


def test_the_answers_of_a_procedure_that_takes_no_more_can_still_be_written_out(town: Town):
    """When the time to apply is over, the list is wanted."""
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.set_state(session, "event-moushikomi", procedures.CLOSED, town.service.clock.now())
    page = town.staff(roles=MANAGER).get("desk/procedures").text
    assert f"desk/procedures/{procedure_id(town)}/export" in page


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("date8", "2026-11-20", "20261120"),
        ("date8", "1970-05", "1970-05"),
        ("wareki7", "2026-11-20", "5081120"),
        ("wareki7", "2019-05-01", "5010501"),
        ("wareki7", "2019-04-30", "4310430"),
        ("wareki7", "1989-01-07", "3640107"),
        ("wareki7", "不詳", "不詳"),
        ("as_is", ["a", "b"], "a|b"),
        ("as_is", None, ""),
    ],
)
def test_values_have_the_form_of_the_column(form: str, value: object, expected: str):
    assert exports.written(form, value) == expected


GROUPED = {
    "key": "hall", "version": 1, "title": "会場", "kana": "かいじょう", "category": "c", "summary": "s", "department": "d",
    "legal": {"basis": "b", "disposition": False},
    "steps": [{"key": "one", "title": "t", "sections": [{"fields": [
        {"key": "home", "type": "address", "label": "住所"},
        {"key": "papers", "type": "file", "label": "書類"},
        {"key": "people", "type": "group", "label": "人", "fields": [
            {"key": "name", "type": "text", "label": "氏名"},
            {"key": "birth", "type": "date", "label": "生年月日", "partial": True},
            {"key": "home", "type": "address", "label": "住所"},
        ]},
    ]}]}],
}  # fmt: skip
ADDRESS = {"postal": "8300022", "city": "福岡県久留米市", "street": "城南町15番地3", "house": None}
ANSWERS = {
    "home": ADDRESS,
    "papers": [{"id": "x", "name": "図面.pdf"}, {"id": "y", "name": "写真.jpg"}],
    "people": [
        {"_item": "1", "name": "髙橋|花", "birth": "2019-05-01", "home": ADDRESS},
        {"_item": "3", "name": "三郎", "birth": "unknown"},
    ],
}


@pytest.mark.parametrize(
    ("field", "form", "expected"),
    [
        ("people.name", "as_is", "髙橋｜花|三郎"),
        ("people.birth", "wareki7", "5010501|不詳"),
        ("people.home.city", "as_is", "福岡県久留米市|"),
        ("people", "as_is", "髙橋｜花／2019-05-01／8300022 福岡県久留米市城南町15番地3|三郎／不詳／"),
        ("home", "as_is", "8300022 福岡県久留米市城南町15番地3"),
        ("home.house", "as_is", ""),
        ("papers", "as_is", "図面.pdf|写真.jpg"),
        ("nowhere", "as_is", ""),
    ],
)
def test_groups_addresses_and_files_go_out_as_words(field: str, form: str, expected: str):
    """They went out as the program's own notation: {'_item': '1', …}."""
    procedure = from_document(GROUPED)
    column = Column(name="列", field=field, form=form)  # type: ignore[arg-type]
    assert exports.cell(procedure, column, ANSWERS) == expected


@pytest.mark.parametrize(
    ("field", "good"),
    [("people.birth", True), ("people.home.city", True), ("home", True), ("home.town", False), ("people.age", False),
     ("nowhere", False)],
)  # fmt: skip
def test_a_column_of_a_question_that_is_not_there_is_found_before_it_is_offered(field: str, good: bool):
    procedure = from_document(GROUPED | {"handling": {"export": [{"name": "列", "field": field}]}})
    assert (findings(procedure) == []) is good


# ---- retention


@pytest.mark.parametrize(
    ("ended", "months", "last"),
    [
        (date(2026, 11, 20), 1, date(2026, 12, 31)),
        (date(2026, 11, 1), 12, date(2027, 11, 30)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 12, 31), 60, date(2031, 12, 31)),
    ],
)
def test_whole_months_are_kept_after_the_month_of_the_end(ended: date, months: int, last: date):
    assert kept_until(ended, months) == last


def ended(town: Town) -> tuple[Browser, Browser, str]:
    """(manager, guest, id) of a decided application that is kept for one month."""
    offer_event(town, handling={"retention": {"decided_months": 1, "withdrawn_months": 1}})
    guest, staff, sent = taken(town)
    step(staff, sent, "decide", outcome="approved")
    work(town)
    return town.staff("boss", "室見", MANAGER), guest, sent.id


def delete_over(town: Town) -> retention.Deleted:
    with town.service.database.transaction(tenant=town.code) as session:
        return retention.delete_over(session, KEEPER, town.service.clock.now())


def there(town: Town) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return len(session.scalars(select(ApplicationRow)).all())


def test_what_goes_next_month_is_shown_before_and_then_deleted_with_a_certificate(town: Town):
    boss, _, _ = ended(town)
    assert "来月に消える申請はありません" in visible(boss.get("desk/retention").text)
    town.service.clock.advance(days=20)  # 10 December; kept until the 31st
    page = visible(boss.get("desk/retention").text)
    assert "保存期間が令和8年12月31日（木）まで" in page and "イベント参加申込 1" in page
    assert delete_over(town).certificate is None, "not before the month is over"
    town.service.clock.advance(days=22)
    worker_files = set(each[0] for each in town.service.extras["files"].list(town.code))
    assert worker_files, "the signed notice"
    work(town)
    done = delete_over(town)
    for file_id in done.files:
        town.service.extras["files"].delete(town.code, file_id)
    assert there(town) == 0 and not list(town.service.extras["files"].list(town.code))
    with town.service.database.reading(tenant=town.code) as session:
        (certificate,) = session.scalars(select(DeletionRow))
        assert session.scalars(select(AttachmentRow)).all() == []
    page = visible(boss.get(f"desk/retention/{certificate.id}").text)
    assert certificate.applications[0]["number"] in page and "書き換えられていません" in page and "髙橋" not in page
    kept = boss.get(f"desk/retention/{certificate.id}/record.pdf")
    assert kept.headers["content-type"] == "application/pdf"
    said = " ".join(words(kept.content).split())
    assert "廃棄の記録" in said and certificate.applications[0]["number"] in said and "髙橋" not in said
    assert certificate.sha256 in said.replace(" ", ""), "whoever has the list can compare"
    assert boss.get(f"desk/retention/{certificate.id}/record.pdf").content == kept.content
    assert boss.get("desk/retention/no-such-one/record.pdf").status_code == 404
    assert delete_over(town).certificate is None, "once"


def test_a_years_numbers_stay_what_they_were_when_applications_are_deleted(town: Town):
    """The council reads the same year again after the 保存期間: it had shrunk to what was still stored."""
    boss, _, _ = ended(town)
    town.guest("still-open").apply_for_event()
    line = "2026,イベント参加申込,2,0,2,100.0"
    assert line in boss.get("desk/numbers.csv", params={"year": "2026"}).text
    town.service.clock.advance(days=62)
    assert delete_over(town).certificate is not None and there(town) == 1
    assert line in boss.get("desk/numbers.csv", params={"year": "2026"}).text


def test_a_months_rate_stays_what_it_was_when_applications_are_deleted(town: Town, elsewhere: Service):
    """Whether the 標準処理期間 was kept is asked for years: a month without its applications had no rate."""
    boss, _, _ = ended(town)
    decided(town, town.guest("late"), 7)
    line = "イベント参加申込,2,2,1,"
    before = boss.get("desk/period.csv", params={"month": "2026-11"}).text
    assert line in before
    town.service.clock.advance(days=62)
    assert delete_over(town).certificate is not None and there(town) == 0
    assert boss.get("desk/period.csv", params={"month": "2026-11"}).text == before
    made = drain(EapplyRoom(town.service).export(RoomRequest("r", town.code, "export")))
    with town.service.extras["files"].open(town.code, made["file"]) as archive:
        carried = elsewhere.extras["files"].put(town.code, archive.chunks, limit=10**9)
    drain(EapplyRoom(elsewhere).import_(RoomRequest("i", town.code, "import", archive=carried.id)))
    with elsewhere.database.reading(tenant=town.code) as session:
        assert [rate.within for rate in clock.monthly(session, date(2026, 11, 1))] == [1], (
            "it moves with the municipality"
        )


def test_a_deletion_while_the_room_is_exported_breaks_neither(town: Town, elsewhere: Service):
    """The rows are of the moment at which the export began; the bytes that went meanwhile are left out."""
    ended(town)
    work(town)
    town.service.clock.advance(days=62)
    store = town.service.extras["files"]
    (file_id,) = {each[0] for each in store.list(town.code)}
    export = EapplyRoom(town.service).export(RoomRequest("r", town.code, "export"))
    next(export)
    for gone in delete_over(town).files:
        store.delete(town.code, gone)
    made = drain(export)
    assert there(town) == 0
    with store.open(town.code, made["file"]) as archive:
        carried = elsewhere.extras["files"].put(town.code, archive.chunks, limit=10**9)
    drain(EapplyRoom(elsewhere).import_(RoomRequest("i", town.code, "import", archive=carried.id)))
    with elsewhere.database.reading(tenant=town.code) as session:
        assert len(session.scalars(select(ApplicationRow)).all()) == 1
    assert file_id not in {each[0] for each in elsewhere.extras["files"].list(town.code)}


def test_a_certificate_that_was_changed_says_so(town: Town):
    boss, _, _ = ended(town)
    town.service.clock.advance(days=60)
    delete_over(town)
    with town.service.database.transaction(tenant=town.code) as session:
        (certificate,) = session.scalars(select(DeletionRow))
        certificate.applications = [certificate.applications[0] | {"number": "402036-2611-00009-9"}]
    assert "記録と合いません" in visible(boss.get(f"desk/retention/{certificate.id}").text)


def test_what_is_held_stays_until_it_is_released(town: Town):
    boss, _, application_id = ended(town)
    assert boss.post(f"desk/cases/{application_id}/hold", {"hold": ""}).status_code == 422
    boss.post(f"desk/cases/{application_id}/hold", {"hold": "審査請求があるため"})
    town.service.clock.advance(days=60)
    assert delete_over(town).certificate is None and there(town) == 1
    assert "審査請求があるため" in visible(boss.get("desk/retention").text)
    boss.post(f"desk/cases/{application_id}/hold", {"act": "release"})
    assert delete_over(town).certificate is not None and there(town) == 0


def test_an_open_application_is_never_deleted_or_held(town: Town):
    _, _, sent = taken(town)
    boss = town.staff("boss", "室見", MANAGER)
    assert boss.post(f"desk/cases/{sent.id}/hold", {"hold": "い"}).status_code == 409
    town.service.clock.advance(days=4000)
    assert delete_over(town).certificate is None and there(town) == 1


def test_money_that_is_owed_back_keeps_the_application(town: Town):
    from services.eapply.tests.test_fees import call, told

    town.service.settings.payment_provider = "simulator"
    fee = {"when": "before", "amount": 300}
    offer_event(town, handling={"fee": fee, "retention": {"decided_months": 1, "withdrawn_months": 1}})
    _, staff, sent = taken(town)
    call(town, told(town, 1))
    call(town, told(town, 2))
    step(staff, sent, "decide", outcome="approved")
    town.service.clock.advance(days=60)
    assert delete_over(town).certificate is None and there(town) == 1


@pytest.mark.parametrize("amount", [300, None])
def test_a_fee_that_nobody_has_paid_yet_keeps_the_application(town: Town, amount: int | None):
    """The claim and the only record of it would have gone without a word."""
    fee = {"when": "after", "amount": amount}
    offer_event(town, handling={"fee": fee, "retention": {"decided_months": 1, "withdrawn_months": 1}})
    _, staff, sent = taken(town)
    step(staff, sent, "decide", outcome="approved")
    town.service.clock.advance(days=20)
    page = visible(staff.get("desk/retention").text)
    assert "来月に消える申請はありません" in page and "手数料が済んでいないため" in page and sent.number in page
    town.service.clock.advance(days=40)
    assert delete_over(town).certificate is None and there(town) == 1
    if amount is None:
        staff.post(f"desk/cases/{sent.id}/fee/fix", {"amount": "300"})
    assert staff.post(f"desk/cases/{sent.id}/fee/window").status_code == 200
    assert "手数料が済んでいないため" not in visible(staff.get("desk/retention").text)
    assert delete_over(town).certificate is not None and there(town) == 0


# ---- handling

FORM = {
    "second_person": "yes", "fee_when": "after", "amount": "300", "exempt": "生活保護\n\n障害者手帳", "notice_title": "{word}のお知らせ",
    "notice_opening": "決定しました。", "notice_sender": "{place}長", "post_after_days": "10", "decided_months": "36",
    "withdrawn_months": "6",
}  # fmt: skip


def handle(town: Town, boss: Browser, sent: dict[str, str]) -> Response:
    address = f"desk/procedures/{procedure_id(town)}/handling"
    return boss.post(address, {"version": version_in(boss.get(address).text)} | sent)


def test_the_manager_changes_how_new_applications_are_handled(town: Town):
    before = town.guest("a").apply_for_event()
    boss, staff = town.staff("boss", "室見", MANAGER), town.staff()
    assert boss.get(f"desk/procedures/{procedure_id(town)}/handling").status_code == 200
    assert handle(town, boss, FORM).status_code == 200
    after = town.guest("b").apply_for_event()
    for sent in (before, after):
        step(staff, sent, "take")
    assert "結果を決める" in visible(case(staff, before).text), "on its own version"
    assert "起案する" in visible(case(staff, after).text)
    page = boss.get(f"desk/procedures/{procedure_id(town)}/handling").text
    assert "生活保護\n障害者手帳" in page and 'value="36"' in page


@pytest.mark.parametrize("wrong", [{"amount": "三百"}, {"decided_months": "0"}, {"post_after_days": "1000"}])
def test_handling_that_makes_no_sense_is_refused(town: Town, wrong: dict[str, str]):
    boss = town.staff("boss", "室見", MANAGER)
    answer = handle(town, boss, FORM | wrong)
    assert answer.status_code == 422 and next(iter(wrong)) in answer.text
    assert town.staff().post(f"desk/procedures/{procedure_id(town)}/handling", FORM).status_code == 403


def test_the_handling_page_says_what_is_wrong_and_keeps_what_was_typed(town: Town):
    """Boxes that were ticked and inputs that were emptied came back as they had been, and were saved so the next time."""
    boss = town.staff("boss", "室見", MANAGER)
    assert handle(town, boss, FORM).status_code == 200
    wrong = {
        "my_number": "need",
        "visits": "yes",
        "second_person": "",
        "amount": "",
        "my_number_purpose": "所得を確かめるため",
    }
    answer = handle(town, boss, FORM | wrong)
    page = visible(answer.text)
    assert answer.status_code == 422 and "「預かる根拠の法令」：5文字以上で入力してください。" in page
    assert 'href="#my_number_basis"' in answer.text, "the summary leads to the input, not to the basis of the fee"
    ticked = {
        name: f'name="{name}" value="yes" checked' in answer.text or f'value="yes" checked name="{name}"' in answer.text
        for name in ("visits", "second_person")
    }
    assert ticked == {"visits": True, "second_person": False}
    assert re.search(r'name="amount"[^>]* value=""', answer.text) and "所得を確かめるため" in answer.text


def test_a_notice_whose_words_were_emptied_has_the_usual_ones(town: Town):
    boss = town.staff("boss", "室見", MANAGER)
    assert handle(town, boss, FORM | {"notice_title": " ", "notice_opening": ""}).status_code == 200
    page = visible(boss.get(f"desk/procedures/{procedure_id(town)}/handling").text)
    assert "次のとおり決定しましたので通知します" in page


def test_a_draft_that_is_published_later_does_not_bring_the_old_handling_back(town: Town):
    """The fee would have been gone, and nobody would have known."""
    boss = town.staff("boss", "室見", MANAGER)
    begun = boss.get("desk/procedures/event-moushikomi")
    assert begun.status_code == 200
    with town.service.database.transaction(tenant=town.code) as session:
        build.open_draft(session, boss.actor, "event-moushikomi", town.service.clock.now())
    assert handle(town, boss, FORM).status_code == 200
    with town.service.database.transaction(tenant=town.code) as session:
        making = build.find(session, "event-moushikomi")
        build.publish(session, boss.actor, "event-moushikomi", making.row.revision, town.service.clock.now())
    with town.service.database.reading(tenant=town.code) as session:
        fee = procedures.open_procedure(session, "event-moushikomi")[1].handling.fee
    assert fee is not None and fee.amount == 300


def test_a_notice_that_was_translated_can_be_worded_anew(town: Town):
    """A translation of words that stand nowhere any more is left out; it does not refuse the change."""
    english = {"イベント参加決定通知書": "Decision"}
    offer_event(town, handling={"notice": {"title": "イベント参加決定通知書"}}, translations={"en": english})
    boss = town.staff("boss", "室見", MANAGER)
    assert handle(town, boss, FORM).status_code == 200


def test_a_yes_is_a_1_for_another_system():
    assert [exports.written("as_is", value) for value in (True, False)] == ["1", "0"]
