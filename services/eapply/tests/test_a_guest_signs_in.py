"""Somebody begins as a guest and signs in half-way: what was begun goes on, theirs alone."""

from dataclasses import replace

import pytest

from services.eapply.tests.people import Browser, Town, visible

pytestmark = pytest.mark.any_store


def signed_in(town: Town, guest: Browser, subject: str = "person-1") -> Browser:
    """The same browser after the sign-in: the gateway says who the guest was."""
    person = town.person(subject)
    person.actor = replace(person.actor, earlier_guest=guest.actor.sid)
    return person


def draft_of(guest: Browser) -> str:
    draft = guest.start("event-moushikomi")
    guest.post(f"{draft}/entry/save", {"name": "髙橋"}, page=False)
    return draft


def test_the_draft_is_there_after_the_sign_in_and_from_then_on_everywhere(town: Town):
    guest = town.guest()
    draft = draft_of(guest)
    assert 'value="髙橋"' in signed_in(town, guest).get(f"{draft}/entry").text
    assert 'value="髙橋"' in town.person().get(f"{draft}/entry").text, "without the gateway's word, from any device"
    assert draft.rpartition("/")[2] in town.person().get("mine").text
    assert guest.get(f"{draft}/entry").status_code == 404, "whoever kept the guest's session has nothing of it"


def test_the_list_shows_it_as_the_first_page_too(town: Town):
    guest = town.guest()
    draft = draft_of(guest)
    assert draft.rpartition("/")[2] in signed_in(town, guest).get("mine").text


def test_it_is_sent_under_the_account(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    person = signed_in(town, guest)
    answers = {"event": "講座", "name": "髙橋 𠮷郎", "kana": "たかはし", "phone": "0942309000", "people": "2"}
    assert person.post(f"{draft}/entry", answers, follow_redirects=False).headers["location"].endswith("/confirm")
    sent = person.post(f"{draft}/submit", {"key": person.confirmed_key(draft)})
    assert sent.status_code == 200, visible(sent.text)
    assert "古文書" not in sent.text and "イベント" in visible(town.person().get("mine").text)


def test_an_application_sent_as_a_guest_stays_readable_in_that_browser(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event()
    assert guest.get(f"applications/{sent.id}").status_code == 200
    person = signed_in(town, guest)
    assert person.get(f"applications/{sent.id}").status_code == 200
    assert guest.get(f"applications/{sent.id}").status_code == 404, "it has moved"
    assert town.person("person-2").get(f"applications/{sent.id}").status_code == 404


def test_nobody_else_gets_it(town: Town, neighbour: Town):
    guest = town.guest()
    draft = draft_of(guest)
    assert town.person("person-2").get(f"{draft}/entry").status_code == 404, "a sign-in alone is no reason"
    other = signed_in(town, town.guest("another-browser"), "person-2")
    assert other.get(f"{draft}/entry").status_code == 404, "nor is having been another guest"
    stranger = town.guest("guest-2")
    stranger.actor = replace(stranger.actor, earlier_guest=guest.actor.sid)
    assert stranger.get(f"{draft}/entry").status_code == 404, "a guest takes nothing over"
    assert signed_in(neighbour, guest, "person-2").get("mine").status_code == 200, "nor does the next town"
    assert signed_in(town, guest).get(f"{draft}/entry").status_code == 200
    assert signed_in(town, guest, "person-2").get(f"{draft}/entry").status_code == 404, "what is taken stays taken"
