"""A person's own key: a program of theirs reads their applications and, where they said so, applies; it is shown once and
ended at once."""

import re

import pytest
from sqlalchemy import select

from services.eapply.db import OwnKeyRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import EVENT, Browser, Town, visible
from services.eapply.tests.test_a_citizen_applies import claim_child_allowance
from services.eapply.tests.test_staff_decide import case, step
from services.eapply.use_cases import own_keys


def made(person: Browser, label: str = "家計簿", **more: str) -> str:
    page = person.post("mine/keys", {"label": label, **more})
    found = re.search(r'class="code">([\w-]{32})<', page.text)
    assert page.status_code == 200 and found, visible(page.text)
    return found.group(1)


def read(town: Town, key: str, path: str = "api/applications"):
    """As a program does, that has no cookie of the person's."""
    return town.guest("program").get(path, page=False, headers={"applicant-key": key})


def test_a_key_reads_its_persons_applications_and_is_shown_once(town: Town, neighbour: Town):
    person = town.person()
    sent, other = person.apply_for_event(), town.person("person-2").apply_for_event()
    key = made(person)
    assert key not in person.get("mine/keys").text and "家計簿" in visible(person.get("mine/keys").text)
    (listed,) = read(town, key).json()
    assert listed["receipt_number"] == sent.number
    assert read(town, key, f"api/applications/{sent.id}").json()["answers"]["event"] == "古文書講座"
    assert read(town, key, f"api/applications/{other.id}").status_code == 404
    assert read(neighbour, key).status_code == 401, "in the municipality in which it was made"
    assert "最後に使った日時" in visible(person.get("mine/keys").text)
    with town.service.database.reading(tenant=town.code) as session:
        row = session.scalars(select(OwnKeyRow)).one()
        assert key not in str(vars(row)) and row.label == "家計簿"


def test_it_can_do_nothing_but_read(town: Town):
    person = town.person()
    sent, key = person.apply_for_event(), made(person)
    program = town.guest("program")
    for path in (f"applications/{sent.id}", f"applications/{sent.id}/answers", "mine/keys"):
        assert program.get(path, headers={"applicant-key": key}).status_code in (401, 404), path
    portfolio = program.get("mine", headers={"applicant-key": key})
    assert sent.number not in portfolio.text, "the page is a browser's: without a session it is empty"
    withdrawn = program.post(f"applications/{sent.id}/withdraw", {"version": "1"}, headers={"applicant-key": key})
    assert withdrawn.status_code == 404


@pytest.mark.parametrize("days", [1, 367])
def test_an_ended_key_and_one_that_has_run_out_open_nothing(town: Town, days: int):
    person = town.person()
    key = made(person)
    if days == 1:
        (address,) = re.findall(r'action="([^"]+/end)"', person.get("mine/keys").text)
        assert town.person("thief").post(address).status_code == 200
        assert read(town, key).status_code == 200, "nobody else ends it"
        for _ in range(2):  # pressed twice, the page again
            assert "キーを作る" in visible(person.post(address).text)
    town.service.clock.advance(days=days)
    for wrong in (key, "", "x" * 32):
        assert read(town, wrong).status_code == 401


def test_there_are_five_at_most_and_each_has_a_name(town: Town):
    person = town.person()
    assert person.post("mine/keys", {"label": " "}).status_code == 422
    for number in range(5):
        made(person, f"{number}")
    assert person.post("mine/keys", {"label": "6"}).status_code == 409


@pytest.mark.parametrize("electronic", [True, False])
def test_a_programs_reading_opens_no_notice_until_it_fetches_the_notice_itself(town: Town, electronic: bool):
    person, staff = town.person(), town.staff()
    application = claim_child_allowance(person)
    if not electronic:
        assert person.post(f"applications/{application}/delivery", {"electronic": "no"}).status_code == 200
    step(staff, _Case(application), "take")
    step(staff, _Case(application), "decide", outcome="refused", reason="要件に当たらないため。")
    key = made(person)
    assert read(town, key).json()[0]["outcome"] is None, "a list opens nothing"
    told = read(town, key, f"api/applications/{application}").json()
    assert (told["outcome"], told["decision"]) == (None, None), "nor does a program that looks each hour how far it is"
    assert "開かれ" not in visible(case(staff, _Case(application)).text).partition("経過")[2]
    notice = read(town, key, f"api/applications/{application}/notice")
    if not electronic:
        assert (notice.status_code, notice.json()["code"]) == (403, "by-post")
        return
    assert notice.json()["decision"]["reason"] == "要件に当たらないため。" and notice.json()["number"]
    first = notice.json()["opened_at"]
    town.service.clock.advance(days=1)
    assert read(town, key, f"api/applications/{application}/notice").json()["opened_at"] == first, (
        "the first time is kept"
    )
    assert read(town, key).json()[0]["outcome"] == "refused", "opened, and known from then on"


