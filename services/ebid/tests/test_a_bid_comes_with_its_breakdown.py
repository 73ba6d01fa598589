"""内訳書: checked and sealed in the bidder's browser, opened with the bid for the buyer alone, checked again."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from libs.common.testing.browser import browser, browser_page, serving  # noqa: F401
from services.ebid.domain import breakdown as rules
from services.ebid.domain.breakdown import Breakdown, Line
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope, files
from services.ebid.tests.people import Company, Town, header_of, json_text, visible
from services.ebid.use_cases import breakdowns

pytestmark = pytest.mark.any_store

STATIC = Path(__file__).parents[1] / "static"


def workbook(*amounts: Any, total: Any = None, head: str = "金額（円）", last: str = "合 計") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["工事費内訳書"])
    sheet.append(["名称", "数量", head])
    for number, amount in enumerate(amounts):
        sheet.append([f"工種{number}", 1, amount])
    sheet.append([last, None, sum(each for each in amounts if isinstance(each, int)) if total is None else total])
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def document(*amounts: int, total: int | None = None) -> bytes:
    items = [{"name": f"工種{number}", "amount": amount} for number, amount in enumerate(amounts)]
    return json.dumps({"items": items, "total": sum(amounts) if total is None else total}).encode()


GOOD = workbook(5_000_000, 4_500_000, -500_000)
BAD = workbook(1, 2, total=4)


@pytest.mark.parametrize("content", [GOOD, document(5_000_000, 4_500_000, -500_000)])
def test_lines_that_add_up_to_the_bid_are_a_breakdown(content: bytes):
    found = breakdowns.read(content)
    assert found is not None and rules.problems(found, 9_000_000) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"{}", b"[" * 5000, workbook(1, head="価格"), workbook(1, last="計"), workbook(1, total="x"), document(1)[:-1],
     b'{"items":[{"amount":1.5}],"total":1}', b'{"items":[{"amount":true}],"total":1}', b'{"items":[3],"total":1}'],
)  # fmt: skip
def test_what_is_no_breakdown_is_said_to_be_none(content: bytes):
    assert breakdowns.read(content) is None


def test_each_kind_of_mistake_is_named():
    wrong = Breakdown((Line("a", 1), Line("b", 2)), 4)
    assert [str(each) for each in rules.problems(wrong, 5)] == [
        "内訳の合計は3円ですが、合計の欄は4円です。", "合計の欄は4円ですが、金額は5円です。",
    ]  # fmt: skip
    assert rules.problems(Breakdown((), 0), 0) and rules.problems(Breakdown((Line("a", 10**15),), 10**15), 10**15)


# ---- in the browser


@pytest.fixture
def page(browser_page: Callable[..., Page]) -> Iterator[Page]:  # noqa: F811
    blank = "<!doctype html><link rel=icon href=data:,><title>x</title>"
    app = Starlette(
        routes=[Route("/", lambda request: HTMLResponse(blank)), Mount("/static", StaticFiles(directory=STATIC))]
    )
    with serving(app) as address:
        opened = browser_page(1280)
        opened.goto(address)
        yield opened


def told(page: Page, content: bytes, amount: int) -> str:
    """What the browser's check says; "" for nothing."""
    return page.evaluate(
        "async ([content, amount]) => { const b = await import('/static/ebid-breakdown.js');"
        " try { await b.checkBreakdown(Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), amount); return ''; }"
        " catch (error) { return error.message; } }",
        [base64.b64encode(content).decode(), amount],
    )


def test_the_browser_says_the_same(page: Page):
    assert told(page, GOOD, 9_000_000) == told(page, document(4, 5), 9) == ""
    assert told(page, GOOD, 9_000_001) == "内訳書の合計は9,000,000円ですが、上に入力した金額は9,000,001円です。"
    assert told(page, workbook(1, 2, total=4), 4) == "内訳の合計は3円ですが、合計の欄は4円です。"
    for content in (
        b"PK\x03\x04",
        b"{}",
        workbook(1, head="価格"),
        workbook(1, last="計"),
        workbook(1, total="x"),
        b"x" * 2_000_000,
    ):
        assert told(page, content, 1)


# ---- the way of a bid


