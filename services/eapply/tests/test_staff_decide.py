"""Staff take a case, have two fields mended, see old beside new, decide; the citizen reads the notice."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.eapply.api import applications
from services.eapply.tests.people import Browser, Sent, Town, version_in, visible

DUE = {"due_era": "reiwa", "due_year": "8", "due_month": "12", "due_day": "4"}


def case(staff: Browser, sent: Sent | str):
    return staff.get(f"desk/cases/{sent if isinstance(sent, str) else sent.id}")


def step(staff: Browser, sent: Sent, name: str, **data):
    page = case(staff, sent)
    version = data.pop("version", None) or version_in(page.text)
    return staff.post(f"desk/cases/{sent.id}/{name}", {"version": version, **data})


def taken(town: Town) -> tuple[Browser, Browser, Sent]:
    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event()
    assert step(staff, sent, "take").status_code == 200
    return guest, staff, sent


def returned(town: Town) -> tuple[Browser, Browser, Sent]:
    guest, staff, sent = taken(town)
    page = step(
        staff, sent, "correction", fields=["people", "wish"], message="お手数をおかけします。",
        **{"reason:people": "定員は1人までです。", "reason:wish": "具体的にお書きください。"}, **DUE,
    )  # fmt: skip
    assert page.status_code == 200, visible(page.text)
    return guest, staff, sent


def test_the_queue_shows_what_arrived_and_finds_it(town: Town):
    staff = town.staff()
    first = town.guest("a").apply_for_event(name="荒木 直美", kana="あらき なおみ")
    town.guest("b").apply_for_event(name="国分 大輔", kana="こくぶ だいすけ")
    page = visible(staff.get("desk/").text)
    assert "荒木 直美" in page and "国分 大輔" in page and "すべて 2" in page and "未着手 2" in page
    for words in ("アラキ", "荒木", first.number):
        found = visible(staff.get("desk/", params={"q": words}).text)
        assert "荒木 直美" in found and "国分 大輔" not in found, words
    assert "荒木 直美" not in staff.get("desk/", params={"tab": "mine"}).text
    step(staff, first, "take")
    assert "荒木 直美" in staff.get("desk/", params={"tab": "mine"}).text


def test_a_tab_is_counted_as_far_as_anybody_reads_and_says_that_there_are_more(town: Town, monkeypatch):
    from services.eapply.use_cases import queue

    monkeypatch.setattr(queue, "MOST_COUNTED", 2)
    for number, told in enumerate(("すべて 1", "すべて 2", "すべて 2+")):
        town.guest(f"g{number}").apply_for_event()
        page = visible(town.staff().get("desk/").text)
        assert told in page and "自分の担当 0" in page


def test_the_queue_goes_on_page_by_page_without_losing_or_repeating(town: Town, monkeypatch):
    from services.eapply.use_cases import queue

    monkeypatch.setattr(queue.page, "__defaults__", (2,))
    sent = {town.guest(f"g{n}").apply_for_event().id for n in range(5)}
    for order in ("due", "arrived"):
        seen, address = [], f"desk/?order={order}"
        while address:
            text = town.staff().get(address).text
            import html
            import re

            seen += re.findall(r'href="[^"]*/desk/cases/([0-9a-f-]{36})"', text)
            following = re.search(r'href="([^"]*after=[^"]*)" rel="next"', text)
            address = html.unescape(following.group(1)) if following else ""
        assert len(seen) == 5 and set(seen) == sent, order


def test_two_fields_are_returned_and_only_those_can_be_changed(town: Town):
    guest, _, sent = returned(town)
    status = visible(guest.get(f"applications/{sent.id}").text)
    assert (
        "直していただくところがあります" in status
        and "定員は1人までです。" in status
        and "令和8年12月4日（金）" in status
    )
    page = guest.get(f"applications/{sent.id}/correction")
    assert 'name="people"' in page.text and 'name="wish"' in page.text
    assert 'name="name"' not in page.text and 'name="event"' not in page.text
    correction = page.text.partition('name="correction" value="')[2][:36]
    changed = {"correction": correction, "people": "1", "wish": "車いすの席", "name": "別人", "event": "別の講座"}
    done = guest.post(f"applications/{sent.id}/correction", changed)
    assert "直した内容が届きました" in visible(done.text)
    answers = guest.get(f"api/applications/{sent.id}", page=False).json()["answers"]
    assert answers["people"] == 1 and answers["wish"] == "車いすの席"
    assert answers["name"] == "髙橋 𠮷郎" and answers["event"] == "古文書講座"


def mended(guest: Browser, sent: Sent, **answers: str):
    page = guest.get(f"applications/{sent.id}/correction")
    correction = page.text.partition('name="correction" value="')[2][:36]
    return guest.post(f"applications/{sent.id}/correction", {"correction": correction, **answers})


def test_staff_see_old_and_new_side_by_side_and_both_rounds_stay(town: Town):
    guest, staff, sent = returned(town)
    mended(guest, sent, people="1", wish="車いすの席")
    page = case(staff, sent).text
    assert "<del>2人</del>" in page and "<ins>1人</ins>" in page
    assert "<del>（なし）</del>" in page and "<ins>車いすの席</ins>" in page
    from sqlalchemy import select

    from services.eapply.db import RoundRow

    with town.service.database.reading(tenant=town.code) as session:
        rounds = session.scalars(select(RoundRow).order_by(RoundRow.number)).all()
        assert [each.answers["people"] for each in rounds] == [2, 1]


def test_the_same_correction_sent_twice_is_one_round(town: Town):
    guest, _, sent = returned(town)
    page = guest.get(f"applications/{sent.id}/correction")
    correction = page.text.partition('name="correction" value="')[2][:36]
    for _ in range(2):
        answer = guest.post(
            f"applications/{sent.id}/correction", {"correction": correction, "people": "1", "wish": "い"}
        )
        assert answer.status_code == 200
    assert len(town.events("eapply.application.corrected.v1")) == 1


def test_a_second_press_while_the_first_is_being_read_shows_the_same_page(town: Town, monkeypatch: pytest.MonkeyPatch):
    guest, _, sent = returned(town)
    page = guest.get(f"applications/{sent.id}/correction")
    form = {"correction": page.text.partition('name="correction" value="')[2][:36], "people": "1", "wish": "い"}
    keep_uploads, presses = applications.keep_uploads, []

    def overtaken(*arguments: Any):
        """The other press goes through between the two looks of this one."""
        if not presses:
            presses.append("another")
            presses.append(town.guest().post(f"applications/{sent.id}/correction", form).status_code)
        return keep_uploads(*arguments)

    monkeypatch.setattr(applications, "keep_uploads", overtaken)
    answer = guest.post(f"applications/{sent.id}/correction", form)
    assert (answer.status_code, presses[1]) == (200, 200)
    assert answer.url.path.endswith(f"applications/{sent.id}")
    assert len(town.events("eapply.application.corrected.v1")) == 1


def test_a_mistake_in_the_correction_is_explained_and_nothing_is_sent(town: Town):
    guest, _, sent = returned(town)
    answer = mended(guest, sent, people="百人", wish="い")
    assert answer.status_code == 422 and "数字だけで入力" in visible(answer.text)
    assert town.events("eapply.application.corrected.v1") == []


def test_a_return_needs_fields_reasons_and_a_day_to_come(town: Town):
    _, staff, sent = taken(town)
    nothing = step(staff, sent, "correction", **DUE)
    assert nothing.status_code == 422 and "項目を1つ以上" in visible(nothing.text)
    no_reason = step(staff, sent, "correction", fields=["people"], **DUE)
    assert no_reason.status_code == 422 and "理由を入力してください" in visible(no_reason.text)
    late = step(
        staff,
        sent,
        "correction",
        fields=["people"],
        **{"reason:people": "理"},
        **(DUE | {"due_month": "11", "due_day": "1"}),
    )
    assert late.status_code == 422 and "明日より後" in visible(late.text)
    unknown = step(staff, sent, "correction", fields=["no_such"], **{"reason:no_such": "理"}, **DUE)
    assert unknown.status_code == 422
    assert town.events("eapply.application.correction_requested.v1") == []


def test_the_day_proposed_for_a_correction_is_one_when_the_office_is_open(town: Town):
    """Two weeks from a Friday is a Friday, and from the Friday before the New Year's days a closed one."""
    _, staff, sent = taken(town)
    town.service.clock.advance(days=28)  # 2026-12-18; in two weeks it is 1 January
    page = staff.get(f"desk/cases/{sent.id}/correction", params={"fields": "people"}).text
    due = {part: re.search(rf'name="due_{part}"[^>]* value="(\d+)"', page)[1] for part in ("year", "month", "day")}
    assert due == {"year": "9", "month": "1", "day": "4"}
    assert '<option value="reiwa" selected>' in page


