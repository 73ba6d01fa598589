"""Programs apply: JSON, Idempotency-Key, problem+json."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.eapply.tests.people import EVENT, Browser, Town
from services.eapply.tests.pictures import photograph
from services.eapply.tests.test_the_statutory_clock import offer_event

BODY = {"procedure": "event-moushikomi", "answers": EVENT}


def apply(browser: Browser, key: str = "key-12345678", body: dict | None = None):
    headers = browser._headers(False) | {"Idempotency-Key": key}
    return browser.client.post(browser.address("api/applications"), json=body or BODY, headers=headers)


def test_a_program_applies_and_reads_the_state(town: Town):
    guest = town.guest()
    answer = apply(guest)
    assert answer.status_code == 201
    receipt = answer.json()
    assert receipt["receipt_number"].startswith("402036-2611-00001-") and receipt["due_on"] == "2026-11-26"
    state = guest.get(f"api/applications/{receipt['application_id']}", page=False).json()
    assert state["state"] == "submitted" and state["answers"]["phone"] == "0942-30-9000"


def test_a_program_reads_what_is_owed_and_the_numbers_to_pay_it_by(town: Town):
    offer_event(town, handling={"fee": {"when": "before", "amount": 300}})
    guest = town.guest()
    at_window = guest.apply_for_event()
    fee = guest.get(f"api/applications/{at_window.id}", page=False).json()["fee"]
    assert fee == {"state": "due", "yen": 300, "due_on": None, "numbers": {}}, (
        "no bank knows numbers of ours where there is no provider"
    )
    town.service.settings.payment_provider = "simulator"
    sent = guest.apply_for_event()
    fee = guest.get(f"api/applications/{sent.id}", page=False).json()["fee"]
    assert (fee["state"], fee["yen"]) == ("due", 300)
    assert {name: len(number) for name, number in fee["numbers"].items()} == {
        "institution": 5, "payment": 18, "confirmation": 6, "category": 3, "el": 20, "qr": 44,
    }  # fmt: skip


def test_the_key_given_to_a_program_opens_the_enquiry(town: Town):
    receipt = apply(town.guest()).json()
    sent = {"number": receipt["receipt_number"], "key": receipt["enquiry_key"]}
    assert town.guest("other").post("enquiry", sent).status_code == 200


def test_the_same_request_again_gives_the_same_answer(town: Town):
    first, second = apply(town.guest()), apply(town.guest())
    assert first.json() == second.json()
    assert len(town.events("eapply.application.submitted.v1")) == 1


def test_fifty_at_once_with_one_key_make_one_application(town: Town):
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: apply(town.guest()), range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["receipt_number"] for answer in answers}) == 1
    assert len(town.events("eapply.application.submitted.v1")) == 1


def test_another_body_with_the_same_key_is_refused(town: Town):
    apply(town.guest())
    other = apply(town.guest(), body={**BODY, "answers": EVENT | {"people": "3"}})
    assert other.status_code == 422 and other.json()["code"] == "idempotency-key-reused"


def test_mistakes_are_named_field_by_field(town: Town):
    body = {"procedure": "event-moushikomi", "answers": {**EVENT, "phone": "123", "colour": "red"}}
    answer = apply(town.guest(), body=body)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()["fields"]) == {"phone", "colour"}


def test_without_a_key_nothing_is_made(town: Town):
    guest = town.guest()
    answer = guest.client.post(guest.address("api/applications"), json=BODY, headers=guest._headers(False))
    assert answer.status_code == 422 and town.events("eapply.application.submitted.v1") == []


def test_definitions_and_lists_are_read_by_anybody(town: Town):
    guest = town.guest()
    listed = guest.get("api/procedures", page=False).json()
    assert {"key": "event-moushikomi", "title": "イベント参加申込", "category": "暮らし・学び", "version": 1} in listed
    definition = guest.get("api/procedures/event-moushikomi", page=False).json()["definition"]
    assert definition["steps"][0]["sections"][0]["fields"][0]["key"] == "event"


def test_a_late_reader_takes_the_snapshot_and_goes_on_where_it_broke_off(town: Town, neighbour: Town, monkeypatch):
    import json

    from libs.common.actor import Actor
    from services.eapply.use_cases import snapshot

    monkeypatch.setattr(snapshot, "PAGE", 2)
    monkeypatch.setattr(snapshot.applications, "__defaults__", (2,))
    sent = [town.guest(f"g{n}").apply_for_event().id for n in range(3)] + [neighbour.guest().apply_for_event().id]
    tenants = Browser(town, Actor("service", "tenants"))
    address = "/internal/eapply/snapshot"
    lines = [json.loads(line) for line in tenants.get(address, page=False).text.splitlines()]
    told = [line for line in lines if "application_id" in line]
    assert sorted(line["application_id"] for line in told) == sorted(sent)
    assert {line["sequence"] for line in told} == {1} and lines[-1] == {"complete": True}
    assert "髙橋" not in str(lines)
    seen: set[str] = set()
    for line in lines:
        if "cursor" in line:
            rest = tenants.get(address, page=False, params={"cursor": line["cursor"]}).text.splitlines()
            after = {json.loads(each).get("application_id") for each in rest} - {None}
            assert seen | after == set(sent) and not seen & after
        seen |= {line["application_id"]} if "application_id" in line else set()
    assert town.staff().get(address).status_code == 403


def test_fragments_for_home_and_desk(town: Town):
    town.guest().apply_for_event()
    home = town.guest().get("fragments/home").text
    assert "児童手当 認定請求" in home and "<html" not in home
    desk = town.staff().get("fragments/desk").text
    assert "未着手" in desk and "1件" in desk and "<html" not in desk
    assert town.guest().get("fragments/desk").status_code == 401


# ---- with files

CHILD = {
    "name": "筑後 陽子", "kana": "ちくご ようこ", "phone": "0942-30-9000",
    "address": {"postal": "8308520", "city": "久留米市", "street": "城南町15-3"},
    "children": [{
        "name": "筑後 実", "kana": "ちくご みのる", "insurance": "12・345",
        "birth_era": "reiwa", "birth_year": 8, "birth_month": 11, "birth_day": 1,
    }],
    "agree": True,
}  # fmt: skip


def medical(content: bytes, path: str = "children.1.insurance_paper", name: str = "保険証.jpg") -> dict[str, object]:
    file = {"path": path, "name": name, "content": base64.b64encode(content).decode()}
    return {"procedure": "kodomo-iryo", "answers": CHILD, "files": [file]}


def files(town: Town) -> list[str]:
    return [file_id for file_id, _, _ in town.service.extras["files"].list(town.code)]


def test_a_program_sends_files_and_they_are_cleaned_as_on_the_page(town: Town):
    guest = town.guest()
    answer = apply(guest, body=medical(photograph()))
    assert answer.status_code == 201, answer.text
    again = apply(guest, body=medical(photograph()))
    assert again.json() == answer.json() and len(files(town)) == 1, "sent twice, nothing is kept twice"
    id_ = answer.json()["application_id"]
    (kept,) = guest.get(f"api/applications/{id_}", page=False).json()["answers"]["children"][0]["insurance_paper"]
    fetched = town.staff().get(f"desk/cases/{id_}/files/{kept['id']}")
    assert fetched.status_code == 200 and fetched.content[:2] == b"\xff\xd8" and b"CANARY-CAMERA" not in fetched.content


@pytest.mark.parametrize(
    ("answers", "places"),
    [
        ({"children": "筑後 実"}, {"children"}),
        ({"children": CHILD["children"][0]}, {"children"}),
        ({"children": [*CHILD["children"], "筑後 実"]}, {"children.2"}),
        ({"children": [*CHILD["children"], None]}, {"children.2"}),
        ({"children": [CHILD["children"]]}, {"children.1"}),
        ({"children": [{**CHILD["children"][0], "colour": "赤"}]}, {"children.1.colour"}),
        ({"children": [{**CHILD["children"][0], "name": ["実", "稔"]}]}, {"children.1.name"}),
        ({"children": [{**CHILD["children"][0], "insurance_paper": [{"id": "1"}]}]}, {"children.1.insurance_paper"}),
        ({"address": {**CHILD["address"], "floor": "3"}}, {"address.floor"}),
        ({"address": {**CHILD["address"], "house": ["3", "4"]}}, {"address.house"}),
        ({"name": {"first": "陽子"}}, {"name"}),
        ({"name_year": "8"}, {"name_year"}),
    ],
)
def test_nothing_a_program_sends_is_lost_unread_but_named_with_row_and_field(
    town: Town, answers: dict[str, Any], places: set[str]
):
    body = medical(photograph())
    answer = apply(town.guest(), body={**body, "answers": {**CHILD, **answers}})
    assert answer.status_code == 422 and places <= set(answer.json()["fields"]), answer.text
    assert town.events("eapply.application.submitted.v1") == [] and files(town) == []


def test_rows_are_sent_as_they_are_read_and_a_whole_number_may_have_a_point(town: Town):
    child = {**CHILD["children"][0], "birth_year": 8.0}
    body = {**medical(photograph()), "answers": {**CHILD, "children": [child]}}
    sent = apply(town.guest(), body=body)
    assert sent.status_code == 201, sent.text
    kept = town.guest().get(f"api/applications/{sent.json()['application_id']}", page=False).json()["answers"]
    (row,) = kept["children"]
    assert (row["name"], row["birth"]) == ("筑後 実", "2026-11-01")
    del row["insurance_paper"]
    again = apply(town.guest(), key="another-request", body={**body, "answers": kept})
    assert again.status_code == 201, again.text


@pytest.mark.parametrize(
    ("content", "path", "name"),
    [
        (b"MZ not a picture", "children.1.insurance_paper", "x.jpg"),
        (photograph(), "children.1.insurance_paper", "123456789018.jpg"),
        (photograph(), "children.9.name", "x.jpg"),
        (photograph(), "nothing", "x.jpg"),
    ],
)
def test_what_the_page_takes_from_nobody_is_refused_and_nothing_is_kept(
    town: Town, content: bytes, path: str, name: str
):
    answer = apply(town.guest(), body=medical(content, path, name))
    assert answer.status_code == 422 and path in answer.json()["fields"], answer.text
    assert files(town) == [] and town.events("eapply.application.submitted.v1") == []
