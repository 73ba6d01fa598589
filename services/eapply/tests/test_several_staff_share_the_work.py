"""Assignment, notes, 照会 and 合議, 起案 and 決裁: several people, one case."""

import pytest
from sqlalchemy import select

from services.eapply.db import ApplicationRow, ConsultationRow, ProcedureRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Sent, Town, version_in, visible
from services.eapply.tests.test_staff_decide import case, step, taken
from services.eapply.tests.test_the_statutory_clock import MANAGER, offer_event, told


def second_staff(town: Town) -> Browser:
    """江藤, who has been at the desk, so that cases can be given to them."""
    other = town.staff("staff-2", "江藤 明")
    other.get("desk/")
    return other


def test_a_case_is_given_to_a_colleague_who_is_told(town: Town):
    sent, staff, other = town.guest().apply_for_event(), town.staff(), second_staff(town)
    assert "江藤 明" in case(staff, sent).text
    page = step(staff, sent, "assign", to="staff-2")
    assert "担当 江藤 明" in visible(page.text) and "審査中" in visible(page.text)
    assert sent.id in other.get("desk/", params={"tab": "mine"}).text
    assert sent.id in other.get("desk/", params={"tab": "unread"}).text
    assert sent.number in told(town, "staff-2")[0].subject
    assert sent.id in staff.get("desk/", params={"assignee": "staff-2"}).text
    assert sent.id not in staff.get("desk/", params={"assignee": "-"}).text


def test_a_case_is_not_given_to_somebody_unknown(town: Town):
    sent, staff = town.guest().apply_for_event(), town.staff()
    answer = step(staff, sent, "assign", to="staff-9")
    assert answer.status_code == 422 and "担当にする人を選んで" in visible(answer.text)


def test_a_note_is_seen_by_staff_and_never_by_the_applicant(town: Town):
    guest, staff, sent = taken(town)
    assert step(staff, sent, "notes", note="  ").status_code == 422
    step(staff, sent, "notes", note="電話で本人に確かめた。")
    assert "電話で本人に確かめた。" in visible(case(second_staff(town), sent).text)
    for path in ("", "/answers", "/receipt"):
        assert "電話で本人に" not in guest.get(f"applications/{sent.id}{path}").text


def placed(town: Town, subject: str, section: str) -> None:
    """A manager says which section somebody belongs to."""
    boss = town.staff("boss", "室見 課長", MANAGER)
    placed = boss.post("desk/members", {"subject": subject, "section": section})
    assert placed.status_code == 200 and "課を保存しました" in placed.text


def asked(town: Town, kind: str) -> tuple[Browser, Browser, Sent, str]:
    """(asking staff, staff of the section that is asked, the case, the consultation)."""
    _, staff, sent = taken(town)
    other = second_staff(town)
    other.post("desk/me", {"section": "税務課"})
    if kind == "concurrence":
        placed(town, "staff-2", "税務課")
    step(staff, sent, "consultations", kind=kind, section="税務課", question="所得の状況を教えてください。")
    with town.service.database.reading(tenant=town.code) as session:
        consultation = session.scalars(select(ConsultationRow.id)).one()
    return staff, other, sent, consultation


def test_another_section_is_asked_answers_and_the_asker_is_told(town: Town):
    staff, other, sent, consultation = asked(town, "inquiry")
    assert sent.id in other.get("desk/", params={"tab": "asked"}).text
    assert sent.id not in staff.get("desk/", params={"tab": "asked"}).text
    assert "税務課への照会が届いています" in told(town, "staff-2")[0].subject
    assert step(other, sent, f"consultations/{consultation}/answer", opinion="answered").status_code == 422
    page = step(other, sent, f"consultations/{consultation}/answer", opinion="answered", answer="非課税です。")
    assert "非課税です。" in visible(page.text)
    assert "税務課から回答が届きました" in told(town, "staff-1")[0].subject
    again = step(other, sent, f"consultations/{consultation}/answer", opinion="answered", answer="い")
    assert again.status_code == 409
    assert sent.id not in other.get("desk/", params={"tab": "asked"}).text


