"""法人番号: whose it is, is found out before anybody applies or bids with it; sole proprietors have a number of ours."""

import csv
import io
import re
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from libs.common.ids import new_id
from libs.common.notices import NoticeRow
from services.ebid import commands
from services.ebid.db import CompanyCheckRow, CompanyPersonRow, CompanyRow, CorporateNumberRow
from services.ebid.domain import corporate
from services.ebid.tests.people import Company, Town, visible
from services.ebid.tests.people import corporate_number as number_of
from services.ebid.use_cases import corporate_numbers, verifying

ADDRESS = ("福岡県", "久留米市", "城南町１５番地３")


def newcomer(town: Town, serial: int, number: str, subject: str = "", **changed) -> Company:
    """Somebody who registers and at whose registration nobody has looked."""
    actor = town.company_actor(serial)
    made = Company.of(town, replace(actor, subject=subject or actor.subject, **changed.pop("actor", {})), number)
    answer = made.post("/ebid/company", made.form(**changed))
    assert answer.status_code == 200, visible(answer.text)
    return made


def looked(town: Town, company: Company, act: str, **given: str):
    return town.officer.post(f"{town.registration(company.number)}/{act}", given)


def checks_of(town: Town, number: str) -> list[CompanyCheckRow]:
    with town.service.database.reading() as session:
        found = select(CompanyCheckRow).where(CompanyCheckRow.number == number)
        return list(session.scalars(found.order_by(CompanyCheckRow.at, CompanyCheckRow.id)))


def mails(town: Town, person: str) -> str:
    with town.service.database.reading() as session:
        return " ".join(session.scalars(select(NoticeRow.subject).where(NoticeRow.person == person)))


# ---- found out by the sign-in


def test_a_sign_in_that_vouches_for_the_number_verifies_at_once(town: Town):
    tender, number = town.publish(), number_of(1)
    company = newcomer(town, 1, number, actor={"corporate_number": number})
    assert "確認済み" in company.get("/ebid/company").text
    assert company.bid(tender, 9_000_000).status_code == 200
    [check] = checks_of(town, number)
    assert (check.outcome, check.how, check.by) == ("confirmed", "identity", None)


def test_a_sign_in_for_another_company_verifies_nothing(town: Town):
    company = newcomer(town, 1, number_of(1), actor={"corporate_number": number_of(2)})
    assert "確認を待っています" in company.get("/ebid/company").text


def test_a_second_sign_in_of_the_same_company_is_led_to_its_colleague(town: Town):
    number = number_of(1)
    newcomer(town, 1, number, actor={"corporate_number": number})
    second = Company.of(town, replace(town.company_actor(2), corporate_number=number), number)
    answer = second.post("/ebid/company", second.form())
    assert answer.status_code == 409 and "委任を頼んで" in answer.text


# ---- found out by an official


def test_an_official_looks_and_it_is_written_down_who_how_and_when(town: Town, neighbour: Town):
    tender = neighbour.publish()
    company = newcomer(town, 1, number_of(1))
    page = visible(town.officer.get("desk/companies").text)
    assert company.name in page and "未確認" in page
    there = Company.of(neighbour, replace(company.actor, tenant=neighbour.code, code=neighbour.code), company.number)
    assert there.get(f"tenders/{tender}/bid").status_code == 403
    empty = looked(town, company, "confirm")
    assert empty.status_code == 422 and "何で確かめたか" in empty.text and "見たもの" in empty.text
    assert looked(town, company, "confirm", how="site", note="商号と所在地が一致。電話した。").status_code == 200
    [check] = checks_of(town, company.number)
    assert (check.how, check.by, check.by_tenant, check.at) == (
        "site", town.officer.actor.subject, town.code, town.service.clock.now(),
    )  # fmt: skip
    assert "確認が済みました" in mails(town, company.actor.subject)
    assert there.bid(tender, 9_000_000).status_code == 200, "once for all municipalities"


def test_what_cannot_be_confirmed_is_said_to_who_registered(town: Town):
    company = newcomer(town, 1, number_of(1))
    assert looked(town, company, "refuse", refusal="").status_code == 422
    assert looked(town, company, "refuse", refusal="代表番号で確かめられませんでした").status_code == 200
    page = company.get("/ebid/company").text
    assert "代表番号で確かめられませんでした" in page and "確認できませんでした" in page
    assert "確認ができませんでした" in mails(town, company.actor.subject)


