"""連署: further persons confirm by a link of their own; until all have, the time stands still and nothing is granted."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from libs.common import notices
from libs.common.notices.table import NoticeRow
from services.eapply.db import ApplicationRow, CosignerRow
from services.eapply.tests.people import EVENT, Browser, Sent, Town, hidden, version_in, visible
from services.eapply.tests.test_after_the_decision import procedure_id
from services.eapply.tests.test_staff_decide import DUE, case, step
from services.eapply.tests.test_the_statutory_clock import MANAGER, offer_event
from services.eapply.use_cases import cosign

pytestmark = pytest.mark.any_store

STATEMENT = "申請のとおり、参加することに同意します。"


def flag(town: Town, persons: int = 2) -> None:
    offer_event(town, handling={"cosign": {"persons": persons, "statement": STATEMENT}})


def ask(applicant: Browser, sent: Sent, name: str, address: str = "") -> str:
    """The address of the link."""
    page = applicant.post(f"applications/{sent.id}/cosigners", {"name": name, "address": address})
    found = re.search(r"/t/\d{6}/eapply/sign/[\w-]{20,}", page.text)
    assert page.status_code == 200 and found, visible(page.text)
    return found.group()


def sign(browser: Browser, link: str, name: str = "荒木 直美"):
    return browser.post(link, {"act": "confirm", "name": name})


def row_of(town: Town) -> ApplicationRow:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(ApplicationRow)).one()


def test_asking_pressed_twice_asks_one_person_and_shows_the_same_link(town: Town):
    flag(town)
    guest = town.guest()
    sent = guest.apply_for_event()
    page = guest.get(f"applications/{sent.id}/cosigners").text
    form = {"name": "荒木 直美", "address": "naomi@home.example", "once": hidden(page, "once")}
    first, second = (guest.post(f"applications/{sent.id}/cosigners", form).text for _ in range(2))
    links = [re.findall(r"/t/\d{6}/eapply/sign/[\w-]{20,}", each) for each in (first, second)]
    assert len(links[0]) == 1 and links[0] == links[1]
    assert "あと1人" in visible(second), "one person, and one mail"
    (mail,) = mails_to(town, "naomi@home.example")
    assert links[0][0] in mail
    other = guest.post(f"applications/{sent.id}/cosigners", form | {"name": "国分 大輔"}).text
    assert links[0][0] not in other, "gone back, somebody else typed: a link of their own"
    assert sign(town.guest("a"), links[0][0]).status_code == 200


def mails_to(town: Town, address: str) -> list[str]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(NoticeRow.body).where(NoticeRow.address == address)))


def test_it_arrives_at_once_and_is_complete_when_all_have_confirmed(town: Town):
    flag(town)
    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event()
    assert "ほかの方の確認（連署）が要ります" in visible(sent.page.text) and sent.number
    first, second = ask(guest, sent, "荒木 直美"), ask(guest, sent, "国分 大輔")
    assert guest.post(f"applications/{sent.id}/cosigners", {"name": "三人目"}).status_code == 409
    step(staff, sent, "take")
    assert step(staff, sent, "decide", outcome="approved").status_code == 409, "not before all have"
    assert sign(town.guest("a"), first).status_code == 200
    assert town.events("eapply.application.cosigned.v1") == [] and row_of(town).cosigned_on is None
    assert sign(town.person("daisuke", "国分 大輔"), second, "国分 大輔").status_code == 200
    (event,) = town.events("eapply.application.cosigned.v1")
    assert event["data"]["application_id"] == sent.id and "国分" not in str(event)
    assert "連署がそろいました" in visible(guest.get(f"applications/{sent.id}/cosigners").text)
    assert "署名：国分 大輔" in visible(case(staff, sent).text)
    assert step(staff, sent, "decide", outcome="approved").status_code == 200
    assert row_of(town).state == "decided"


def test_until_then_the_time_stands_still(town: Town):
    flag(town, 1)
    guest = town.guest()
    sent = guest.apply_for_event()
    link = ask(guest, sent, "荒木 直美")
    town.service.clock.advance(days=20)
    page = visible(case(town.staff(), sent).text)
    assert "3開庁日のうち0日目" in page, page
    sign(town.guest("a"), link)
    town.service.clock.advance(days=1)  # 11 December, a Friday
    assert "3開庁日のうち1日目" in visible(case(town.staff(), sent).text)


def test_it_can_be_refused_while_somebody_has_not_confirmed(town: Town):
    flag(town, 1)
    staff, sent = town.staff(), town.guest().apply_for_event()
    step(staff, sent, "take")
    assert step(staff, sent, "decide", outcome="refused", reason="連署がそろわないため。").status_code == 200
    assert row_of(town).outcome == "refused"


def test_whoever_confirms_sees_no_answer_and_the_link_is_good_once(town: Town):
    flag(town, 1)
    guest = town.guest()
    sent = guest.apply_for_event(event="カナリア講座", wish="車いすの席")
    link = ask(guest, sent, "荒木 直美")
    other = town.guest("a")
    page = visible(other.get(link).text)
    assert STATEMENT in page and EVENT["name"] in page
    for secret in ("カナリア講座", "車いすの席", sent.number, "0942", "タカハシ"):
        assert secret not in other.get(link).text, secret
    assert "カナリア講座" in guest.get(f"applications/{sent.id}/answers").text, "the canary is there"
    assert row_of(town).cosigned_on is None, "opening it confirms nothing"
    assert sign(other, link).status_code == 200
    stranger = town.guest("b")
    assert sign(stranger, link).status_code == 404 and stranger.get(link).status_code == 404
    for path in ("", "/answers", "/cosigners"):
        assert other.get(f"applications/{sent.id}{path}").status_code == 404, path


@pytest.mark.parametrize("act", ["confirm", "refuse"])
def test_a_second_press_shows_the_result_of_the_first(town: Town, act: str):
    flag(town, 1)
    guest = town.guest()
    link = ask(guest, guest.apply_for_event(), "荒木 直美")
    other, typed = town.guest("a"), {"name": "荒木 直美", "reason": "知らない申請です。"}
    first = other.post(link, typed | {"act": act})
    for again in (other.post(link, typed | {"act": act}), other.get(link)):
        assert again.status_code == 200 and "リンクは使えなくなりました" in visible(again.text)
        assert "<h1" in first.text and re.findall(r"<h1.*?</h1>", again.text) == re.findall(r"<h1.*?</h1>", first.text)
    other.post(link, typed | {"act": "refuse" if act == "confirm" else "confirm"})
    assert (row_of(town).cosigned_on is not None) is (act == "confirm"), "the first answer stays"
    person = town.person("person-9")
    assert person.post(link, typed | {"act": act}).status_code == 404


def test_nobody_confirms_their_own_or_for_two(town: Town, neighbour: Town):
    flag(town)
    guest = town.guest()
    sent = guest.apply_for_event()
    first, second = ask(guest, sent, "荒木 直美"), ask(guest, sent, "国分 大輔")
    assert sign(guest, first).status_code == 403
    town.service.clock.advance(days=2)
    assert sign(guest, first).status_code == 403, "nor when the session may not read it any more"
    same = town.guest("a")
    assert sign(same, first).status_code == 200
    assert sign(same, second).status_code == 403
    assert neighbour.guest("b").get(second.replace("402036", "401307")).status_code == 404
    assert row_of(town).cosigned_on is None


def test_a_signed_in_applicant_cannot_confirm_on_another_device(town: Town):
    flag(town, 1)
    person = town.person()
    sent = person.apply_for_event()
    link = ask(person, sent, "荒木 直美")
    from dataclasses import replace

    elsewhere = town.person()
    elsewhere.actor = replace(elsewhere.actor, sid="another-device")
    assert sign(elsewhere, link).status_code == 403


def test_a_refusal_is_told_and_somebody_else_can_be_asked(town: Town):
    flag(town, 1)
    person = town.person()
    sent = person.apply_for_event()
    link = ask(person, sent, "荒木 直美")
    page = town.guest("a").post(link, {"act": "refuse", "reason": "聞いていない"})
    assert "確認しないことを伝えました" in visible(page.text)
    seen = visible(person.get(f"applications/{sent.id}/cosigners").text)
    assert "確認しませんでした" in seen and "聞いていない" in seen
    with town.service.database.reading(tenant=town.code) as session:
        assert any("確認しませんでした" in each.subject for each in notices.inbox(session, "person-1"))
    assert sign(town.guest("b"), ask(person, sent, "国分 大輔")).status_code == 200
    assert row_of(town).cosigned_on is not None


def test_a_new_link_replaces_the_old_one_and_a_person_can_be_replaced(town: Town):
    flag(town, 1)
    guest = town.guest()
    sent = guest.apply_for_event()
    old = ask(guest, sent, "荒木 直美")
    with town.service.database.reading(tenant=town.code) as session:
        id_ = session.scalars(select(CosignerRow.id)).one()
    assert town.guest("thief").post(f"applications/{sent.id}/cosigners/{id_}/renew").status_code == 404
    page = guest.post(f"applications/{sent.id}/cosigners/{id_}/renew").text
    new = re.search(r"/t/\d{6}/eapply/sign/[\w-]{20,}", page).group()  # type: ignore[union-attr]
    assert town.guest("a").get(old).status_code == 404 and town.guest("a").get(new).status_code == 200
    guest.post(f"applications/{sent.id}/cosigners/{id_}/replace")
    assert town.guest("a").get(new).status_code == 404
    assert ask(guest, sent, "国分 大輔")


def test_links_go_by_mail_and_again_after_days_three_times(town: Town):
    flag(town, 1)
    guest = town.guest()
    sent = guest.apply_for_event()
    first = ask(guest, sent, "荒木 直美", "naomi@example.jp")

    def mails() -> list[str]:
        with town.service.database.reading(tenant=town.code) as session:
            found = select(NoticeRow).where(NoticeRow.address == "naomi@example.jp").order_by(NoticeRow.id)
            return [row.body for row in session.scalars(found)]

    def remind() -> int:
        with town.service.database.transaction(tenant=town.code) as session:
            return cosign.remind(session, "https://x.example/t/402036/eapply", town.service.clock.now())

    assert len(mails()) == 1 and first in mails()[0] and "古文書" not in mails()[0]
    assert remind() == 0, "not yet"
    for turn in range(1, 4):
        town.service.clock.advance(days=cosign.REMIND.days, seconds=1)
        assert remind() == 1 and len(mails()) == 1 + turn
    town.service.clock.advance(days=30)
    assert remind() == 0, "enough"
    assert town.guest("a").get(first).status_code == 404


def test_a_link_runs_out(town: Town):
    flag(town, 1)
    guest = town.person()
    sent = guest.apply_for_event()
    link = ask(guest, sent, "荒木 直美")
    town.service.clock.advance(seconds=int(timedelta(days=30).total_seconds()) - 1)
    assert town.guest("a").get(link).status_code == 200
    town.service.clock.advance(seconds=1)
    assert town.guest("a").get(link).status_code == 404 and sign(town.guest("a"), link).status_code == 404


def test_a_withdrawn_application_asks_nobody(town: Town):
    flag(town, 1)
    guest = town.guest()
    sent = guest.apply_for_event()
    link = ask(guest, sent, "荒木 直美")
    page = guest.get(f"applications/{sent.id}/withdraw").text
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page)})
    assert sign(town.guest("a"), link).status_code == 404
    assert guest.post(f"applications/{sent.id}/cosigners", {"name": "国分 大輔"}).status_code == 409


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"name": "名" * 201}, {"name": "荒木", "address": "x y@z"}, {"name": "123456789018"}]
)
def test_what_is_typed_wrong_is_explained(town: Town, wrong: dict[str, str]):
    flag(town, 1)
    guest = town.guest()
    sent = guest.apply_for_event()
    assert guest.post(f"applications/{sent.id}/cosigners", wrong).status_code == 422
    link = ask(guest, sent, "荒木 直美")
    if "address" not in wrong:
        assert sign(town.guest("a"), link, wrong["name"]).status_code == 422


def test_a_procedure_without_co_signers_asks_for_none(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event()
    assert guest.post(f"applications/{sent.id}/cosigners", {"name": "荒木 直美"}).status_code == 409
    assert "連署" not in visible(guest.get(f"applications/{sent.id}").text)


@pytest.mark.parametrize(
    ("persons", "statement", "status"), [("2", STATEMENT, 303), ("6", STATEMENT, 422), ("2", "", 422)]
)
def test_the_manager_sets_how_many_confirm_what(town: Town, persons: str, statement: str, status: int):
    boss, id_ = town.staff("boss", "室見", MANAGER), procedure_id(town)
    wanted = {
        "version": "1", "fee_when": "none", "notice_title": "{title}通知書", "notice_opening": "決めました。", "notice_sender": "市長",
        "post_after_days": "7", "decided_months": "60", "withdrawn_months": "12", "cosign_persons": persons,
        "cosign_statement": statement,
    }  # fmt: skip
    answer = boss.post(f"desk/procedures/{id_}/handling", wanted, follow_redirects=False)
    assert answer.status_code == status
    asked = "2人の方にリンクで確認" in visible(town.guest().get("event-moushikomi/").text)
    assert asked == (status == 303)


# ---- a correction after they have confirmed


def corrected(town: Town, persons: int = 1, *, address: str = "", again: str = "yes", people: str = "1") -> tuple:
    """(applicant, staff, the case) that all had confirmed before a correction that puts the number of persons to `people`."""
    flag(town, persons)
    person, staff = town.person(), town.staff()
    sent = person.apply_for_event()
    for number in range(persons):
        sign(town.guest(f"signer-{number}"), ask(person, sent, f"荒木 直美{number}", address))
    step(staff, sent, "take")
    assert "連署した方の確認" in visible(staff.get(f"desk/cases/{sent.id}/correction?fields=people").text)
    reasons = {"reason:people": "定員は1人までです。", "cosign_again": again, **DUE}
    assert step(staff, sent, "correction", fields=["people"], **reasons).status_code == 200
    page = person.get(f"applications/{sent.id}/correction").text
    assert ("連署した方に、もう一度" in visible(page)) == (again == "yes")
    mended = {"correction": hidden(page, "correction"), "people": people, "act": "next"}
    assert person.post(f"applications/{sent.id}/correction", mended).status_code == 200
    return person, staff, sent


def test_a_correction_of_what_was_signed_asks_the_same_persons_again(town: Town):
    person, staff, sent = corrected(town, 2)
    page = visible(case(staff, sent).text)
    assert "連署した方の確認を、もう一度待っています" in page and page.count("改めてお願いしました") >= 2
    assert "署名：荒木 直美" in page, "what was signed before stays to be seen"
    assert step(staff, sent, "decide", outcome="approved").status_code == 409, "not on signatures for something else"
    listed = person.get(f"applications/{sent.id}/cosigners").text
    assert "もう一度確認が要ります" in visible(listed)
    assert "ほかの方の確認（連署）が要ります" in visible(person.get(f"applications/{sent.id}").text)
    for number, each in enumerate(re.findall(r"cosigners/([0-9a-f-]{36})/renew", listed)):
        renewed = person.post(f"applications/{sent.id}/cosigners/{each}/renew").text
        link = re.search(r"/t/\d{6}/eapply/sign/[\w-]{20,}", renewed)
        assert link
        shown = visible(town.guest("x").get(link.group()).text)
        assert "次のところを直しています：参加する人数" in shown
        assert row_of(town).cosign_again
        assert sign(town.guest(f"again-{number}"), link.group()).status_code == 200
    assert not row_of(town).cosign_again
    assert len(town.events("eapply.application.cosigned.v1")) == 2
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


def test_until_they_have_confirmed_again_the_time_stands_still_and_what_was_used_stays_used(town: Town):
    flag(town, 1)
    person, staff = town.person(), town.staff()
    sent = person.apply_for_event()
    sign(town.guest("a"), ask(person, sent, "荒木 直美"))
    step(staff, sent, "take")
    town.service.clock.advance(days=4)  # Tuesday 24 November; the 23rd is a holiday
    before = re.search(r"3開庁日のうち(\d)日目", visible(case(staff, sent).text))
    assert before and before.group(1) == "1", "one day has been used"
    step(staff, sent, "correction", fields=["people"], **{"reason:people": "定員は1人です。", **DUE})
    page = person.get(f"applications/{sent.id}/correction").text
    person.post(
        f"applications/{sent.id}/correction", {"correction": hidden(page, "correction"), "people": "1", "act": "next"}
    )
    town.service.clock.advance(days=10)
    assert "3開庁日のうち1日目" in visible(case(staff, sent).text), "neither counted on nor begun anew"
    each = re.search(r"cosigners/([0-9a-f-]{36})/renew", person.get(f"applications/{sent.id}/cosigners").text)
    assert each
    renewed = person.post(f"applications/{sent.id}/cosigners/{each.group(1)}/renew").text
    link = re.search(r"/t/\d{6}/eapply/sign/[\w-]{20,}", renewed)
    assert link and sign(town.guest("b"), link.group()).status_code == 200
    town.service.clock.advance(days=3)  # Monday 7 December
    assert "3開庁日のうち2日目" in visible(case(staff, sent).text)


@pytest.mark.parametrize("how", ["the desk says it touches nothing signed", "nothing was changed"])
def test_a_signature_stays_good_where_what_was_signed_did_not_change(town: Town, how: str):
    again, people = ("no", "1") if how.startswith("the desk") else ("yes", EVENT["people"])
    _, staff, sent = corrected(town, again=again, people=people)
    assert not row_of(town).cosign_again
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


def test_who_has_an_address_is_written_to_again_and_told_why(town: Town):
    corrected(town, address="naomi@example.jp")
    with town.service.database.reading(tenant=town.code) as session:
        bodies = [
            each.body for each in session.scalars(select(NoticeRow).order_by(NoticeRow.id)) if "sign/" in each.body
        ]
    assert len(bodies) == 2 and "改めてお願いする" not in bodies[0] and "改めてお願いする" in bodies[1]