def test_a_notice_of_an_undecided_application_is_none(town: Town):
    person = town.person()
    sent, key = person.apply_for_event(), made(person)
    assert read(town, key, f"api/applications/{sent.id}/notice").status_code == 404
    assert read(town, "x" * 32, f"api/applications/{sent.id}/notice").status_code == 401


def apply(town: Town, key: str, once: str = "request-1", answers: dict[str, str] = EVENT, **more: object):
    """As a program does, that has no cookie of the person's."""
    headers = {"applicant-key": key, "idempotency-key": once}
    body = {"procedure": "event-moushikomi", "answers": answers, **more}
    return town.guest("program").post("api/applications", page=False, json=body, headers=headers)


def test_a_key_that_may_apply_sends_an_application_as_its_person(town: Town, neighbour: Town):
    person = town.person()
    key = made(person, "給与計算", applies="yes")
    assert "読むことと、申請を送ること" in visible(person.get("mine/keys").text)
    sent = apply(town, key)
    assert sent.status_code == 201 and sent.json()["arrived_at"]
    assert apply(town, key).json() == sent.json(), "sent twice it is one application"
    (event,) = town.events("eapply.application.submitted.v1")
    assert event["data"]["application_id"] == sent.json()["application_id"]
    assert sent.json()["receipt_number"] in visible(person.get("mine").text), "it is the person's own, as from the page"
    assert [each["receipt_number"] for each in read(town, key).json()] == [sent.json()["receipt_number"]]
    enquiry = {"number": sent.json()["receipt_number"], "key": sent.json()["enquiry_key"]}
    assert town.guest("another").post("enquiry", enquiry).status_code == 200
    assert apply(neighbour, key).status_code == 401, "in the municipality in which it was made"


def test_what_the_page_refuses_is_refused_to_a_key_and_leaves_nothing(town: Town):
    person = town.person()
    key = made(person, applies="yes")
    wrong = apply(town, key, answers={**EVENT, "phone": "12", "people": "99"})
    assert wrong.status_code == 422 and set(wrong.json()["fields"]) == {"phone", "people"}
    number = apply(town, key, answers={**EVENT, "wish": "123456789018"})
    assert number.status_code == 422 and set(number.json()["fields"]) == {"wish"}, "no マイナンバー in a text"
    assert town.events("eapply.application.submitted.v1") == []
    assert apply(town, key).status_code == 201, "mended, the same request goes through"


def test_a_key_that_only_reads_an_ended_and_a_strange_one_send_nothing(town: Town):
    person = town.person()
    reading = apply(town, made(person))
    assert reading.status_code == 403 and reading.json()["code"] == "key-reads-only"
    key = made(person, applies="yes")
    for address in re.findall(r'action="([^"]+/end)"', person.get("mine/keys").text):
        person.post(address)
    for wrong in (key, "x" * 32):
        assert apply(town, wrong).status_code == 401
    assert town.events("eapply.application.submitted.v1") == []


def test_a_program_gone_wrong_is_stopped_for_the_day(town: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(own_keys, "MOST_A_DAY", 2)
    person = town.person()
    key = made(person, applies="yes")
    assert apply(town, key, answers={**EVENT, "phone": "12"}).status_code == 422, "a refused one is not counted"
    for number in (1, 1, 2):
        assert apply(town, key, f"request-{number}").status_code == 201, "nor is one that is sent again"
    stopped = apply(town, key, "request-3")
    assert stopped.status_code == 429 and 0 < int(stopped.headers["retry-after"]) <= 86_400
    town.service.clock.advance(seconds=int(stopped.headers["retry-after"]))
    assert apply(town, key, "request-3").status_code == 201
    assert len(town.events("eapply.application.submitted.v1")) == 3


class _Case:
    def __init__(self, id_: str) -> None:
        self.id = id_