def test_a_stranger_who_was_first_does_not_keep_the_owner_out(town: Town):
    number = number_of(1)
    newcomer(town, 9, number, subject="stranger", name="なりすまし組")
    owner = newcomer(town, 1, number)
    first, second = town.officer.get("desk/companies").text.split('href="companies/')[1:3]
    page = town.officer.get(f"desk/companies/{second.split(chr(34))[0]}")
    assert "ほかの登録があります" in page.text and "なりすまし組" in page.text and first
    address = f"desk/companies/{second.split(chr(34))[0]}"
    given = {"how": "registry", "note": "証明書を見た"}
    assert town.officer.post(f"{address}/confirm", given).status_code == 200
    assert owner.bid(town.publish(), 9_000_000).status_code == 200


def test_a_confirmation_that_was_wrong_is_withdrawn_and_the_number_is_free(town: Town):
    stranger = town.company(1, name="なりすまし組")
    owner = newcomer(town, 2, stranger.number, subject="owner", name="本物建設")
    address = town.registration("本物建設")
    held = town.officer.post(f"{address}/confirm", {"how": "registry", "note": "証明書"})
    assert held.status_code == 409 and "先に、その確認を取り消して" in held.text
    wrong = town.registration("なりすまし組")
    assert town.officer.post(f"{wrong}/withdraw", {"withdrawal": "証明書が偽造でした"}).status_code == 200
    assert town.officer.post(f"{address}/confirm", {"how": "registry", "note": "証明書"}).status_code == 200
    tender = town.publish()
    assert owner.bid(tender, 9_000_000).status_code == 200
    assert stranger.get(f"tenders/{tender}/bid").status_code == 403
    outcomes = [(each.outcome, each.note) for each in checks_of(town, stranger.number)]
    assert ("withdrawn", "証明書が偽造でした") in outcomes and len(outcomes) == 3


def test_a_surer_identity_takes_the_number_over_from_one_that_nobody_looked_at(town: Town):
    number = number_of(1)
    earlier = town.company(1, name="以前の登録")
    with town.service.database.transaction() as session:  # as the migration leaves registrations from before
        session.scalars(select(CompanyRow).where(CompanyRow.corporate_number == number)).one().verified_how = "earlier"
    assert "以前の登録（未確認）" in town.officer.get("desk/companies").text
    tender = town.publish()
    assert earlier.get(f"tenders/{tender}/bid").status_code == 200, "tenders under way go on"
    owner = newcomer(town, 2, number, subject="owner", actor={"corporate_number": number})
    assert owner.bid(tender, 9_000_000).status_code == 200
    assert earlier.get(f"tenders/{tender}/bid").status_code == 403
    assert "取り消されました" in mails(town, earlier.actor.subject)


def test_a_verified_company_that_changes_its_name_is_looked_at_again(town: Town):
    company, tender = town.company(1), town.publish()
    company.post("/ebid/company", company.form(address="福岡県久留米市東町1"))
    assert company.get(f"tenders/{tender}/bid").status_code == 200, "another address is no other company"
    company.post("/ebid/company", company.form(name="株式会社ライバル建設"))
    assert company.get(f"tenders/{tender}/bid").status_code == 403
    assert looked(town, company, "confirm", how="registry", note="商号変更").status_code == 200
    assert company.get(f"tenders/{tender}/bid").status_code == 200


def test_who_is_not_verified_cannot_apply_be_invited_or_join_but_may_ask(town: Town):
    company, member = newcomer(town, 1, number_of(1)), town.company(2)
    opened = town.publish(method="open", apply_until=town.form()["questions_until"])
    applied = company.post(f"tenders/{opened}/send", {"act": "apply", "statement": "許可あり"})
    assert applied.status_code == 403 and "登録の確認が済んでいない" in applied.text
    asked = company.post(f"tenders/{opened}/send", {"act": "ask", "question": "工期は延びますか。"})
    assert asked.status_code == 200
    invited = town.publish(method="selective")
    answer = town.officer.post(f"desk/tenders/{invited}/invitations", {"corporate_number": company.number})
    assert answer.status_code == 404 and "確認が済んでいません" in answer.text
    assert member.get("/ebid/company").status_code == 200


