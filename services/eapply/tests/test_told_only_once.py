"""What a signed-in person has told before is offered with where it comes from, and used only when they say so."""

from services.eapply.tests.people import EVENT, Browser, Town, hidden, visible

OFFER = "前に伝えていただいたことを使えます"


def apply_once(person: Browser) -> None:
    person.apply_for_event(email="yoko@example.jp")


def test_earlier_answers_are_offered_and_shown_as_such(town: Town):
    person = town.person()
    assert OFFER not in person.get(f"{person.start('event-moushikomi')}/entry").text, "nothing is known yet"
    apply_once(person)
    draft = person.start("risai-shomei")
    page = person.get(f"{draft}/applicant").text
    words = visible(page)
    assert OFFER in words and "髙橋 𠮷郎 （イベント参加申込 から）" in words
    assert 'value="髙橋 𠮷郎"' not in page, "not before the person says so"

    filled = person.post(f"{draft}/applicant", {"act": "offer", "asked": hidden(page, "asked")}).text
    for value in ("髙橋 𠮷郎", "タカハシ　ヨシロウ", "0942-30-9000", "yoko@example.jp"):
        assert f'value="{value}"' in filled, value
    assert visible(filled).count("前の申請から入れました") == 4
    assert OFFER not in filled


def test_what_was_typed_is_never_replaced(town: Town):
    person = town.person()
    apply_once(person)
    draft = person.start("risai-shomei")
    page = person.post(f"{draft}/applicant", {"act": "offer", "name": "筑後 陽子"}).text
    assert 'value="筑後 陽子"' in page and 'value="髙橋 𠮷郎"' not in page
    assert 'value="0942-30-9000"' in page


def test_nobody_elses_answers_are_offered(town: Town, neighbour: Town):
    apply_once(town.person())
    other, guest = town.person("person-2", "別人"), town.guest()
    for browser in (other, guest):
        assert OFFER not in browser.get(f"{browser.start('risai-shomei')}/applicant").text
    elsewhere = neighbour.person()
    assert OFFER not in elsewhere.get(f"{elsewhere.start('risai-shomei')}/applicant").text, (
        "another municipality's are not ours to show"
    )


def test_the_application_holds_the_answers_and_no_trace_of_the_offer(town: Town):
    person = town.person()
    apply_once(person)
    draft = person.start("event-moushikomi")
    person.post(f"{draft}/entry", {"act": "offer"})
    assert person.post(f"{draft}/entry", EVENT | {"event": "二回目"}).url.path.endswith("/confirm")
    assert "_offered" not in person.get(f"{draft}/confirm").text
