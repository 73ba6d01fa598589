"""Double click, reload, back, two tabs, many at once: one application, one event, the same receipt."""

from concurrent.futures import ThreadPoolExecutor

from services.eapply.tests.people import EVENT, Town, visible


def filled(guest) -> tuple[str, str]:
    draft = guest.start("event-moushikomi")
    guest.post(f"{draft}/entry", EVENT)
    return draft, guest.confirmed_key(draft)


def test_a_reload_of_the_receipt_shows_the_same_number_and_key(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event()
    again = guest.post(f"{sent.draft}/submit", {"key": sent.key})
    assert again.status_code == 200
    assert sent.number in again.text and sent.key in again.text
    assert len(town.events("eapply.application.submitted.v1")) == 1


def test_going_back_and_sending_from_another_tab_leads_to_the_same_application(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event()
    from_other_tab = guest.post(f"{sent.draft}/submit", {"key": "2222-3333-4444"})
    assert sent.number in from_other_tab.text
    assert sent.key not in from_other_tab.text and "2222-3333-4444" not in from_other_tab.text
    assert "照会キーを作り直す" in visible(from_other_tab.text)
    edited_later = guest.post(f"{sent.draft}/entry", EVENT | {"people": "9"}, follow_redirects=False)
    assert edited_later.headers["location"].endswith(f"/applications/{sent.id}")
    assert len(town.events("eapply.application.submitted.v1")) == 1


def test_twelve_clicks_at_once_make_one_application(town: Town):
    guest = town.guest()
    draft, key = filled(guest)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: town.guest().post(f"{draft}/submit", {"key": key}), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert all("402036-2611-00001-" in answer.text for answer in answers)
    assert len(town.events("eapply.application.submitted.v1")) == 1


def test_many_applicants_at_once_get_different_numbers(town: Town):
    guests = [town.guest(f"crowd-{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda guest: guest.apply_for_event(), guests))
    assert sorted(each.number[12:17] for each in sent) == [f"{n:05d}" for n in range(1, 9)]


def test_a_lost_key_is_replaced_and_the_old_one_stops_working(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event()
    assert sent.key not in guest.get(f"applications/{sent.id}/receipt").text
    page = guest.post(f"applications/{sent.id}/key").text
    stranger = town.guest("another-device")
    assert stranger.post("enquiry", {"number": sent.number, "key": sent.key}).status_code == 422
    import re

    new_key = re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}", page).group()
    assert new_key != sent.key
    assert stranger.post("enquiry", {"number": sent.number, "key": new_key}).status_code == 200


def test_the_key_is_nowhere_in_the_database_in_plain(town: Town):
    from sqlalchemy import select

    from services.eapply.db import ApplicationRow

    sent = town.guest().apply_for_event()
    with town.service.database.reading(tenant=town.code) as session:
        row = session.scalars(select(ApplicationRow)).one()
        assert row.enquiry_hash.startswith("$argon2id$")
        held = str({column.key: getattr(row, column.key) for column in row.__table__.columns})
    assert sent.number in held, "the check looks at the right row"
    assert sent.key not in held and sent.key.replace("-", "") not in held
