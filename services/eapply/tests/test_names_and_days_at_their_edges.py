"""Names of one and of two hundred characters, and days of which not everything is known: from the form to the desk, the notice,
the sheets and the export."""

import io

import pytest
from pypdf import PdfReader

from services.eapply.db import ProcedureRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import EVENT, Town, visible
from services.eapply.tests.test_staff_decide import case, step
from services.eapply.tests.test_the_statutory_clock import MANAGER, work
from services.eapply.use_cases import procedures
from services.eapply.use_cases.templates import common

LONG = "髙橋" * 99 + "𠮷辻󠄀"
"""Two hundred characters as a reader counts them; 𠮷 is one code point beyond the first 65,536, 辻󠄀 is two code points."""


def offer(town: Town, key: str) -> str:
    """Publish a common procedure; its id."""
    (definition,) = (each for each in common() if each.key == key)
    with town.service.database.transaction(tenant=town.code) as session:
        row: ProcedureRow = procedures.publish(session, definition, town.service.clock.now())
        return row.id


@pytest.mark.parametrize(("name", "kana"), [("李", "リ"), (LONG, "タカハシ" * 50)], ids=["one", "two hundred"])
def test_a_name_goes_the_whole_way_as_it_was_typed(town: Town, name: str, kana: str):
    guest, staff = town.guest(), town.staff(roles=MANAGER)
    sent = guest.apply_for_event(name=name, kana=kana)
    assert step(staff, sent, "take").status_code == 200
    assert name in case(staff, sent).text and name in staff.get(f"desk/?q={name[:40]}").text
    assert name in staff.get("desk/sheet.csv").content.decode("utf-8-sig")
    assert name in staff.get(f"desk/procedures/{offer(town, 'event-moushikomi')}/export").content.decode("utf-8-sig")
    assert step(staff, sent, "decide", outcome="approved").status_code == 200
    work(town)
    for paper in ("notice.pdf", "receipt.pdf"):
        answer = guest.get(f"applications/{sent.id}/{paper}")
        assert answer.status_code == 200, visible(answer.text)
        printed = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
        assert printed.replace("\n", "").count(name[0]) >= name.count(name[0]), paper


def test_one_character_more_is_refused_and_kept(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    for name in (LONG + "あ", "か" + "\u3099" * 1500):  # the second: one character under a heap of marks
        page = guest.post(f"{draft}/entry", EVENT | {"name": name})
        assert page.status_code == 422 and "200文字まで" in visible(page.text) and name in page.text


@pytest.mark.parametrize("name", ["\u200b", "\u3164\u3164", "\u2800", "\u00ad", "\u3000\ufe0f"])
def test_a_name_that_nobody_can_see_is_asked_for_again(town: Town, name: str):
    guest = town.guest()
    page = guest.post(f"{guest.start('event-moushikomi')}/entry", EVENT | {"name": name})
    assert page.status_code == 422 and "氏名を入力してください" in visible(page.text)


@pytest.mark.parametrize(
    ("typed", "shown", "exported"),
    [
        ({}, "不詳", "不詳"),
        ({"birth_era": "showa", "birth_year": "10"}, "昭和10年（月日は不詳）", "1935"),
        ({"birth_era": "showa", "birth_year": "10", "birth_month": "3"}, "昭和10年3月（日は不詳）", "1935-03"),
    ],
)
def test_a_birthday_that_is_not_known_goes_from_the_form_to_the_export(
    town: Town, typed: dict[str, str], shown: str, exported: str
):
    guest, staff = town.guest(), town.staff(roles=MANAGER)
    procedure = offer(town, "youkaigo-nintei")
    draft = guest.start("youkaigo-nintei")
    steps = {
        "person": {
            "name": "国分 イネ", "kana": "こくぶ いね", **typed, "birth_unknown": "yes", "insured": "0000000001",
            "address.postal": "830-0022", "address.city": "福岡県久留米市", "address.street": "城南町15番地3",
            "phone": "0942-30-9000", "age_group": "first",
        },
        "request": {"kind": "new", "clinic": "城南医院", "doctor": "荒木 一", "place": "home", "attend": "no"},
        "filer": {"by_other": "no", "agree": "yes"},
    }  # fmt: skip
    for name, answers in steps.items():
        answer = guest.post(f"{draft}/{name}", answers, follow_redirects=False)
        assert answer.status_code == 303, visible(answer.text)
    assert shown in visible(guest.get(f"{draft}/confirm").text)
    page = guest.post(f"{draft}/submit", {"key": guest.confirmed_key(draft)})
    assert page.status_code == 200
    listed = staff.get("desk/").text
    application = listed.split("desk/cases/")[1].split('"')[0]
    seen = visible(case(staff, application).text)
    assert f"生年月日 {shown} 年齢 （なし）" in seen, seen
    line = staff.get(f"desk/procedures/{procedure}/export").content.decode("utf-8-sig").split("\r\n")[1]
    assert f",{exported}," in line and "unknown" not in line
