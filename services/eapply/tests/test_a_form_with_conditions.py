"""A citizen meets only the questions that concern them; whoever cannot apply is told why before writing it all."""

from typing import get_args

import pytest

from services.eapply.forms.definition import Procedure
from services.eapply.forms.kinds import FieldType
from services.eapply.tests.domain.definitions import document, field, page, test
from services.eapply.tests.people import Browser, Town, hidden, visible
from services.eapply.use_cases import procedures
from services.eapply.use_cases.templates import common

pytestmark = pytest.mark.any_store

HALL = document(
    key="hall", title="会議室の利用",
    ineligible=[{"when": test("people", "above", 100), "text": "100人を超える利用は、窓口でご相談ください。"}],
    checks=[{"when": test("end", "at_most", other="start"), "text": "終わりの時刻を、始まりより後にしてください。", "at": "end"}],
    steps=[
        page("who", field("name", "name", use="applicant_name"), field("company", "yesno"),
             field("number", "corporate_number", visible=test("company", "is", "yes"))),
        page("tax", field("reason"), visible=test("company", "is", "yes")),
        page("use", field("people", "number"), field("start", "time"), field("end", "time"),
             field("hours", "number"), field("fee", "computed", formula="people * hours * 10", unit="円"),
             field("sworn", "oath", label="政治活動に使わないことを宣誓します")),
    ],
)  # fmt: skip


@pytest.fixture
def hall(town: Town) -> Town:
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.publish(session, Procedure.model_validate(HALL), town.service.clock.now())
    return town


def onward(browser: Browser, draft: str, step: str, **answers: str) -> str:
    """Where the button 進む leads: the last part of the address, or the words of the page shown instead."""
    asked = hidden(browser.get(f"{draft}/{step}").text, "asked")
    answer = browser.post(f"{draft}/{step}", {"asked": asked} | answers, follow_redirects=False)
    return answer.headers["location"].rpartition("/")[2] if answer.status_code == 303 else visible(answer.text)


def test_a_person_is_not_asked_what_concerns_companies(hall: Town):
    guest = hall.guest()
    draft = guest.start("hall")
    page = guest.get(f"{draft}/who").text
    assert "項目 number" not in page
    assert "全3画面" in visible(page)
    assert onward(guest, draft, "who", name="筑後 陽子", company="no") == "use"


def test_a_new_question_is_shown_before_anybody_is_blamed_for_it(hall: Town):
    guest = hall.guest()
    draft = guest.start("hall")
    shown = onward(guest, draft, "who", name="筑後 陽子", company="yes")
    assert "入力する項目が増えました" in shown
    assert "項目 numberを入力してください" not in shown
    assert "項目 numberを入力してください" in onward(guest, draft, "who", name="筑後 陽子", company="yes")
    assert onward(guest, draft, "who", name="筑後 陽子", company="yes", number="7000012050002") == "tax"


def test_whoever_cannot_apply_is_told_at_once_and_keeps_what_was_written(hall: Town):
    guest = hall.guest()
    draft = guest.start("hall")
    onward(guest, draft, "who", name="筑後 陽子", company="no")
    use = {"people": "101", "start": "9:00", "end": "10:00", "hours": "1", "sworn": "筑後 陽子"}
    shown = onward(guest, draft, "use", **use)
    assert "100人を超える利用は、窓口で" in shown
    assert 'value="101"' in guest.get(f"{draft}/use").text
    sent = guest.post(f"{draft}/submit", {"key": "2222-2222-2222"})
    assert sent.status_code == 200 and sent.url.path.endswith("/use"), "not by another way either"
    assert hall.events("eapply.application.submitted.v1") == []


def test_what_the_browser_computed_or_hid_is_decided_by_the_server(hall: Town):
    guest = hall.guest()
    draft = guest.start("hall")
    onward(guest, draft, "who", name="筑後 陽子", company="no", number="7000012050002")
    use = {"people": "20", "start": "9:00", "end": "9:00", "hours": "2", "fee": "1", "sworn": "筑後 陽子"}
    assert "終わりの時刻を、始まりより後に" in onward(guest, draft, "use", **use)
    assert onward(guest, draft, "use", **use | {"end": "11:00"}) == "confirm"
    confirm = visible(guest.get(f"{draft}/confirm").text)
    assert "400円" in confirm
    assert "宣誓しました（筑後 陽子）" in confirm
    assert "7000012050002" not in confirm
    assert "項目 reason" not in confirm