def test_a_question_that_nobody_can_answer_says_so_to_the_asker(town: Town):
    """A slip of the pen in the section's name would hold the decision up for ever, and nobody would have heard of it."""
    _, staff, sent = taken(town)
    step(staff, sent, "consultations", kind="concurrence", section="税務 課", question="同意できますか。")
    assert "だれもこの合議に回答できません" in visible(case(staff, sent).text)
    step(staff, sent, "consultations", kind="inquiry", section="水道課", question="使用の状況は。")
    assert "だれにも知らせていません" in visible(case(staff, sent).text)
    other = second_staff(town)
    other.post("desk/me", {"section": "水道課"})
    assert "だれにも知らせていません" not in visible(case(staff, sent).text), "somebody is there now"
    other.post("desk/me", {"section": "税務 課"})
    assert "だれもこの合議に回答できません" in visible(case(staff, sent).text), "naming it oneself is not enough"
    placed(town, "staff-2", "税務 課")
    assert "だれもこの合議に回答できません" not in visible(case(staff, sent).text)


def test_an_inquiry_informs_and_holds_nothing_up(town: Town):
    staff, _, sent, _ = asked(town, "inquiry")
    assert step(staff, sent, "decide", outcome="approved").status_code == 200
    assert len(town.events("eapply.application.decided.v1")) == 1


def test_no_decision_before_the_other_section_agrees(town: Town):
    staff, other, sent, consultation = asked(town, "concurrence")
    held = step(staff, sent, "decide", outcome="approved")
    assert held.status_code == 409 and "税務課の合議が済んでいません" in visible(held.text)
    step(other, sent, f"consultations/{consultation}/answer", opinion="object", answer="滞納があります。")
    assert step(staff, sent, "decide", outcome="approved").status_code == 409, "it did not agree"
    step(staff, sent, f"consultations/{consultation}/cancel")
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


def test_agreement_lets_the_decision_go_on(town: Town):
    staff, other, sent, consultation = asked(town, "concurrence")
    step(other, sent, f"consultations/{consultation}/answer", opinion="agree")
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


@pytest.mark.parametrize("who", ["the asker", "of another section"])
def test_nobody_agrees_to_a_concurrence_in_the_place_of_the_section_that_was_asked(town: Town, who: str):
    staff, _, sent, consultation = asked(town, "concurrence")
    if who == "the asker":
        placed(town, "staff-1", "税務課")
    answer = step(staff, sent, f"consultations/{consultation}/answer", opinion="agree")
    assert answer.status_code == 403 and "税務課の、聞いた人とは別の職員だけ" in visible(answer.text)
    assert step(staff, sent, "decide", outcome="approved").status_code == 409


def test_whoever_only_says_to_be_of_the_section_does_not_agree_for_it(town: Town):
    staff, _, sent, consultation = asked(town, "concurrence")
    friend = town.staff("staff-3", "友人 一")
    friend.post("desk/me", {"section": "税務課"})
    assert "この内容で回答する" not in case(friend, sent).text
    assert "「職員と課」であなたの課を決めて" in visible(case(friend, sent).text)
    answer = step(friend, sent, f"consultations/{consultation}/answer", opinion="agree")
    assert answer.status_code == 403 and "管理者が課を決めた職員だけ" in visible(answer.text)
    assert step(staff, sent, "decide", outcome="approved").status_code == 409
    placed(town, "staff-3", "税務課")
    assert "この内容で回答する" in case(friend, sent).text
    assert step(friend, sent, f"consultations/{consultation}/answer", opinion="agree").status_code == 200


def test_only_a_manager_says_who_belongs_to_a_section_and_then_nobody_names_another(town: Town):
    staff, boss = town.staff(), town.staff("boss", "室見 課長", MANAGER)
    staff.get("desk/")
    assert staff.get("desk/members").status_code == 403
    assert staff.post("desk/members", {"subject": "staff-1", "section": "税務課"}).status_code == 403
    assert boss.post("desk/members", {"subject": "staff-9", "section": "税務課"}).status_code == 404
    placed(town, "staff-1", "生涯学習課")
    assert "管理者が決めた課：生涯学習課" in visible(boss.get("desk/members").text)
    assert "生涯学習課（管理者が決めています）" in visible(staff.get("desk/", params={"tab": "asked"}).text)
    assert staff.post("desk/me", {"section": "税務課"}).status_code == 403
    placed(town, "staff-1", "")
    assert staff.post("desk/me", {"section": "税務課"}).status_code == 200