def test_waiting_for_the_correction_stops_the_clock_on_both_sides(town: Town):
    guest, staff, sent = returned(town)
    assert "停止中" in visible(staff.get("desk/").text)
    town.service.clock.advance(days=10)
    guest.post("enquiry", {"number": sent.number, "key": sent.key})
    mended(guest, sent, people="1", wish="い")
    # Asked on 11/20, answered on 11/30: three working days from then.
    assert "12月3日（木）ごろ" in visible(guest.get(f"applications/{sent.id}").text)
    assert "あと3日" in visible(case(staff, sent).text)


def test_approval_is_read_by_the_citizen_with_the_whole_history(town: Town):
    guest, staff, sent = returned(town)
    mended(guest, sent, people="1", wish="い")
    step(staff, sent, "decide", outcome="approved", remark="当日は9時にお越しください。")
    page = visible(guest.get(f"applications/{sent.id}").text)
    for words in (
        "参加決定",
        "当日は9時にお越しください。",
        "直した内容が届きました",
        "受け付けました",
        "結果を決めました",
    ):
        assert words in page
    assert "申請した方が結果を開きました" in visible(case(staff, sent).text)
    (event,) = town.events("eapply.application.decided.v1")
    assert event["data"]["outcome"] == "approved" and event["sequence"] == 4


