"""One-stop: a life event asks once and files several procedures; interrupted anywhere, none is filed twice."""

import html
import re

import pytest
from sqlalchemy import func, select

from services.eapply.db import ApplicationRow, DraftRow
from services.eapply.forms.definition import from_document
from services.eapply.tests.people import EVENT, Browser, Town, visible
from services.eapply.use_cases import procedures
from services.eapply.use_cases.templates import common

pytestmark = pytest.mark.any_store

KEYS = ("kaigo-a", "kaigo-b", "kaigo-c")
SHARED = ("name", "kana", "phone", "email", "event", "people", "wish")


def offer(town: Town) -> None:
    """Three procedures about 介護 that ask the same and, each, one thing of their own."""
    (event,) = (each.document for each in common() if each.key == "event-moushikomi")
    for key in KEYS:
        own = {"key": f"only_{key[-1]}", "type": "text", "label": f"{key}だけの項目"}
        step = {**event["steps"][0], "sections": [*event["steps"][0]["sections"], {"title": "個別", "fields": [own]}]}
        changed = {
            "key": key,
            "title": f"介護の手続き{key[-1].upper()}",
            "words": ["介護"],
            "translations": {},
            "steps": [step],
        }
        with town.service.database.transaction(tenant=town.code) as session:
            procedures.publish(session, from_document(event | changed), town.service.clock.now())


def begin(browser: Browser, *keys: str) -> str:
    answer = browser.post("life/care", {"procedures": list(keys or KEYS)}, follow_redirects=False)
    assert answer.status_code == 303, visible(answer.text)
    return answer.headers["location"]


def asked(page: str) -> dict[str, str]:
    """Label → the name of the input, on the page of what all ask."""
    found = re.findall(r'<label class="label" for="(q\d+)">([^<]*)<', page)
    return {html.unescape(label): name for name, label in found}


def answers(page: str, **changed: str) -> dict[str, str]:
    labels = {
        "イベントの名前": "event",
        "代表の方の氏名": "name",
        "フリガナ": "kana",
        "電話番号": "phone",
        "参加する人数": "people",
    }
    wanted = EVENT | changed
    return {asked(page)[label]: wanted[key] for label, key in labels.items()}


def drafts_of(town: Town) -> list[DraftRow]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(DraftRow).order_by(DraftRow.id)))


def count(town: Town) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalar(select(func.count()).select_from(ApplicationRow)) or 0


def complete(town: Town, browser: Browser, bundle: str) -> dict[str, str]:
    """Everything answered; the form that sends all."""
    browser.post(bundle, answers(browser.get(bundle).text))
    for row in drafts_of(town):
        key = next(name for name in KEYS if name[-1] in procedure_of(town, row)[-1])
        step = browser.get(f"drafts/{row.id}/entry").text
        typed = dict(re.findall(r'name="(event|name|kana|phone|people)"[^>]* value="([^"]*)"', step))
        done = browser.post(f"drafts/{row.id}/entry", {**typed, f"only_{key[-1]}": "はい"}, follow_redirects=False)
        assert done.headers.get("location", "").endswith("/confirm"), visible(done.text)
    page = browser.get(bundle).text
    assert "3件をまとめて送る" in visible(page)
    return dict(re.findall(r'<input type="hidden" name="(key\.[0-9a-f-]{36})" value="([^"]*)"', page))


def procedure_of(town: Town, row: DraftRow) -> str:
    with town.service.database.reading(tenant=town.code) as session:
        return procedures.definition(session, row.procedure_id, row.procedure_version).key


def test_what_all_ask_is_asked_once_and_goes_into_each(town: Town):
    offer(town)
    guest = town.guest()
    assert "介護が必要になったとき" in visible(guest.get("").text)
    bundle = begin(guest)
    page = guest.get(bundle).text
    assert len(asked(page)) == len(SHARED) and not any("だけの項目" in label for label in asked(page))
    guest.post(bundle, answers(page))
    for row in drafts_of(town):
        assert row.raw["name"] == [EVENT["name"]] and row.raw["people"] == [EVENT["people"]]
    listed = visible(guest.get(bundle).text)
    assert listed.count("あと1か所") == 3 and "まとめて送る" not in listed.replace("ここからまとめて送れます", "")


def test_each_becomes_an_ordinary_application_with_its_own_number_and_key(town: Town):
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    keys = complete(town, guest, bundle)
    page = visible(guest.post(f"{bundle}/send", keys).text)
    numbers = set(re.findall(r"402036-\d{4}-\d{5}-\d", page))
    assert len(numbers) == 3 and all(key in page for key in keys.values())
    assert len(town.events("eapply.application.submitted.v1")) == 3
    again = visible(guest.post(f"{bundle}/send", keys).text)
    assert set(re.findall(r"402036-\d{4}-\d{5}-\d", again)) == numbers, "a reload shows the same"
    assert all(key in again for key in keys.values()) and count(town) == 3
    with town.service.database.reading(tenant=town.code) as session:
        one = session.scalars(select(ApplicationRow.id).order_by(ApplicationRow.id)).first()
    assert "一緒に送られた申請" in visible(town.staff().get(f"desk/cases/{one}").text)


