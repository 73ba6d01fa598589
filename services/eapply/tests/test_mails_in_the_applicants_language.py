"""What an applicant is told by mail and in the inbox comes in the language of the page they sent from, as far as it is our text."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, meta
from sqlalchemy import select

from libs.common.notices import NoticeRow
from services.eapply.tests import test_cosigners as cosigners
from services.eapply.tests import test_delegates as delegates
from services.eapply.tests import test_programs_apply as programs
from services.eapply.tests.people import EVENT, Town, version_in
from services.eapply.tests.test_staff_decide import DUE, step
from services.eapply.tests.test_the_statutory_clock import SITE
from services.eapply.use_cases import cosign, mails

pytestmark = pytest.mark.any_store

FOLDER = Path(mails.__file__).parents[1] / "templates" / "notices"
TO_THE_DESK = {"desk", "lapsing"}
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def told(town: Town) -> list[NoticeRow]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(
            session.scalars(select(NoticeRow).where(NoticeRow.address == "a@example.jp").order_by(NoticeRow.id))
        )


def applied_returned_and_withdrawn(town: Town, lang: str) -> list[NoticeRow]:
    guest, staff = town.guest(), town.staff()
    guest.get("", params={"lang": lang})
    sent = guest.apply_for_event(email="a@example.jp")
    step(staff, sent, "take")
    reason = {"reason:people": "定員は1人までです。"}
    step(staff, sent, "correction", fields=["people"], message="お手数をおかけします。", **reason, **DUE)
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text)})
    return told(town)


def test_in_english_nothing_but_names_is_japanese(town: Town):
    received, correction, withdrawn = applied_returned_and_withdrawn(town, "en")
    assert received.subject.startswith("[久留米市] We have received your application (receipt number 402036-")
    assert "There is nothing you need to do now." in received.body and "2026" in received.body
    assert "Please correct" in correction.subject and re.search(
        r"Please do so by: \w{3} \d+ \w+ 202\d", correction.body
    )
    assert "was withdrawn" in withdrawn.subject
    for notice in (received, correction, withdrawn):
        assert not JAPANESE.search(notice.body), notice.body
        assert "/t/402036/eapply/enquiry" in notice.body


def test_in_easy_japanese(town: Town):
    received, correction, withdrawn = applied_returned_and_withdrawn(town, "ja-easy")
    assert "申請を 受け付けました" in received.subject and "いま、する ことは ありません。" in received.body
    assert "2026年" in received.body, "no eras"
    assert "なおす ところが あります" in correction.body and "とりけされました" in withdrawn.body


def test_in_japanese_where_nobody_chose(town: Town):
    received, correction, _ = applied_returned_and_withdrawn(town, "ja")
    assert (
        "申請を受け付けました" in received.subject
        and "令和8年" in received.body
        and "直していただく" in correction.subject
    )


def test_an_english_message_in_the_list_is_not_read_aloud_as_japanese(town: Town):
    person = town.person()
    person.get("", params={"lang": "en"})
    person.apply_for_event(email="a@example.jp")
    page = person.get("mine").text
    assert re.search(r"<summary>\[久留米市\] We have received", page)
    assert re.search(r'<summary lang="en">\[久留米市\] We have', person.get("mine", params={"lang": "ja"}).text)


def by_template(town: Town, template: str) -> list[NoticeRow]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(NoticeRow).where(NoticeRow.template == template).order_by(NoticeRow.id)))


def test_a_co_signer_is_asked_in_the_language_that_the_applicant_chose_for_them(town: Town):
    cosigners.flag(town)
    guest = town.guest()
    sent = guest.apply_for_event()
    page = guest.get(f"applications/{sent.id}/cosigners", params={"lang": "en"})
    assert re.search(r'<option value="en" selected', page.text), "the language of the page, until another is chosen"
    for number, lang in enumerate(("en", "ja-easy")):
        asked = {"name": f"Signer {number}", "address": f"s{number}@example.jp", "language": lang}
        assert guest.post(f"applications/{sent.id}/cosigners", asked).status_code == 200
    english, easy = by_template(town, "cosign")
    assert "asks you to confirm it" in english.body and "?lang=en" in english.body and "2026" in english.body
    assert "確認を おねがいして います" in easy.body and "?lang=ja-easy" in easy.body
    link = re.search(r"/t/\d+/eapply/sign/\S+", english.body)
    assert link and "Signer" not in link[0]
    opened = town.guest("signer").get(link[0])
    assert opened.status_code == 200 and '<html lang="en"' in opened.text
    town.service.clock.advance(days=8)
    with town.service.database.transaction(tenant=town.code) as session:
        assert cosign.remind(session, SITE, town.service.clock.now()) == 2
    assert "asks you to confirm it" in by_template(town, "cosign")[2].body, "reminders, too"


def test_who_gave_a_delegation_is_told_in_the_language_of_that_page(town: Town):
    giver, delegate = town.person("giver", "筑後 太郎"), town.person("delegate", "筑後 花子")
    giver.get("mine/delegates", params={"lang": "en"})
    delegate.post(delegates.link(giver))
    delegates.filed(delegate, delegates.delegation(town).id)
    (told,) = by_template(town, "delegated")
    assert "has sent an application in your name" in told.body
    (received,) = [each for each in by_template(town, "received") if each.person == "giver"]
    assert "We have received your application" in received.subject, "and so is all that follows"


def test_an_application_by_program_says_its_language(town: Town):
    body = {"procedure": "event-moushikomi", "answers": EVENT | {"email": "a@example.jp"}, "language": "en"}
    assert programs.apply(town.guest(), "in-english-1", body).status_code == 201
    (received,) = told(town)
    assert "We have received your application" in received.subject
    assert programs.apply(town.guest(), "in-english-2", body | {"language": "xx"}).status_code == 422


def test_every_notice_to_people_outside_is_there_in_every_language_and_says_the_same_things():
    names = {path.stem for path in FOLDER.glob("*.txt")} - TO_THE_DESK
    parsed = Environment(autoescape=True)
    for lang in ("en", "ja-easy"):
        assert {path.stem for path in (FOLDER / lang).glob("*.txt")} == names
        for name in names:
            here, there = ((folder / f"{name}.txt").read_text("utf-8") for folder in (FOLDER, FOLDER / lang))
            asked = [meta.find_undeclared_variables(parsed.parse(text)) for text in (here, there)]
            assert asked[0] == asked[1], (lang, name)
