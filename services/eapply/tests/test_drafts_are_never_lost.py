"""A draft lives on through mistakes, pauses, other devices - and belongs to nobody else."""

import re

from services.eapply.tests.people import EVENT, Browser, Town, visible
from services.eapply.use_cases import procedures


def test_what_was_typed_is_there_again_even_when_it_was_wrong(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    guest.post(f"{draft}/entry", {"event": "講座", "phone": "まちがい"})
    page = guest.get(f"{draft}/entry").text
    assert 'value="講座"' in page and 'value="まちがい"' in page


def test_autosave_keeps_without_checking(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    answer = guest.post(f"{draft}/entry/save", {"name": "髙"}, page=False)
    assert answer.status_code == 204
    assert 'value="髙"' in guest.get(f"{draft}/entry").text


def test_put_aside_and_taken_up_on_another_device_by_a_link_that_works_once(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    page = guest.post(f"{draft}/entry", {"name": "髙橋", "act": "aside"})
    link = re.search(r"http://127\.0\.0\.1:8080(/t/402036/eapply/resume/[\w-]+)", page.text).group(1)
    phone = town.guest("phone")
    assert phone.get(f"{draft}/entry").status_code == 404
    looked = phone.get(link)
    assert "続きから入力する" in visible(looked.text) and "髙橋" not in looked.text, "a look alone changes nothing"
    taken = phone.post(link)
    assert 'value="髙橋"' in taken.text
    assert guest.get(f"{draft}/entry").status_code == 404, "access has moved to the other device"
    again = phone.post(link)
    assert again.status_code == 200 and again.url.path == taken.url.path, "pressed twice"
    thief = town.guest("thief")
    assert thief.post(link).status_code == 404 and guest.post(link).status_code == 404
    assert "もう使えません" in visible(thief.post(link).text)


def test_who_has_begun_is_led_on_before_beginning_anew(town: Town):
    guest = town.guest()
    strongest = r'class="btn btn--main"[^>]*>([^<]*)<'
    assert re.findall(strongest, guest.get("event-moushikomi/").text) == ["申し込みを始める"]
    draft = guest.start("event-moushikomi")
    page = guest.get("event-moushikomi/").text
    assert re.findall(strongest, page) == ["続きから入力する"] and f'href="{draft}/entry"' in page
    assert "新しく申し込みを始める" in page


def test_a_newer_link_replaces_the_older(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    links = [
        re.search(r"/t/402036/eapply/resume/[\w-]+", guest.post(f"{draft}/entry", {"act": "aside"}).text).group()
        for _ in range(2)
    ]
    assert town.guest("thief").post(links[0]).status_code == 404
    assert town.guest("phone").post(links[1]).status_code == 200


def test_a_signed_in_person_goes_on_from_any_device(town: Town):
    person = town.person()
    draft = person.start("event-moushikomi")
    person.post(f"{draft}/entry", {"name": "髙橋"})
    listed = town.person().get("mine").text
    assert draft.rpartition("/")[2] in listed
    assert "髙橋" in town.person().get(f"{draft}/entry").text


def test_a_draft_is_nobody_elses(town: Town, neighbour: Town):
    draft = town.guest().start("event-moushikomi")
    draft_id = draft.rpartition("/")[2]
    for stranger in (town.guest("other"), town.person(), town.staff(), neighbour.guest()):
        for path in ("entry", "confirm"):
            assert stranger.get(f"drafts/{draft_id}/{path}").status_code == 404
        assert stranger.post(f"drafts/{draft_id}/entry", EVENT).status_code == 404
        assert stranger.post(f"drafts/{draft_id}/submit", {"key": "2222-3333-4444"}).status_code == 404


def test_a_draft_untouched_for_long_goes_with_its_files_and_a_touched_one_stays(town: Town, service):
    from libs.common.jobs import Job
    from services.eapply.tests.pictures import photograph
    from services.eapply.worker import forget_drafts

    guest = town.guest()
    old, touched = guest.start("kodomo-iryo"), guest.start("event-moushikomi")
    files = {"children.1.insurance_paper": ("card.jpg", photograph(), "image/jpeg")}
    guest.post(f"{old}/child", {"children.items": "1", "act": "stay"}, files=files)
    store = service.extras["files"]
    assert len(list(store.list(town.code))) == 1
    service.clock.advance(days=60)
    guest.post(f"{touched}/entry/save", {"name": "髙"})
    service.clock.advance(days=31)

    class Silent(Job):
        def __init__(self) -> None: ...
        def progress(self, done: int, total: int, label: str = "") -> None: ...

    forget_drafts(service, Silent())
    assert guest.get(f"{old}/child").status_code == 404
    assert 'value="髙"' in guest.get(f"{touched}/entry").text
    assert list(store.list(town.code)) == []


def test_discarding_a_draft_removes_it(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    assert guest.post(f"{draft}/discard").status_code == 200
    assert guest.get(f"{draft}/entry").status_code == 404


def test_applications_in_flight_stay_on_their_version(town: Town, service):
    from services.eapply.forms.definition import from_document
    from services.eapply.use_cases.templates import common

    guest = town.guest()
    draft = guest.start("event-moushikomi")
    changed = next(each for each in common() if each.key == "event-moushikomi").document
    changed["steps"][0]["sections"][0]["fields"].append({"key": "extra", "type": "text", "label": "新しい問い"})
    with service.database.transaction(tenant=town.code) as session:
        assert procedures.publish(session, from_document(changed), service.clock.now()).version == 2
    assert "新しい問い" not in guest.get(f"{draft}/entry").text
    assert guest.post(f"{draft}/entry", EVENT, follow_redirects=False).headers["location"].endswith("/confirm")
    assert "新しい問い" in guest.get(f"{guest.start('event-moushikomi')}/entry").text


def aside(browser: Browser, draft: str, answers: dict[str, str]) -> str:
    """The link that a put aside draft is resumed by."""
    page = browser.post(f"{draft}/entry", answers | {"act": "aside"}).text
    return re.search(r"/t/402036/eapply/resume/[\w-]+", page).group()


def test_a_link_to_go_on_opens_no_application_that_was_sent_meanwhile(town: Town):
    person, finder = town.person(), town.person("finder")
    draft = person.start("event-moushikomi")
    link = aside(person, draft, EVENT)
    sent = person.post(f"{draft}/submit", {"key": person.confirmed_key(draft)})
    application = re.search(r"applications/[0-9a-f-]{36}", sent.text).group()
    answer = finder.post(link)
    assert answer.status_code == 404 and "すでに送られています" in visible(answer.text)
    assert finder.post(f"{draft}/submit", {"key": "2222-3333-4444"}).status_code == 404
    assert finder.get(application).status_code == 404
    assert person.post(f"{draft}/submit", {"key": "2222-3333-4444"}).status_code == 200, "it is still the sender's"


def test_whose_sign_in_has_ended_is_told_to_sign_in_again_and_nothing_of_the_draft(town: Town):
    person = town.person()
    draft = person.start("event-moushikomi")
    person.post(f"{draft}/entry/save", {"name": "髙橋"}, page=False)
    ended = town.guest("after-the-end")
    saved = ended.post(f"{draft}/entry/save", {"name": "髙橋 𠮷郎"}, page=False)
    assert saved.status_code == 404 and "もう一度サインインすると" in saved.json()["detail"]
    page = ended.post(f"{draft}/entry", {"name": "髙橋 𠮷郎"})
    assert page.status_code == 404 and f'href="/sign-in?next={draft}/entry"' in page.text and "髙橋" not in page.text
    other = town.guest().get("drafts/00000000-0000-7000-8000-000000000000/entry")
    assert visible(other.text) == visible(town.guest().get(f"{draft}/entry").text), "alike, whether it is there or not"


def test_nothing_is_sent_to_a_procedure_that_was_closed_meanwhile_and_nothing_is_lost(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    guest.post(f"{draft}/entry", EVENT)
    key = guest.confirmed_key(draft)
    set_state(town, "event-moushikomi", procedures.CLOSED)
    for page in (
        guest.post(f"{draft}/submit", {"key": key}),
        guest.get(f"{draft}/entry"),
        guest.get(f"{draft}/confirm"),
    ):
        assert "オンラインでの受け付けを終わりました" in visible(page.text) and EVENT["name"] in page.text
    assert "この内容で送る" not in visible(guest.get(f"{draft}/confirm").text)
    assert town.events("eapply.application.submitted.v1") == []
    set_state(town, "event-moushikomi", procedures.PUBLISHED)
    assert guest.post(f"{draft}/submit", {"key": guest.confirmed_key(draft)}).status_code == 200


def set_state(town: Town, key: str, state: str) -> None:
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.set_state(session, key, state, town.service.clock.now())