def test_nothing_is_sent_while_something_is_missing(town: Town):
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    guest.post(bundle, answers(guest.get(bundle).text))
    page = guest.post(f"{bundle}/send", {})
    assert "あと1か所" in visible(page.text) and count(town) == 0


def test_wrong_answers_are_explained_and_kept(town: Town):
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    page = guest.get(bundle).text
    answer = guest.post(bundle, answers(page, phone="0942-30-900", event="123456789018"))
    assert answer.status_code == 422
    assert "電話番号が9桁です" in visible(answer.text) and "マイナンバー" in visible(answer.text)
    assert 'value="0942-30-900"' in guest.get(bundle).text
    assert all(row.raw["event"] == [""] for row in drafts_of(town))


def test_some_can_be_left_out_and_one_must_be_chosen(town: Town):
    offer(town)
    guest = town.guest()
    begin(guest, "kaigo-a", "kaigo-c")
    assert len(drafts_of(town)) == 2
    for nothing in ({}, {"procedures": "event-moushikomi"}):
        answer = guest.post("life/care", nothing)
        assert answer.status_code == 422 and "1つから10つまで" in visible(answer.text)
    assert guest.get("life/no-such-event").status_code == 404


def test_a_bundle_is_its_owners_only(town: Town, neighbour: Town):
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    keys = complete(town, guest, bundle)
    for stranger in (town.guest("thief"), town.person("thief")):
        assert stranger.get(bundle).status_code == 404
        assert stranger.post(bundle, {"q1": "x"}).status_code == 404
        assert stranger.post(f"{bundle}/send", keys).status_code == 404
    assert neighbour.guest().get(bundle.replace("402036", "401307")).status_code == 404
    assert count(town) == 0


def test_an_event_with_nothing_to_file_says_so(town: Town):
    page = visible(town.guest().get("life/care").text)
    assert "まとめて申し込める手続きは、まだありません" in page
    assert "介護が必要になったとき" not in visible(town.guest().get("").text)
    assert "児童手当 認定請求" in visible(town.guest().get("life/birth").text)


def close(town: Town, key: str) -> None:
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.set_state(session, key, procedures.CLOSED, town.service.clock.now())


def test_one_that_was_closed_meanwhile_keeps_nobody_from_sending_the_others(town: Town):
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    keys = complete(town, guest, bundle)
    close(town, "kaigo-b")
    page = visible(guest.get(bundle).text)
    assert "介護の手続きB 受け付けを終わりました" in page and "2件をまとめて送る" in page
    sent = visible(guest.post(f"{bundle}/send", keys).text)
    assert len(set(re.findall(r"402036-\d{4}-\d{5}-\d", sent))) == 2 and count(town) == 2
    close(town, "kaigo-a")
    assert len(re.findall("送りました", visible(guest.get(bundle).text))) == 2, "and what was sent stays so"


def test_one_that_is_closed_while_all_are_sent_hides_no_receipt_of_the_others(town: Town, monkeypatch):
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    keys = complete(town, guest, bundle)
    monkeypatch.setattr("services.eapply.use_cases.together.is_out", lambda *_: False)
    close(town, "kaigo-b")
    sent = visible(guest.post(f"{bundle}/send", keys).text)
    assert len(set(re.findall(r"402036-\d{4}-\d{5}-\d", sent))) == 2, sent
    assert sum(key in sent for key in keys.values()) == 2
    assert "まだ送っていない手続き" in sent and "介護の手続きB" in sent


def test_a_bundle_put_aside_goes_on_as_a_whole_on_another_device(town: Town):
    offer(town)
    guest, phone = town.guest(), town.guest("phone")
    bundle = begin(guest)
    one = drafts_of(town)[0]
    page = guest.post(f"drafts/{one.id}/entry", {"name": "髙橋", "act": "aside"}).text
    assert phone.post(re.search(r"/t/402036/eapply/resume/[\w-]+", page).group()).status_code == 200
    listed = visible(phone.get(bundle).text)
    assert all(f"介護の手続き{letter}" in listed for letter in "ABC")
    assert guest.get(bundle).status_code == 404, "access has moved to the other device"


def test_what_of_a_bundle_went_to_another_device_alone_hides_nothing_of_the_rest(town: Town):
    """As it was when only one draft moved with the link."""
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    with town.service.database.transaction(tenant=town.code) as session:
        session.scalars(select(DraftRow).order_by(DraftRow.id)).first().owner_session = "another"
    page = guest.get(bundle)
    assert (
        page.status_code == 200 and "介護の手続きB" in visible(page.text) and "介護の手続きA" not in visible(page.text)
    )


def test_after_one_was_sent_alone_the_page_of_the_bundle_goes_on(town: Town):
    offer(town)
    guest = town.guest()
    bundle = begin(guest)
    complete(town, guest, bundle)
    one = f"drafts/{drafts_of(town)[0].id}"
    guest.post(f"{one}/submit", {"key": guest.confirmed_key(one)})
    page = guest.get(bundle)
    assert page.status_code == 200 and "2件をまとめて送る" in visible(page.text) and "送りました" in visible(page.text)