def test_refusal_needs_a_reason_and_carries_the_remedy(town: Town):
    from services.eapply.tests.test_a_citizen_applies import claim_child_allowance

    guest, staff = town.guest(), town.staff()
    application_id = claim_child_allowance(guest)
    for name, data in (("take", {}), ("decide", {"outcome": "refused", "reason": "  "})):
        version = version_in(case(staff, application_id).text)
        answer = staff.post(f"desk/cases/{application_id}/{name}", {"version": version, **data})
    assert answer.status_code == 422 and "行政手続法8条" in visible(answer.text)
    assert town.events("eapply.application.decided.v1") == []
    version = version_in(answer.text)
    reason = "所得の要件は廃止されていますが、公務員として勤め先から支給されるためです。"
    staff.post(f"desk/cases/{application_id}/decide", {"version": version, "outcome": "refused", "reason": reason})
    page = visible(guest.get(f"applications/{application_id}").text)
    assert "却下" in page and reason in page
    assert "知った日の翌日から起算して3か月以内に、久留米市長に対して審査請求" in page


def test_two_staff_decide_at_once_and_one_is_told_what_happened(town: Town):
    _, staff, sent = taken(town)
    version = version_in(case(staff, sent).text)
    other = town.staff("staff-2", "江藤 明")

    def decide(who_and_outcome):
        who, outcome = who_and_outcome
        data = {"version": version, "outcome": outcome, "reason": "定員に達したため。"}
        return who.post(f"desk/cases/{sent.id}/decide", data, follow_redirects=False)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(decide, [(staff, "approved"), (other, "refused")]))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    loser = next(answer for answer in answers if answer.status_code == 409)
    assert "ほかの操作と重なりました" in visible(loser.text) and "結果を決めました" in visible(loser.text)
    assert len(town.events("eapply.application.decided.v1")) == 1


def test_a_decision_while_the_applicant_withdraws_lets_one_of_them_win(town: Town):
    guest, staff, sent = taken(town)
    version = version_in(case(staff, sent).text)

    def decide():
        data = {"version": version, "outcome": "approved"}
        return staff.post(f"desk/cases/{sent.id}/decide", data, follow_redirects=False).status_code

    def withdraw():
        return guest.post(f"applications/{sent.id}/withdraw", {"version": version}, follow_redirects=False).status_code

    with ThreadPoolExecutor(2) as pool:
        codes = [each.result() for each in (pool.submit(decide), pool.submit(withdraw))]
    assert sorted(codes) == [303, 409]
    ended = town.events("eapply.application.decided.v1") + town.events("eapply.application.withdrawn.v1")
    assert len(ended) == 1


def test_withdrawal_is_possible_before_the_decision_and_not_after(town: Town):
    guest, staff, sent = taken(town)
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text), "reason": "都合が悪くなったため"})
    assert "取り下げました" in visible(guest.get(f"applications/{sent.id}").text)
    assert "都合が悪くなったため" in visible(case(staff, sent).text)
    second = guest.apply_for_event()
    step(staff, second, "take")
    step(staff, second, "decide", outcome="approved")
    assert guest.get(f"applications/{second.id}/withdraw").status_code == 409


