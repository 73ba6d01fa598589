"""A procedure that a law allows takes the マイナンバー into the vault: nowhere else is it found, nobody sees it without a
reason, and it goes with the application."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from libs.common.errors import Unavailable
from libs.common.room import RoomRequest, drain
from services.eapply import vault
from services.eapply.db import VaultEntryRow, VaultKeyRow, VaultReadRow
from services.eapply.rooms import EapplyRoom
from services.eapply.tests.people import EVENT, REVIEWER, Browser, Town, version_in, visible
from services.eapply.tests.test_after_the_decision import delete_over, procedure_id
from services.eapply.tests.test_my_number_is_refused import NUMBER, everything
from services.eapply.tests.test_the_statutory_clock import MANAGER, offer_event

SPACED = "1234 5678 9018"
RULE = {"basis": "番号法 別表（見本の事務）", "purpose": "見本の事務で所得を確かめるため"}
REASON = "所得の照会のため"
DENIED = {"reason": REASON}


def flag(town: Town, **more: object) -> None:
    offer_event(town, handling={"my_number": RULE | more, "retention": {"decided_months": 1, "withdrawn_months": 1}})


def filled(town: Town, browser: Browser) -> str:
    draft = browser.start("event-moushikomi")
    browser.post(f"{draft}/entry", EVENT)
    return draft


def given(town: Town, browser: Browser) -> str:
    """The id of an application with a number in the vault."""
    draft = filled(town, browser)
    page = browser.post(f"{draft}/my-number", {"number": SPACED})
    assert "内容の確認" in visible(page.text) and "お預かりしています" in visible(page.text)
    key = browser.confirmed_key(draft)
    page = browser.post(f"{draft}/submit", {"key": key})
    return page.text.partition("applications/")[2][:36]


def careful(town: Town, subject: str = "staff-1", roles: frozenset[str] = REVIEWER) -> Browser:
    """Staff who signed in with two factors."""
    browser = town.staff(subject, "古賀 真理", roles)
    browser.actor = replace(browser.actor, acr="two-factor")
    return browser


def test_it_is_asked_on_its_own_page_with_basis_and_purpose_and_nothing_is_sent_without(town: Town):
    flag(town)
    guest = town.guest()
    draft = filled(town, guest)
    asked = guest.get(f"{draft}/confirm")
    for words in ("マイナンバーの入力", RULE["basis"], RULE["purpose"]):
        assert words in visible(asked.text)
    sent = guest.post(f"{draft}/submit", {"key": "2345-6789-ABCD"})
    assert "マイナンバーの入力" in visible(sent.text)
    assert town.events("eapply.application.submitted.v1") == []


@pytest.mark.parametrize("wrong", ["123456789012", "12345678901", "", "マイナンバー", "1" * 500, "７０１２"])
def test_what_is_no_number_is_refused_and_never_shown_again(town: Town, wrong: str):
    flag(town)
    guest = town.guest()
    draft = filled(town, guest)
    page = guest.post(f"{draft}/my-number", {"number": wrong})
    assert page.status_code == 422 and "12桁の数字です" in visible(page.text)
    assert not wrong or f'value="{wrong}"' not in page.text
    assert "お預かりしています" not in visible(page.text)


def test_a_procedure_without_the_flag_takes_none(town: Town):
    guest = town.guest()
    draft = filled(town, guest)
    assert guest.get(f"{draft}/my-number").status_code == 404
    assert guest.post(f"{draft}/my-number", {"number": NUMBER}).status_code == 409


def test_the_planted_number_is_in_no_table_event_log_file_export_or_page(town: Town, caplog, tmp_path: Path):
    caplog.set_level(logging.DEBUG)
    flag(town)
    guest, boss = town.guest(), careful(town, "boss", MANAGER)
    id_ = given(town, guest)
    shown = careful(town).post(f"desk/cases/{id_}/my-number", {"reason": REASON})
    assert SPACED in visible(shown.text) and shown.headers["cache-control"] == "no-store"
    pages = [
        guest.get(f"applications/{id_}").text, guest.get(f"applications/{id_}/answers").text,
        careful(town).get(f"desk/cases/{id_}").text, careful(town).get("desk/queue.csv").text,
        boss.get("desk/my-numbers").text, boss.get(f"desk/procedures/{procedure_id(town)}/export").text,
    ]  # fmt: skip
    archive = drain(EapplyRoom(town.service).export(RoomRequest("r", town.code, "export")))
    exported = _unpacked(town.service.extras["files"].read(town.code, archive["file"]))
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    logged = "\n".join(f"{each.getMessage()} {each.__dict__}" for each in caplog.records)
    for place, text in (
        ("pages", "".join(pages)),
        ("tables", everything(town)),
        ("archive", exported),
        ("log", logged),
    ):
        assert NUMBER not in text.replace(" ", ""), place
    assert NUMBER.encode() not in stored, "not in the file of the database either"
    for place, text in (("pages", "".join(pages)), ("tables", everything(town)), ("archive", exported)):
        assert EVENT["name"] in text, f"the search finds what is in the {place}"


def _unpacked(content: bytes) -> str:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())


def test_a_number_is_shown_for_a_reason_that_both_sides_find(town: Town):
    flag(town)
    guest, staff = town.guest(), careful(town)
    id_ = given(town, guest)
    assert "＊＊＊＊" in visible(staff.get(f"desk/cases/{id_}").text)
    for reason in ("", "確認", "   "):
        page = staff.post(f"desk/cases/{id_}/my-number", {"reason": reason})
        assert page.status_code == 422 and SPACED not in page.text, reason
    assert SPACED in visible(staff.post(f"desk/cases/{id_}/my-number", {"reason": REASON}).text)
    assert SPACED not in staff.get(f"desk/cases/{id_}/my-number").text, "once"
    seen = visible(guest.get(f"applications/{id_}").text)
    assert "職員がマイナンバーを確かめました" in seen and REASON not in seen
    with town.service.database.reading(tenant=town.code) as session:
        from libs.common import audit

        actions = [row.action for row in audit.entries(session)]
    assert actions.count("eapply.my_number.read") == 1


def test_one_factor_is_too_weak(town: Town):
    flag(town)
    id_ = given(town, town.guest())
    for answer in (
        town.staff().get(f"desk/cases/{id_}/my-number"),
        town.staff().post(f"desk/cases/{id_}/my-number", DENIED),
    ):
        assert answer.status_code == 401 and SPACED not in answer.text


def test_another_manager_takes_the_second_look(town: Town):
    flag(town)
    both = MANAGER | REVIEWER
    id_ = given(town, town.guest())
    reader, boss = careful(town, "reader", both), careful(town, "boss", both)
    reader.post(f"desk/cases/{id_}/my-number", DENIED)
    assert "自分が見た記録は、ほかの管理者が確かめます" in visible(reader.get("desk/my-numbers").text)
    with town.service.database.reading(tenant=town.code) as session:
        reading = session.scalars(select(VaultReadRow.id)).one()
    assert reader.post(f"desk/my-numbers/{reading}", {"act": "proper"}).status_code == 403
    assert boss.post(f"desk/my-numbers/{reading}", {"act": "improper"}).status_code == 422, "what is wrong must be said"
    page = visible(boss.post(f"desk/my-numbers/{reading}", {"act": "improper", "finding": "照会は済んでいた"}).text)
    assert "問題あり" in page and "照会は済んでいた" in page
    assert boss.post(f"desk/my-numbers/{reading}", {"act": "proper"}).status_code == 409
    assert careful(town).get("desk/my-numbers").status_code == 403


def test_another_municipality_opens_nothing(town: Town, neighbour: Town):
    flag(town)
    id_ = given(town, town.guest())
    assert careful(neighbour).post(f"desk/cases/{id_}/my-number", DENIED).status_code == 404
    opened = vault.of(town.service)
    with town.service.database.reading(tenant=town.code) as session:
        entry, key = session.scalars(select(VaultEntryRow)).one(), session.scalars(select(VaultKeyRow)).one()
    assert opened.open(key.wrapped, town.code, key.id, entry.id, entry.sealed) == NUMBER
    for tenant, entry_id in ((neighbour.code, entry.id), (town.code, "another")):
        with pytest.raises(Unavailable):
            opened.open(key.wrapped, tenant, key.id, entry_id, entry.sealed)


def test_without_the_vaults_key_nothing_opens_and_it_is_said(town: Town):
    flag(town)
    id_ = given(town, town.guest())
    key = vault.of(town.service).key.path
    for content in (b"x" * vault.KEY, b"x", None):
        key.write_bytes(content) if content else key.unlink()
        answer = careful(town).post(f"desk/cases/{id_}/my-number", DENIED)
        assert answer.status_code == 503 and "保管庫を開けません" in visible(answer.text)
    assert not key.exists(), "looking makes no key"


def test_it_goes_with_the_draft_and_with_the_retention(town: Town):
    flag(town)
    guest, staff = town.guest(), town.staff()
    draft = filled(town, guest)
    guest.post(f"{draft}/my-number", {"number": NUMBER})
    guest.post(f"{draft}/my-number", {"number": NUMBER})
    assert entries(town) == 1, "given twice is kept once"
    guest.post(f"{draft}/my-number", {"act": "forget"})
    assert entries(town) == 0
    guest.post(f"{draft}/my-number", {"number": NUMBER})
    guest.post(f"{draft}/discard")
    assert entries(town) == 0
    id_ = given(town, guest)
    for act, data in (("take", {}), ("decide", {"outcome": "approved"})):
        version = version_in(staff.get(f"desk/cases/{id_}").text)
        staff.post(f"desk/cases/{id_}/{act}", {"version": version, **data})
    town.service.clock.advance(days=120)
    done = delete_over(town)
    assert done.certificate is not None and done.certificate.applications[0]["my_number"] is True
    page = staff.get(f"desk/retention/{done.certificate.id}")
    assert page.status_code == 200 and "消しました" in visible(page.text)
    assert entries(town) == 0


def entries(town: Town) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return len(session.scalars(select(VaultEntryRow)).all())


def test_only_the_manager_flags_a_procedure_and_only_with_a_basis(town: Town):
    boss, id_ = town.staff("boss", "室見", MANAGER), procedure_id(town)
    page = boss.get(f"desk/procedures/{id_}/handling").text
    assert "マイナンバーを預かるか" in visible(page)
    rest = {
        "version": "1", "fee_when": "none", "notice_title": "{title}通知書", "notice_opening": "決めました。", "notice_sender": "市長",
        "post_after_days": "7", "decided_months": "60", "withdrawn_months": "12",
    }  # fmt: skip
    wanted = rest | {"my_number": "need", "my_number_purpose": RULE["purpose"]}
    assert boss.post(f"desk/procedures/{id_}/handling", wanted).status_code == 422
    assert town.staff().post(f"desk/procedures/{id_}/handling", wanted).status_code == 403
    done = boss.post(
        f"desk/procedures/{id_}/handling", wanted | {"my_number_basis": RULE["basis"]}, follow_redirects=False
    )
    assert done.status_code == 303
    assert "マイナンバーの入力" in visible(town.guest().get(f"{filled(town, town.guest())}/confirm").text)


def test_a_mistyped_number_is_said_to_be_one(town: Town):
    """Twelve digits were told that a number has twelve digits."""
    flag(town)
    guest = town.guest()
    draft = filled(town, guest)
    mistyped = guest.post(f"{draft}/my-number", {"number": "1234-5678-9012"})
    assert mistyped.status_code == 422 and "番号のどこかが違っています" in visible(mistyped.text)
    assert "9012" not in mistyped.text
    short = guest.post(f"{draft}/my-number", {"number": "1234"})
    assert "12桁の数字です" in visible(short.text)


def test_staff_who_type_one_elsewhere_stay_at_their_desk(town: Town):
    """They were led to the procedures of the citizens, and told of a procedure where they had only searched."""
    staff = town.staff()
    for answer in (staff.get(f"desk/?q={SPACED}"), staff.post("desk/searches", {"name": SPACED})):
        words = visible(answer.text)
        assert answer.status_code == 422 and "専用の画面のほかでは、お預かりできません" in words
        assert "受け付けた申請へ" in words and "職員の机" in words and "手続きの一覧へ" not in words


def test_where_it_is_not_needed_the_application_goes_without(town: Town):
    flag(town, need=False)
    guest = town.guest()
    assert guest.apply_for_event().number
    assert entries(town) == 0


def test_a_program_is_sent_to_the_page(town: Town):
    flag(town)
    body = {"procedure": "event-moushikomi", "answers": {key: EVENT[key] for key in EVENT}}
    answer = town.person().client.post(
        f"/t/{town.code}/eapply/api/applications", json=body,
        headers=town.issuers.headers(town.person().actor, "eapply") | {"Idempotency-Key": "key-of-this-test"},
    )  # fmt: skip
    assert answer.status_code == 422 and answer.json()["code"] == "my-number-needed"