def test_a_question_is_answered_only_at_the_case_it_was_asked_of(town: Town):
    _, other, _, consultation = asked(town, "concurrence")
    elsewhere = town.guest("elsewhere").apply_for_event()
    for path in ("answer", "cancel"):
        answer = step(other, elsewhere, f"consultations/{consultation}/{path}", opinion="agree")
        assert answer.status_code == 404, path


def test_the_applicant_reads_nothing_of_how_the_office_works_within(town: Town):
    guest, staff, sent = taken(town)
    step(staff, sent, "consultations", kind="inquiry", section="税務課", question="CANARY-QUESTION")
    page = guest.get(f"applications/{sent.id}").text
    assert "CANARY-QUESTION" not in page and "照会しました" not in visible(page)


# ---- 決裁


def proposed(town: Town, **decision: str) -> tuple[Browser, Browser, Sent]:
    """(guest, the one who proposed, the case) of a procedure whose decisions a second person approves."""
    offer_event(town, handling={"second_person": True})
    guest, staff, sent = taken(town)
    page = step(staff, sent, "propose", **({"outcome": "approved"} | decision))
    assert page.status_code == 200 and "決裁待ち" in visible(page.text)
    return guest, staff, sent


def test_one_proposes_another_approves_and_then_the_applicant_reads_it(town: Town):
    boss = town.staff("boss", "室見 課長", MANAGER)
    boss.get("desk/")
    guest, _, sent = proposed(town, remark="9時にお越しください。")
    assert "参加決定" not in guest.get(f"applications/{sent.id}").text
    assert town.events("eapply.application.decided.v1") == []
    assert sent.number in told(town, "boss")[0].subject
    assert sent.id in boss.get("desk/", params={"tab": "approval"}).text
    assert step(boss, sent, "approve").status_code == 200
    page = visible(guest.get(f"applications/{sent.id}").text)
    assert "参加決定" in page and "9時にお越しください。" in page and "決裁" not in page
    assert "起案が決裁されました" in told(town, "staff-1")[0].subject


@pytest.mark.parametrize("roles", [frozenset({"eapply.reviewer"}), MANAGER])
def test_nobody_approves_what_they_proposed_or_without_the_right(town: Town, roles: frozenset[str]):
    _, _, sent = proposed(town)
    who = "staff-1" if "eapply.manager" in roles else "staff-3"
    answer = step(town.staff(who, "だれか", roles), sent, "approve")
    assert answer.status_code == 403 and "起案した人とは別の" in visible(answer.text)
    assert town.events("eapply.application.decided.v1") == []


def test_such_a_procedure_cannot_be_decided_alone(town: Town):
    offer_event(town, handling={"second_person": True})
    _, staff, sent = taken(town)
    assert step(staff, sent, "decide", outcome="approved").status_code == 409
    assert step(staff, sent, "propose", outcome="refused").status_code == 422, "a reason is needed here, too"


def test_a_proposal_is_sent_back_with_its_reason_and_proposed_again(town: Town):
    guest, staff, sent = proposed(town, outcome="refused", reason="定員のため。")
    boss = town.staff("boss", "室見 課長", MANAGER)
    assert step(boss, sent, "send-back", comment="").status_code == 422
    step(boss, sent, "send-back", comment="定員の根拠を書いてください。")
    page = visible(case(staff, sent).text)
    assert "定員の根拠を書いてください。" in page and "定員のため。" in page, (
        "what was proposed stands in the form again"
    )
    step(staff, sent, "propose", outcome="refused", reason="定員20人に達したため。")
    step(boss, sent, "approve")
    notice = visible(guest.get(f"applications/{sent.id}").text)
    assert "定員20人に達したため。" in notice and "定員の根拠" not in notice