# ---- sole proprietors


def test_joint_ventures_push_no_company_off_the_officials_list(town: Town):
    """They stand in the same register, and are looked at with their members."""
    now = town.service.clock.now()
    with town.service.database.transaction(tenant=town.code) as session:
        for number in range(4):
            row = CompanyRow(id=new_id(), name=f"堤防{number}", representative="堤", address="大木町", categories=["works"],
                             valid_until=date(2027, 3, 31), registered_at=now, updated_at=now)  # fmt: skip
            if number < 3:
                row.members = [{"id": "x"}]
            session.add(row)
            session.add(CompanyPersonRow(person=f"p{number}", company_id=row.id, since=now))
    with town.service.database.reading(tenant=town.code) as session:
        assert [each.name for each in verifying.search(session, "堤防", limit=1)] == ["堤防3"]
        assert [each.name for each in verifying.waiting(session, limit=1)] == ["堤防3"]


def test_a_sole_proprietor_registers_is_confirmed_invited_and_suspended_by_a_number_of_ours(town: Town):
    actor = town.company_actor(31)
    sole = Company.of(town, actor, "")
    given = sole.form(kind="sole", name="城島左官", representative="城島 花子", corporate_number="")
    page = visible(sole.post("/ebid/company", given).text)
    sole.number = re.search("K[0-9]{9}", page)[0]
    assert sole.number.startswith("K") and "開業届" in page
    address = town.registration(sole.number)
    wrong = town.officer.post(f"{address}/confirm", {"how": "site", "note": "公表サイト"})
    assert wrong.status_code == 422, "a sole proprietor does not stand there"
    assert town.officer.post(f"{address}/confirm", {"how": "papers", "note": "開業届の控え"}).status_code == 200
    tender = town.publish(method="selective")
    invited = town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": sole.number})
    assert invited.status_code == 200 and "城島左官" in invited.text and sole.number in invited.text
    assert sole.bid(tender, 9_000_000).status_code == 200
    suspension = {
        "corporate_number": sole.number.lower(),
        "first": "2026-11-01",
        "last": "2026-12-31",
        "reason": "虚偽",
    }
    assert "城島左官" in town.officer.post("desk/suspensions", suspension).text
    mistyped = sole.number[:-1] + str((int(sole.number[-1]) + 1) % 10)
    assert "打ちまちがい" in town.officer.post("desk/suspensions", suspension | {"corporate_number": mistyped}).text


def test_a_suspended_sole_proprietor_who_comes_again_is_seen(town: Town):
    for serial in (31, 32):
        again = Company.of(town, town.company_actor(serial), "")
        again.post(
            "/ebid/company",
            again.form(kind="sole", name=f"屋号{serial}", representative="城島 花子", corporate_number=""),
        )
    page = town.officer.get(town.registration("屋号32")).text
    assert "ほかの登録があります" in page and "屋号31" in page


def test_a_company_is_not_taken_for_a_sole_proprietor(town: Town):
    company = Company.of(town, town.company_actor(1), "")
    answer = company.post("/ebid/company", company.form(kind="company", corporate_number=" "))
    assert answer.status_code == 422 and "個人事業主の方は" in answer.text


# ---- the National Tax Agency's file


def line(number: str, name: str, place=ADDRESS, *, process="01", day="2026-10-01", closed="", latest="1") -> list[str]:
    """As published: 30 columns, no header."""
    return [
        "1", number, process, "0", day, day, name, "", "301", *place, "", "40", "203", "8300022", "", "", closed, "", "", "",
        "2015-10-05", latest, "", "", "", "", "", "0",
    ]  # fmt: skip


def file_of(folder: Path, *lines: list[str], name: str = "40_fukuoka_all.zip", encoding: str = "utf-8") -> Path:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(lines)
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("40_fukuoka_all.csv", text.getvalue().encode(encoding))
        archive.writestr("40_fukuoka_all.csv.asc", b"signature")
    return folder / name