def test_whoever_withdraws_too_late_reads_that_it_was_decided_and_whoever_still_can_presses_once_more(town: Town):
    """Both were told only that "another operation" was first, with a link to the list of procedures."""
    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event()
    old = version_in(guest.get(f"applications/{sent.id}/withdraw").text)
    step(staff, sent, "take")
    stale = guest.post(f"applications/{sent.id}/withdraw", {"version": old, "reason": "都合が悪い"})
    page = visible(stale.text)
    assert stale.status_code == 409 and "まだ取り下げていません" in page and "都合が悪い" in stale.text
    step(staff, sent, "decide", outcome="approved")
    late = guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(stale.text)})
    page = visible(late.text)
    assert late.status_code == 409 and "結果が先に決まったため、取り下げていません" in page
    assert f'applications/{sent.id}"' in late.text and "この申請を取り下げる" not in page
    other = guest.apply_for_event()
    page = guest.get(f"applications/{other.id}/withdraw").text
    guest.post(f"applications/{other.id}/withdraw", {"version": version_in(page)})
    assert "すでに取り下げてあります" in visible(guest.get(f"applications/{other.id}/withdraw").text)


def test_a_case_nobody_took_cannot_be_decided(town: Town):
    sent = town.guest().apply_for_event()
    staff = town.staff()
    answer = staff.post(f"desk/cases/{sent.id}/decide", {"version": "1", "outcome": "approved"})
    assert answer.status_code == 409 and "先に「自分が担当する」" in visible(answer.text)


def test_a_cancelled_correction_lets_the_case_go_on(town: Town):
    guest, staff, sent = returned(town)
    assert step(staff, sent, "correction/cancel", cancel_reason="").status_code == 422
    step(staff, sent, "correction/cancel", cancel_reason="電話で確かめられたため")
    assert guest.get(f"applications/{sent.id}/correction").status_code == 409
    assert "電話で確かめられたため" in visible(guest.get(f"applications/{sent.id}").text)
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


def test_mails_tell_number_and_place_and_nothing_of_the_matter(town: Town):
    from sqlalchemy import select

    from libs.common.notices import NoticeRow

    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event(email="yoko@example.jp")
    step(staff, sent, "take")
    step(staff, sent, "decide", outcome="refused", reason="CANARY-REASON")
    with town.service.database.reading(tenant=town.code) as session:
        mails = session.scalars(select(NoticeRow).order_by(NoticeRow.at)).all()
    assert [mail.template for mail in mails] == ["received", "decided"]
    for mail in mails:
        text = mail.subject + mail.body
        assert sent.number in text and "http://127.0.0.1:8080/t/402036/eapply/enquiry" in text and "久留米市" in text
        for canary in ("CANARY-REASON", "古文書", "髙橋", "落選", sent.key):
            assert canary not in text


def test_every_step_is_in_the_record_with_who_and_why(town: Town):
    from libs.common import audit

    guest, staff, sent = returned(town)
    mended(guest, sent, people="1", wish="い")
    step(staff, sent, "decide", outcome="refused", reason="定員のため。")
    audit.chain_pending(town.service.database)
    with town.service.database.reading(tenant=town.code) as session:
        entries = list(audit.entries(session))
        done = [(entry.action, entry.actor) for entry in entries if entry.subject == sent.id]
        assert audit.verify(session) is None
    actions = {action for action, _ in done}
    assert {"eapply.application.submit", "eapply.application.take", "eapply.correction.request", "eapply.correction.send",
            "eapply.application.decide", "eapply.application.read"} <= actions  # fmt: skip
    assert ("eapply.application.decide", "staff-1") in done


def test_the_queue_as_csv_carries_no_formula_and_tells_replaced_characters(town: Town):
    town.guest().apply_for_event(name="=HYPERLINK(1)")
    answer = town.staff().get("desk/queue.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf") and "'=HYPERLINK(1)" in answer.text
    assert "attachment" in answer.headers["content-disposition"]
    assert b"PK" not in answer.content[:2]


def test_shift_jis_comes_with_the_list_of_replaced_characters(town: Town):
    import io
    import zipfile

    town.guest().apply_for_event(name="𠮷田 花子")
    answer = town.staff().get("desk/queue.csv", params={"charset": "shift_jis"})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    csv_name, list_name = archive.namelist()
    assert "〓田 花子" in archive.read(csv_name).decode("cp932")
    assert "𠮷" in archive.read(list_name).decode("utf-8-sig")
    step(town.staff(), town.guest().apply_for_event(name="筑後 陽子"), "take")
    plain = town.staff().get("desk/queue.csv", params={"charset": "shift_jis", "tab": "mine"})
    assert "筑後 陽子" in plain.content.decode("cp932")
