"""No field of a general kind takes a 個人番号, whoever types it and wherever: it says why, and nothing of it is kept."""

import pytest
from sqlalchemy import text

from libs.common.errors import Invalid
from services.eapply.forms import document, sheet
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Town, visible
from services.eapply.tests.pictures import photograph
from services.eapply.tests.test_after_the_decision import procedure_id
from services.eapply.tests.test_staff_decide import case, step, taken
from services.eapply.tests.test_the_statutory_clock import MANAGER
from services.eapply.use_cases import roundtrip
from services.eapply.use_cases.telling import TOLD

NUMBER = "123456789018"
"""The public sample number of 総務省."""
WIDE = "１２３４-５６７８-９０１８"
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}
DUE = {"due_era": "reiwa", "due_year": "8", "due_month": "12", "due_day": "4"}


def everything(town: Town) -> str:
    """Every value of every table that this municipality may see, and every stored file."""
    with town.service.database.reading(tenant=town.code) as session:
        anything = {"raw_sql": "a test looks everywhere"}
        names = session.scalars(text(TABLES[session.get_bind().dialect.name]), execution_options=anything).all()
        found = []
        for name in names:
            statement = text(f'SELECT * FROM "{name}"')
            found += session.execute(statement, execution_options=anything).all()
    store = town.service.extras["files"]
    return "\n".join([*map(str, found), *(repr(store.read(town.code, each)) for each, _, _ in store.list(town.code))])


def test_the_search_through_everything_finds_what_is_there(town: Town):
    sent = town.guest().apply_for_event(event="カナリア講座")
    found = everything(town)
    assert "カナリア講座" in found and sent.number in found


@pytest.mark.parametrize("typed", [NUMBER, WIDE, f"番号は {NUMBER} です"])
def test_a_citizens_fields_refuse_it_and_say_why(town: Town, typed: str):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    page = guest.post(f"{draft}/entry", {"event": typed, "name": "髙橋"})
    assert page.status_code == 422 and "マイナンバー（個人番号）と見られる12桁の番号" in visible(page.text)
    saved = guest.post(f"{draft}/entry/save", {"event": typed, "name": "髙橋"}, page=False)
    assert saved.status_code == 422 and saved.json()["code"] == "my-number"
    assert typed not in everything(town) and "髙橋" in everything(town), "the rest is kept"


def test_the_name_of_a_file_refuses_it(town: Town):
    guest = town.guest()
    draft = guest.start("risai-shomei")
    files = {"photos": (f"{NUMBER}.jpg", photograph(), "image/jpeg")}
    page = guest.post(f"{draft}/damage", {"act": "stay"}, files=files)
    assert "マイナンバー" in visible(page.text)
    assert NUMBER not in everything(town)


def test_no_form_of_the_desk_takes_it(town: Town):
    _, staff, sent = taken(town)
    boss = town.staff("boss", "室見", MANAGER)
    id_ = procedure_id(town)
    paper = {"procedure": "event-moushikomi", "name": "合川", "arrived_era": "reiwa", "arrived_year": "8",
             "arrived_month": "11", "arrived_day": "19"}  # fmt: skip
    forms = [
        (staff, f"desk/cases/{sent.id}/notes", {"note": NUMBER}),
        (staff, f"desk/cases/{sent.id}/consultations", {"kind": "inquiry", "section": "税務課", "question": WIDE}),
        (staff, f"desk/cases/{sent.id}/decide", {"outcome": "refused", "reason": NUMBER}),
        (staff, f"desk/cases/{sent.id}/correction", {"fields": "people", "reason:people": NUMBER, **DUE}),
        (staff, "desk/paper", paper | {"memo": NUMBER}),
        (staff, "desk/searches", {"name": "さがす", "q": NUMBER}),
        (staff, "desk/me", {"section": NUMBER}),
        (boss, f"desk/procedures/{id_}/handling", {"notice_opening": NUMBER}),
        (boss, "desk/procedures/inventory/new", {"name": NUMBER}),
        (boss, "desk/webhooks/", {"url": "https://hooks.example/", "purpose": NUMBER, "types": next(iter(TOLD))}),
    ]
    version = case(staff, sent).text.partition('name="version" value="')[2].partition('"')[0]
    for browser, path, data in forms:
        page = browser.post(path, {"version": version, **data})
        if page.status_code == 404:
            raise AssertionError(f"{path} is no page")
        assert "マイナンバー" in visible(page.text), path
    assert NUMBER not in everything(town) and WIDE not in everything(town)


@pytest.mark.parametrize(
    "path", ["", "desk/", "desk/queue.csv", "desk/sheet.csv", "desk/procedures/templates", "verify"]
)
def test_no_search_takes_it(town: Town, path: str):
    """Nor does it come to stand in the address of a page that others read in a log."""
    boss = town.staff("boss", "室見", MANAGER)
    answer = boss.get(path, params={"number" if path == "verify" else "q": WIDE}, follow_redirects=False)
    assert answer.status_code == 422 and "マイナンバー（個人番号）と見られる" in visible(answer.text)
    assert WIDE not in answer.text and NUMBER not in answer.text


def test_ids_of_ours_are_no_numbers_of_people(town: Town):
    """An id may have digits only; a form that carries it must not be refused."""
    _, staff, sent = taken(town)
    answer = staff.post("desk/bulk", {"act": "take", "pick": "01234567-8901-7234-8567-123456789018:1"})
    assert "マイナンバー" not in visible(answer.text)
    assert step(staff, sent, "notes", note="電話 0942-30-9000").status_code == 200


def test_spreadsheets_and_files_of_procedures_refuse_it_and_name_the_line(town: Town):
    header = ",".join(roundtrip.HEADER)
    content = f"{header}\r\n402036-2611-00001-9,1,講座,髙橋,,承認,{NUMBER},\r\n".encode()
    page = town.staff().post("desk/sheet", files={"file": ("決定.csv", content, "text/csv")})
    assert page.status_code == 422 and "2行目にマイナンバー" in visible(page.text)
    with pytest.raises(Invalid, match="3行目"):
        list(sheet.rows(f"手続名,備考\r\n転入届,\r\n転出届,{WIDE}\r\n".encode()))
    with pytest.raises(Invalid, match="マイナンバー"):
        document.read_yaml(f"summary: {NUMBER}")


def test_a_program_cannot_send_it(town: Town):
    body = {"procedure": "event-moushikomi", "answers": {"event": NUMBER, "name": "髙橋"}}
    answer = town.person().client.post(
        f"/t/{town.code}/eapply/api/applications", json=body,
        headers=town.issuers.headers(town.person().actor, "eapply") | {"Idempotency-Key": "key-of-this-test"},
    )  # fmt: skip
    assert answer.status_code == 422 and "マイナンバー" in answer.text
    assert NUMBER not in everything(town)