def sent(company: Company, tender: str, content: bytes | None, amount: int = 9_000_000) -> Any:
    """As the browser sends it."""
    head = header_of(company.get(f"tenders/{tender}/head.json", page=False).json())
    digest = files.hashlib.sha256(content or b"").hexdigest()
    given = {"act": "bid", "envelope": json_text(envelope.seal(bid_payload(amount, "418", digest), head))}
    if content is None:
        return company.post(f"tenders/{tender}/send", given, page=False)
    own = header_of(company.get(f"tenders/{tender}/breakdown-head.json", page=False).json())
    made, ciphertext = files.seal_file(content, own)
    given["breakdown_envelope"] = json_text(made)
    return company.post(f"tenders/{tender}/send", given, page=False, files={"breakdown_sealed": ("b.bin", ciphertext)})


def test_it_is_opened_with_the_bid_and_shown_to_the_officers_alone(town: Town):
    tender = town.publish(breakdown="1")
    good, bad = town.company(1), town.company(2)
    missing = sent(good, tender, None)
    assert missing.status_code == 422 and "内訳書を" in missing.json()["detail"]
    assert sent(good, tender, GOOD).status_code == 200
    assert sent(bad, tender, BAD, 9_500_000).status_code == 200, "what is sealed cannot be judged before"
    address = f"desk/tenders/{tender}"
    assert "/breakdowns/" not in town.officer.get(address).text
    town.close()
    town.open(tender)
    page = town.officer.get(address).text
    assert "合計は入札金額と合っています" in page and "内訳の合計は3円" in page
    found = {part.split('"')[0] for part in page.split("/breakdowns/")[1:]}
    contents = {town.officer.get(f"{address}/breakdowns/{each}", page=False).content for each in found}
    assert contents == {GOOD, BAD}
    town.officer.post(f"{address}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    public = town.guest().get(f"tenders/{tender}/").text + town.guest().get(f"tenders/{tender}/bundle.json").text
    assert "工種" not in public and town.guest().get(f"{address}/breakdowns/x").status_code == 401


def test_a_breakdown_of_the_wrong_form_is_refused(town: Town):
    tender = town.publish(breakdown="1")
    company = town.company(1)
    head = header_of(company.get(f"tenders/{tender}/head.json", page=False).json())
    own = header_of(company.get(f"tenders/{tender}/breakdown-head.json", page=False).json())
    made, ciphertext = files.seal_file(GOOD, own)
    bid = json_text(envelope.seal(bid_payload(9_000_000, "418"), head))
    for other, content in (
        (made, ciphertext[:-1]),
        (made, b""),
        (envelope.seal({"key": "x"}, head), ciphertext),
        ({}, ciphertext),
    ):
        given = {"act": "bid", "envelope": bid, "breakdown_envelope": json_text(other)}
        answer = company.post(
            f"tenders/{tender}/send", given, page=False, files={"breakdown_sealed": ("b.bin", content)}
        )
        assert answer.status_code == 422, answer.text


def test_a_file_that_is_not_the_sealed_one_is_named(town: Town):
    kept = breakdowns.BreakdownRow(
        tender_id="t", round=1, company_id="c", envelope={"head": {}}, digest="", sealed="AAAA"
    )
    breakdowns.opened(kept, {"key": "00" * 32, "sha256": "", "size": 1}, None)
    assert kept.problems == ["内訳書のファイルを開けません。封かんされたものと違います。"]


def test_the_empty_form_to_fill_in_is_one(town: Town):
    sheet = openpyxl.load_workbook(io.BytesIO(town.guest().get("/ebid/breakdown.xlsx").content)).worksheets[0]
    assert str(sheet["E1"].value).startswith(rules.AMOUNT) and sheet["A22"].value in rules.TOTAL
    assert "内訳書" in visible(town.company(1).get(f"tenders/{town.publish(breakdown='1')}/bid").text)


def test_who_makes_and_who_approves_a_works_tender_without_one_is_told_what_the_law_wants(town: Town):
    town.register_trustees()
    told = "工事の入札では、入札金額の内訳書を出すことになっています（入契法12条）"
    tenders = [
        town.draft(**given)
        for given in ({}, {"breakdown": "1"}, {"method": "quotation"}, {"category": "goods", "limits": "none"})
    ]
    pages = [town.officer.get(f"desk/tenders/{tender}").text for tender in tenders]
    assert [told in page for page in pages] == [True, False, False, False]
    assert told in town.manager.get(f"desk/approvals/{tenders[0]}").text
