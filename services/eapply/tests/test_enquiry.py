"""Asking by 受付番号 and 照会キー, without signing in."""

import pytest

from libs.common.testing.service import NOW
from services.eapply.tests.people import Town, visible
from services.eapply.tests.test_staff_decide import step
from services.eapply.use_cases import cases, mails

pytestmark = pytest.mark.any_store


def test_number_and_key_open_the_application_on_any_device(town: Town):
    sent = town.guest().apply_for_event()
    other = town.guest("another-device")
    assert other.get(f"applications/{sent.id}").status_code == 404
    page = other.post("enquiry", {"number": sent.number.replace("-", "　"), "key": sent.key.lower()})
    assert page.status_code == 200 and "受け付けました" in visible(page.text)
    assert other.get(f"applications/{sent.id}").status_code == 200


def test_looking_ends_after_a_while(town: Town):
    sent = town.guest().apply_for_event()
    other = town.guest("library-terminal")
    other.post("enquiry", {"number": sent.number, "key": sent.key})
    town.service.clock.advance(hours=13)
    assert other.get(f"applications/{sent.id}").status_code == 404


def test_a_slip_of_the_finger_in_the_number_is_noticed(town: Town):
    page = town.guest().post("enquiry", {"number": "402036-2611-00001-9", "key": "2222-3333-4444"})
    assert page.status_code == 422 and "打ちまちがい" in visible(page.text)


def test_a_wrong_number_and_a_wrong_key_look_the_same(town: Town):
    from datetime import date

    from services.eapply.domain.receipt import receipt_number

    sent = town.guest().apply_for_event()
    absent = receipt_number("402036", date(2026, 11, 20), 99)
    answers = [town.guest("x").post("enquiry", {"number": n, "key": "2222-3333-4444"}) for n in (sent.number, absent)]
    said = [visible(answer.text).replace(absent, "N").replace(sent.number, "N") for answer in answers]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert said[0] == said[1]


def test_guessing_is_slowed_down_and_the_owner_gets_in_again_later(town: Town):
    sent = town.guest().apply_for_event()
    thief = town.guest("thief")
    for _ in range(5):
        assert thief.post("enquiry", {"number": sent.number, "key": "2222-3333-4444"}).status_code == 422
    slowed = thief.post("enquiry", {"number": sent.number, "key": sent.key})
    assert slowed.status_code == 429 and int(slowed.headers.get("retry-after", "1")) > 0
    town.service.clock.advance(seconds=61)
    assert thief.post("enquiry", {"number": sent.number, "key": "2222-3333-4444"}).status_code == 422
    town.service.clock.advance(hours=2)
    assert town.guest("owner").post("enquiry", {"number": sent.number, "key": sent.key}).status_code == 200


def test_a_number_of_another_municipality_opens_nothing_here(town: Town, neighbour: Town):
    sent = town.guest().apply_for_event()
    assert neighbour.guest().post("enquiry", {"number": sent.number, "key": sent.key}).status_code == 422


def test_a_signed_in_person_sees_their_own_and_nobody_elses(town: Town):
    mine = town.person("person-1").apply_for_event()
    theirs = town.person("person-2").apply_for_event()
    page = town.person("person-1").get("mine").text
    assert mine.number in page and theirs.number not in page
    assert town.person("person-1").get(f"applications/{theirs.id}").status_code == 404


def test_messages_stand_beside_ones_own_applications_and_are_new_once(town: Town, neighbour: Town):
    person, staff = town.person("person-1"), town.staff()
    sent = person.apply_for_event()
    neighbour.person("person-1").apply_for_event()
    step(staff, sent, "take")
    step(staff, sent, "decide", outcome="approved")
    with town.service.database.transaction(tenant=town.code) as session:
        mails.tell(session, "person-1", "決裁を待っている申請があります", cases.load(session, sent.id), "", NOW)
    page = visible(person.get("mine").text)
    assert page.count("【久留米市】") == page.count("新しい ") == 2, page
    assert "【福岡市】" not in page and "決裁を待っている" not in page, "nor what they are told as staff"
    assert "新しい " not in visible(person.get("mine").text)
    for stranger in (town.person("person-2"), town.guest()):
        assert "届いたお知らせ" not in visible(stranger.get("mine").text)