def test_a_proposal_is_recalled_before_it_is_judged(town: Town):
    _, staff, sent = proposed(town)
    boss = town.staff("boss", "室見 課長", MANAGER)
    seen = version_in(case(boss, sent).text)
    step(staff, sent, "recall")
    assert step(boss, sent, "approve", version=seen).status_code == 409


def test_withdrawal_while_the_decision_waits_ends_the_proposal(town: Town):
    guest, _, sent = proposed(town)
    boss = town.staff("boss", "室見 課長", MANAGER)
    seen = version_in(case(boss, sent).text)
    guest.post(f"applications/{sent.id}/withdraw", {"version": seen})
    assert step(boss, sent, "approve", version=seen).status_code == 409
    assert town.events("eapply.application.decided.v1") == []
    assert len(town.events("eapply.application.withdrawn.v1")) == 1


@pytest.mark.parametrize("between", ["concurrence", "fee"])
def test_what_comes_between_proposal_and_approval_holds_the_decision_up(town: Town, between: str):
    """The approver was shown a case that was ready; it is not any more."""
    boss = town.staff("boss", "室見 課長", MANAGER)
    if between == "concurrence":
        _, staff, sent = proposed(town)
        step(staff, sent, "consultations", kind="concurrence", section="税務課", question="滞納はありませんか。")
        words = "合議が済んでいません"
    else:
        from services.eapply.tests.test_fees import call, owing, told

        _, staff, sent = owing(town, amount=300)
        call(town, told(town))
        offer_event(town, handling={"second_person": True})
        with town.service.database.transaction(tenant=town.code) as session:
            row = session.scalars(select(ApplicationRow)).one()
            row.procedure_version = session.scalars(
                select(ProcedureRow.version).where(ProcedureRow.id == row.procedure_id)
            ).one()
        step(staff, sent, "propose", outcome="approved")
        call(town, told(town, kind="refunded"))
        words = "手数料がまだ納められていません"
    answer = step(boss, sent, "approve")
    assert answer.status_code == 409 and words in visible(answer.text)
    assert town.events("eapply.application.decided.v1") == []


# ---- nobody is judge in their own matter


def own_case(town: Town, **handling: object) -> tuple[Browser, Browser, Sent]:
    """(the member of staff who applied for themselves, another one, the case)."""
    if handling:
        offer_event(town, handling=handling)
    own = town.staff("boss", "室見 課長", MANAGER)
    other = town.staff()
    sent = own.apply_for_event()
    step(other, sent, "take")
    return own, other, sent


def test_staff_do_not_decide_what_they_applied_for_themselves(town: Town):
    own, other, sent = own_case(town)
    answer = step(own, sent, "decide", outcome="approved")
    assert answer.status_code == 403 and "ほかの職員が決めます" in visible(answer.text)
    pick = f"{sent.id}:{version_in(case(own, sent).text)}"
    assert "1件のうち0件" in visible(own.post("desk/bulk", {"act": "grant", "pick": pick}).text)
    assert step(other, sent, "decide", outcome="approved").status_code == 200


def test_staff_neither_propose_nor_approve_their_own_application(town: Town):
    own, other, sent = own_case(town, second_person=True)
    assert step(own, sent, "propose", outcome="approved").status_code == 403
    assert step(other, sent, "propose", outcome="approved").status_code == 200
    assert step(own, sent, "approve").status_code == 403
    boss = town.staff("boss-2", "上 課長", MANAGER)
    assert step(boss, sent, "approve").status_code == 200


def test_staff_do_not_let_themselves_off_a_fee(town: Town):
    own, other, sent = own_case(town, fee={"when": "before", "amount": 300})
    wanted = {"reduction": "300", "reduction_reason": "自分"}
    assert step(own, sent, "fee/reduce", **wanted).status_code == 403
    assert step(own, sent, "fee/window").status_code == 403
    assert step(other, sent, "fee/reduce", **wanted).status_code == 200