def test_the_published_file_helps_the_official_and_verifies_nobody(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    agrees = newcomer(town, 1, number_of(1), name="（株）筑後1組", address="久留米市城南町15-3 筑後ビル2階")
    newcomer(town, 2, number_of(2), name="なりすまし組", address="福岡県久留米市城南町15-3")
    path = file_of(tmp_path, *(line(number_of(each), f"株式会社筑後{each}組") for each in (1, 2, 3)), encoding="cp932")
    assert commands.take_in_corporate_numbers(town.service, [path]) == 0
    assert "3件を取り込み" in capsys.readouterr().out
    assert "確認を待っています" in agrees.get("/ebid/company").text, "anybody can type what anybody can read"
    page = town.officer.get(town.registration(number_of(1))).text
    assert "登録の名称と所在地は、公表されている内容と一致しています。" in page
    page = town.officer.get(town.registration(number_of(2))).text
    assert "株式会社筑後2組" in page and "登録の名称か所在地が、公表されている内容と違います。" in page


def test_refused_lines_are_named_and_the_others_count(town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bad = number_of(3)[:-1] + str((int(number_of(3)[-1]) + 1) % 10)
    path = file_of(
        tmp_path, line(number_of(1), "株式会社一"), line(bad, "株式会社二"), line(number_of(2), "株式会社三")[:20],
        line(number_of(4), "株式会社四", day="令和8年"), line(number_of(5), "株式会社五"),
    )  # fmt: skip
    assert commands.take_in_corporate_numbers(town.service, [path, tmp_path / "missing.zip"]) == 1
    said = capsys.readouterr().out
    for expected in (
        "2行目",
        "3行目：項目が30個ではなく20個",
        "4行目：「令和8年」",
        "2件を取り込み",
        "missing.zip：読めません",
    ):
        assert expected in said


def test_a_difference_changes_closes_and_takes_back(town: Town, tmp_path: Path):
    full = file_of(tmp_path, *(line(number_of(each), f"会社{each}") for each in range(1, 5)))
    corporate_numbers.take_in(town.service, full, print)
    changes = file_of(
        tmp_path, line(number_of(1), "会社1", day="2026-11-01", latest="0"), line(number_of(1), "新しい会社", day="2026-11-02"),
        line(number_of(2), "会社2", process="21", day="2026-11-02", closed="2026-10-31"),
        line(number_of(3), "会社3", process="99", day="2026-11-02"), line(number_of(4), "古い名", day="2026-09-01"),
        name="diff_20261102.zip",
    )  # fmt: skip
    taken = corporate_numbers.take_in(town.service, changes, print)
    assert (taken.kept, taken.gone, taken.older, taken.refused) == (2, 1, 1, 0)
    with town.service.database.reading() as session:
        found = {row.number: row for row in session.scalars(select(CorporateNumberRow))}
    assert found[number_of(1)].name == "新しい会社" and found[number_of(4)].name == "会社4"
    assert found[number_of(2)].closed_on is not None and number_of(3) not in found
    closed = newcomer(town, 2, number_of(2), name="会社2", address="福岡県久留米市城南町15-3")
    assert "確認を待っています" in closed.get("/ebid/company").text, "a company that was closed does not bid"
    corporate_numbers.take_in(town.service, full, print)
    with town.service.database.reading() as session:
        assert session.get(CorporateNumberRow, number_of(1)).name == "新しい会社", "an older file changes nothing"


@pytest.mark.parametrize(
    ("name", "address", "agrees"),
    [
        ("株式会社　筑後組", "福岡県久留米市城南町15-3", True),
        ("㈱筑後組", "久留米市城南町１５番３号", True),
        ("株式会社筑後組", "福岡県久留米市城南町15番地3 市役所ビル", True),
        ("株式会社筑後組", "福岡県久留米市城南町15-31", False),
        ("株式会社筑後組", "福岡県久留米市城南町15-3-2", False),
        ("株式会社筑後組", "福岡県久留米市城南町1", False),
        ("株式会社筑後建設", "福岡県久留米市城南町15-3", False),
    ],
)
def test_names_and_addresses_agree_however_they_are_written(name: str, address: str, agrees: bool):
    entry = corporate.read(line(number_of(1), "株式会社筑後組"))
    assert entry is not None and corporate.agrees(entry, name, address) is agrees


def test_the_form_offers_the_number_that_the_sign_in_vouches_for(town: Town):
    company = Company.of(town, replace(town.company_actor(1), corporate_number=number_of(1)), "")
    assert f'value="{number_of(1)}"' in company.get("/ebid/company").text