def test_a_choice_shows_what_follows_from_it_without_going_on(hall: Town):
    guest = hall.guest()
    draft = guest.start("hall")
    answer = guest.post(f"{draft}/who", {"act": "look", "company": "yes"})
    assert "項目 number" in answer.text
    assert "is-error" not in answer.text
    assert 'hx-select="#fields"' in answer.text


def test_a_program_is_stopped_by_the_same_rules(hall: Town):
    answers = {
        "name": "筑後 陽子",
        "company": False,
        "people": 500,
        "start": "9:00",
        "end": "11:00",
        "hours": 2,
        "sworn": "筑後 陽子",
    }
    machine = hall.guest()
    headers = {"Idempotency-Key": "program-0001"}
    refused = machine.post(
        "api/applications", json={"procedure": "hall", "answers": answers}, headers=headers, page=False
    )
    assert refused.json()["code"] == "not-eligible"
    headers = {"Idempotency-Key": "program-0002"}
    answers |= {"people": 5}
    assert (
        machine.post(
            "api/applications", json={"procedure": "hall", "answers": answers}, headers=headers, page=False
        ).status_code
        == 201
    )


def test_a_correction_brings_up_what_follows_from_the_new_answer(hall: Town):
    guest, staff = hall.guest(), hall.staff()
    draft = guest.start("hall")
    onward(guest, draft, "who", name="筑後 陽子", company="no")
    onward(guest, draft, "use", people="20", start="9:00", end="11:00", hours="2", sworn="筑後 陽子")
    sent = guest.post(f"{draft}/submit", {"key": guest.confirmed_key(draft)})
    case = sent.text.partition("applications/")[2][:36]
    staff.post(f"desk/cases/{case}/take", {"version": "1"})
    due = {"due_era": "seireki", "due_year": "2026", "due_month": "12", "due_day": "4"}
    asked = {"version": "2", "fields": ["company"], "reason:company": "会社の行事ではありませんか", "message": ""} | due
    assert staff.post(f"desk/cases/{case}/correction", asked, follow_redirects=False).status_code == 303

    page = guest.get(f"applications/{case}/correction").text
    assert "項目 number" not in page
    mend = {"correction": hidden(page, "correction"), "company": "yes"}
    again = guest.post(f"applications/{case}/correction", mend)
    assert again.status_code == 422
    assert "項目 number" in again.text and "項目 reason" in again.text
    done = guest.post(
        f"applications/{case}/correction", mend | {"number": "7000012050002", "reason": "研修"}, follow_redirects=False
    )
    assert done.status_code == 303
    lines = visible(staff.get(f"desk/cases/{case}").text)
    assert "7000012050002" in lines and "項目 name 筑後 陽子" in lines


SHAPES: dict[str, dict[str, object]] = {
    "computed": {"formula": "f_number * 2"},
    "group": {"fields": [field("inner", "select"), field("when", "date")], "min": 1},
    "select": {"options": [{"value": "a", "label": "第一"}, {"value": "b", "label": "第二", "help": "くわしく"}]},
}
TYPED = {
    "f_text": "古文書",
    "f_select": "b",
    "f_choices": "c",
    "f_number": "4",
    "f_group.items": "1",
    "f_group.1.inner": "c",
}


def test_every_kind_of_question_is_drawn_with_and_without_an_answer(town: Town):
    kinds = [kind for kind in get_args(FieldType) if kind != "group"] + ["group"]
    fields = [field(f"f_{kind}", kind, **SHAPES.get(kind, {})) for kind in kinds]
    everything = Procedure.model_validate(document(*fields, key="everything"))
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.publish(session, everything, town.service.clock.now())
    guest = town.guest()
    draft = guest.start("everything")
    for answers in ({}, TYPED):
        guest.post(f"{draft}/one/save", answers)
        page = guest.get(f"{draft}/one")
        assert page.status_code == 200
        for each in fields:
            assert each["label"] in visible(page.text) or each["type"] == "group", each
    assert '<option value="b" selected>第二 (くわしく)</option>' in page.text
    assert '<option value="c" selected>' in page.text and "古文書" in page.text and ">8" in page.text


@pytest.mark.parametrize("key", [each.key for each in common()])
def test_every_page_of_every_common_procedure_opens_and_says_what_is_missing(town: Town, key: str):
    (procedure,) = (each for each in common() if each.key == key)
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.publish(session, procedure, town.service.clock.now())
    guest = town.guest()
    assert guest.get(f"{key}/").status_code == 200
    draft = guest.start(key)
    for step in procedure.steps:
        assert guest.get(f"{draft}/{step.key}").status_code == 200, step.key
        assert guest.post(f"{draft}/{step.key}", {"act": "next"}).status_code in (200, 422), step.key
