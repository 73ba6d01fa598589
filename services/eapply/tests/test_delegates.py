"""A person lets another one apply for them: for chosen procedures, until a day, accepted by the other's own account, taken
back at once; both sides and the desk read who sent it."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from libs.common import notices
from services.eapply.db import ApplicationRow, DelegationRow
from services.eapply.tests.people import EVENT, Browser, Town, visible
from services.eapply.tests.test_staff_decide import DUE, version_in
from services.eapply.use_cases import delegates

pytestmark = pytest.mark.any_store

WANTED = {"label": "筑後 花子", "procedures": "event-moushikomi", "last_era": "reiwa", "last_year": "8", "last_month": "12",
          "last_day": "31"}  # fmt: skip


def link(giver: Browser, **changed: str) -> str:
    page = giver.post("mine/delegates", WANTED | changed)
    found = re.search(r"/t/\d{6}/eapply/mine/delegates/accept/[\w-]{20,}", page.text)
    assert page.status_code == 200 and found, visible(page.text)
    return found.group()


def pair(town: Town) -> tuple[Browser, Browser, str]:
    """(giver, delegate, id) of a 委任 in force."""
    giver, delegate = town.person("giver", "筑後 太郎"), town.person("delegate", "筑後 花子")
    delegate.post(link(giver))
    return giver, delegate, delegation(town).id


def delegation(town: Town) -> DelegationRow:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(DelegationRow)).one()


def filed(delegate: Browser, delegation_id: str) -> tuple[str, str]:
    """(draft's address, application's id) of what the delegate sent."""
    begun = delegate.post(f"event-moushikomi/start/{delegation_id}", follow_redirects=False)
    assert begun.status_code == 303, visible(begun.text)
    draft = begun.headers["location"].rpartition("/")[0]
    assert "筑後 太郎さんの代わりに入力しています" in visible(delegate.get(f"{draft}/entry").text)
    delegate.post(f"{draft}/entry", EVENT)
    page = delegate.post(f"{draft}/submit", {"key": delegate.confirmed_key(draft)})
    found = re.search(r"applications/([0-9a-f-]{36})", page.text)
    assert found, visible(page.text)
    assert "照会キー" not in visible(page.text), "a key would outlive the delegation"
    return draft, found.group(1)


def test_the_link_is_accepted_by_an_account_once_and_not_by_opening_it(town: Town):
    giver, delegate = town.person("giver", "筑後 太郎"), town.person("delegate", "筑後 花子")
    address = link(giver)
    shown = visible(delegate.get(address).text)
    assert "筑後 太郎さんが" in shown and "イベント参加申込" in shown
    assert delegation(town).accepted_at is None, "opening it is not accepting it"
    assert town.guest().get(address).status_code == 401
    assert "これは、あなたが作ったリンクです" in visible(giver.get(address).text)
    assert giver.post(address).status_code == 409, "nobody is their own delegate"
    delegate.post(address)
    assert "筑後 花子" in visible(giver.get("mine/delegates").text)
    assert town.person("thief").get(address).status_code == 404, "good once"
    assert town.person("thief").post(address).status_code == 404


def test_pressed_twice_it_is_taken_on_once_and_the_second_press_leads_to_the_same_page(town: Town):
    giver, delegate = town.person("giver", "筑後 太郎"), town.person("delegate", "筑後 花子")
    address = link(giver)
    for _ in range(2):
        assert delegate.post(address, follow_redirects=False).status_code == 303
    assert delegation(town).delegate == "delegate"
    delegate.post(f"mine/delegates/{delegation(town).id}/revoke")
    assert delegate.post(address, follow_redirects=False).status_code == 404


def test_a_link_whose_last_day_is_over_takes_on_nothing(town: Town):
    giver, delegate = town.person("giver", "筑後 太郎"), town.person("delegate", "筑後 花子")
    address = link(giver, last_month="11", last_day="25")
    town.service.clock.advance(days=7)
    assert delegate.get(address).status_code == 404 and delegate.post(address).status_code == 404
    assert delegation(town).accepted_at is None


def test_what_a_delegate_files_is_the_givers_and_says_so_to_both_and_at_the_desk(town: Town):
    giver, delegate, id_ = pair(town)
    _, application = filed(delegate, id_)
    own = visible(giver.get(f"applications/{application}").text)
    assert "代理の筑後 花子さんが、あなたの代わりに送りました" in own and "代理の方が送りました" in own
    assert "あなたが代わりに送った申請です" in visible(delegate.get(f"applications/{application}").text)
    assert "代理の筑後 花子さんが送りました" in visible(giver.get("mine").text)
    assert "代わりに送った申請" in visible(delegate.get("mine").text)
    desk = visible(town.staff().get(f"desk/cases/{application}").text)
    assert "代理：筑後 花子さんが、申請した方の委任で送りました" in desk
    with town.service.database.reading(tenant=town.code) as session:
        row = session.scalars(select(ApplicationRow)).one()
        assert (row.applicant_person, row.filed_by) == ("giver", "delegate")
        assert "代理の方が申請を送りました" in str([each.subject for each in notices.inbox(session, "giver")])
    assert len(town.events("eapply.application.submitted.v1")) == 1


def test_revoking_ends_it_at_once_for_what_is_sent_and_what_is_begun(town: Town):
    giver, delegate, id_ = pair(town)
    draft, application = filed(delegate, id_)
    begun = (
        delegate.post(f"event-moushikomi/start/{id_}", follow_redirects=False).headers["location"].rpartition("/")[0]
    )
    delegate.post(f"{begun}/entry", EVENT)
    key = delegate.confirmed_key(begun)
    assert delegate.get(f"applications/{application}/answers").status_code == 200
    giver.post(f"mine/delegates/{id_}/revoke")
    for path in ("", "/answers", "/receipt", "/receipt.pdf"):
        assert delegate.get(f"applications/{application}{path}").status_code == 404, path
    assert delegate.post(f"{draft}/submit", {"key": "2345-6789-ABCD"}).status_code == 404, "nor by sending it again"
    refused = delegate.post(f"{begun}/submit", {"key": key})
    assert refused.status_code == 409 and "取り消されたか、期限が過ぎた" in visible(refused.text)
    assert delegate.post(f"event-moushikomi/start/{id_}").status_code == 409
    assert giver.get(f"applications/{application}").status_code == 200
    assert "取り消されました" in visible(town.staff().get(f"desk/cases/{application}").text)
    assert len(town.events("eapply.application.submitted.v1")) == 1


@pytest.mark.parametrize("days", [0, 1])
def test_it_holds_to_the_end_of_the_last_day(town: Town, days: int):
    giver, delegate = town.person("giver", "筑後 太郎"), town.person("delegate", "筑後 花子")
    delegate.post(link(giver, last_month="11", last_day="21"))
    id_ = delegation(town).id
    end = timedelta(days=1, hours=13, minutes=7, seconds=52)  # 23:59:59 of the 21st, from 10:52:07 of the 20th
    town.service.clock.advance(seconds=int(end.total_seconds()) + days)
    assert delegate.post(f"event-moushikomi/start/{id_}", follow_redirects=False).status_code == (409 if days else 303)


@pytest.mark.parametrize("ended", ["revoked", "last day"])
def test_a_delegate_reads_at_once_that_it_has_ended_and_the_giver_goes_on_with_what_was_written(town: Town, ended: str):
    giver, delegate, id_ = pair(town)
    begun = delegate.post(f"event-moushikomi/start/{id_}", follow_redirects=False)
    draft = begun.headers["location"].rpartition("/")[0]
    draft_id = draft.rpartition("/")[2]
    delegate.post(f"{draft}/entry", EVENT)
    assert "委任は終わりました" not in visible(delegate.get(f"{draft}/entry").text)
    assert "代理の方が書いていた申請" not in visible(giver.get("mine").text), "it is theirs to write while it lasts"
    assert giver.post(f"mine/drafts/{draft_id}/take-back").status_code == 404
    if ended == "revoked":
        giver.post(f"mine/delegates/{id_}/revoke")
    else:
        town.service.clock.advance(days=60)
    for page in ("entry", "confirm"):
        assert "筑後 太郎さんからの委任は終わりました" in visible(delegate.get(f"{draft}/{page}").text), page
    assert f'action="{town_path(town)}/drafts/{draft_id}/submit"' not in delegate.get(f"{draft}/confirm").text
    assert "委任が終わったため、送れません" in visible(delegate.get("mine").text)
    assert delegate.post(f"{draft}/submit", {"key": "2222-3333-4444"}).status_code == 409
    assert "筑後 花子さんが書きました" in visible(giver.get("mine").text)
    assert town.person("thief").post(f"mine/drafts/{draft_id}/take-back").status_code == 404
    taken = giver.post(f"mine/drafts/{draft_id}/take-back", follow_redirects=False)
    assert taken.status_code == 303
    page = giver.get(taken.headers["location"]).text
    assert EVENT["event"] in page and EVENT["people"] in page, "nothing was lost"
    assert delegate.get(f"{draft}/entry").status_code == 404, "and it is not the delegate's any more"
    sent = giver.post(f"{draft}/submit", {"key": giver.confirmed_key(draft)})
    assert "受け付けました" in visible(sent.text)


def town_path(town: Town) -> str:
    return f"/t/{town.code}/eapply"


def test_only_the_chosen_procedures(town: Town):
    _, delegate, id_ = pair(town)
    assert delegate.post(f"risai-shomei/start/{id_}").status_code == 409
    assert "筑後 太郎さんの代わりに申し込みを始める" in visible(delegate.get("event-moushikomi/").text)
    assert "代わりに申し込みを始める" not in visible(delegate.get("risai-shomei/").text)
    assert "代わりに申し込みを始める" not in visible(town.person("thief").get("event-moushikomi/").text)


def test_a_stranger_can_use_see_and_revoke_nothing(town: Town, neighbour: Town):
    giver, delegate, id_ = pair(town)
    _, application = filed(delegate, id_)
    for stranger in (town.person("thief"), neighbour.person("giver"), neighbour.person("delegate")):
        assert stranger.post(f"event-moushikomi/start/{id_}").status_code == 404
        assert stranger.post(f"mine/delegates/{id_}/revoke").status_code == 404
        assert stranger.get(f"applications/{application}").status_code == 404
        assert "筑後 花子" not in visible(stranger.get("mine/delegates").text)
    assert delegation(town).revoked_at is None
    assert giver.get(f"applications/{application}").status_code == 200


def test_the_delegate_may_mend_but_not_withdraw_renew_the_key_or_choose_the_delivery(town: Town):
    giver, delegate, id_ = pair(town)
    _, application = filed(delegate, id_)
    staff = town.staff()
    staff.post(f"desk/cases/{application}/take", {"version": version_in(staff.get(f"desk/cases/{application}").text)})
    asked = {
        "version": version_in(staff.get(f"desk/cases/{application}").text),
        "fields": "people",
        "reason:people": "定員です。",
    }
    staff.post(f"desk/cases/{application}/correction", asked | DUE)
    page = visible(delegate.get(f"applications/{application}").text)
    assert "直していただくところがあります" in page and "取り下げる" not in page
    for path in ("withdraw", "key", "delivery"):
        assert delegate.post(f"applications/{application}/{path}", {"version": "3"}).status_code == 404, path
    form = delegate.get(f"applications/{application}/correction")
    from services.eapply.tests.people import hidden

    delegate.post(
        f"applications/{application}/correction", {"correction": hidden(form.text, "correction"), "people": "1"}
    )
    assert len(town.events("eapply.application.corrected.v1")) == 1
    assert giver.post(f"applications/{application}/key").status_code == 200


def test_what_the_delegate_told_before_is_not_offered_for_the_giver(town: Town):
    _, delegate, id_ = pair(town)
    delegate.apply_for_event(name="筑後 花子", kana="ちくご はなこ")
    begun = delegate.post(f"event-moushikomi/start/{id_}").text
    assert "前に伝えていただいたことを使えます" not in visible(begun)
    own = delegate.post("event-moushikomi/start").text
    assert "前に伝えていただいたことを使えます" in visible(own), "for themselves it is"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"label": " "}, "任せる方の名前"),
        ({"procedures": "no-such-procedure"}, "任せる手続きを、1つ以上"),
        ({"last_year": "7"}, "今日から3年までの間"),
        ({"last_year": "20"}, "今日から3年までの間"),
        ({"last_day": "32"}, ""),
        ({"label": "123456789018"}, "マイナンバー"),
    ],
)
def test_a_wrong_delegation_is_explained_and_not_made(town: Town, wrong: dict[str, str], sentence: str):
    page = town.person("giver").post("mine/delegates", WANTED | wrong)
    assert page.status_code == 422 and sentence in visible(page.text)
    with town.service.database.reading(tenant=town.code) as session:
        assert session.scalars(select(DelegationRow)).all() == []


def test_those_long_over_are_forgotten_unless_an_application_names_them(town: Town):
    _, delegate, id_ = pair(town)
    filed(delegate, id_)
    town.person("giver", "筑後 太郎").post("mine/delegates", WANTED)
    town.service.clock.advance(days=800)
    with town.service.database.transaction(tenant=town.code) as session:
        assert len(session.scalars(select(DelegationRow)).all()) == 2
        delegates.forget_over(session, town.service.clock.now())
    assert delegation(town).id == id_
