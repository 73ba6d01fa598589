"""予備価格のくじ: fifteen sealed prices, each bidder draws two, the mean of the four most drawn is the reserve."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from libs.common.testing.browser import browser, browser_page, serving  # noqa: F401
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope
from services.ebid.tests.ocds_schema import findings
from services.ebid.tests.people import Town, header_of, visible
from services.ebid.tests.test_officials_publish_and_open import result
from services.ebid.tests.test_the_form_seals_before_it_posts import STATIC
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store

PRICES = [9_000_000 + 50_000 * number for number in range(15)]


def drawn_tender(town: Town) -> str:
    town.register_trustees()
    tender = town.draft(limits="drawn_reserve")
    page = town.officer.get(f"desk/tenders/{tender}/limits").text
    assert page.count('data-seal="preliminary-') == 15 and 'data-seal="minimum"' not in page
    assert town.seal_limits(tender, 10_285_000, preliminary=PRICES).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    version = town.manager.get(f"desk/approvals/{tender}").text.split('name="version" value="')[1].split('"')[0]
    assert town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
    return tender


def bid(town: Town, tender: str, serial: int, amount: int, picks: Any) -> None:
    company = town.company(serial)
    head = header_of(company.get(f"tenders/{tender}/head.json", page=False).json())
    assert company.send(tender, envelope.seal(bid_payload(amount, "418", picks=picks), head)).status_code == 200


def test_bidders_draw_it_and_a_loser_recomputes_it(town: Town):
    tender = drawn_tender(town)
    assert "15個の予備価格" in town.guest().get(f"tenders/{tender}/").text
    assert town.company(1).get(f"tenders/{tender}/bid").text.count('data-seal="pick-') == 15
    bid(town, tender, 1, 9_150_000, (0, 14))
    bid(town, tender, 2, 9_400_000, (0, 14))
    bid(town, tender, 3, 8_000_000, (7, 7))  # drawing one twice breaks the rules: 無効, and its draw does not count
    bid(town, tender, 4, 9_300_000, (0, 7))
    town.close()
    town.open(tender)
    found = result(town, tender)
    expected = (PRICES[0] + PRICES[14] + PRICES[7] + PRICES[1]) // 4
    assert found["result"]["limits"]["reserve"] == expected
    standings = {place["amount"]: place["standing"] for place in found["places"] if place["amount"]}
    assert standings == {9_150_000: "eligible", 9_300_000: "over_reserve", 9_400_000: "over_reserve"}
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "予備価格のくじ" in page and f"{expected:,}円" in page and f"{expected + expected // 10:,}円" in page
    assert f"1 {PRICES[0]:,}円 3 はい" in page and f"3 {PRICES[2]:,}円 0 －" in page
    bundle = town.guest().get(f"tenders/{tender}/bundle.json").json()
    assert check(bundle).codes() == set()
    changed = json.loads(json.dumps(bundle))
    changed["rounds"][0]["result"]["limits"]["reserve"] = 9_400_000
    assert check(changed).codes(), "another reserve than the drawn one is named"
    package = town.guest().get("ocds/releases").json()
    assert findings("release", package) == []
    assert package["releases"][-1]["tender"]["value"]["amount"] == expected + expected // 10


def test_there_is_one_reserve_and_no_second_round(town: Town):
    tender = drawn_tender(town)
    bid(town, tender, 1, 9_900_000, (3, 4))
    town.close()
    town.open(tender)
    assert result(town, tender)["outcome"] == "no_award"
    given = {
        "version": town.version(tender),
        "invited": result(town, tender)["places"][0]["bidder"],
        "bid_until": town.form()["bid_until"],
        "opens_at": town.form()["opens_at"],
    }
    assert "再度入札を通知" not in town.officer.get(f"desk/tenders/{tender}").text
    for act in ("rebid", "negotiate"):
        assert town.officer.post(f"desk/tenders/{tender}/{act}", given, page=False).status_code == 409, act


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"disclosure": "before", "reserve_with_tax": "1000000"}, "事前に公表できません"),
        ({"method": "direct"}, "予備価格のくじは"),
        ({"method": "open", "award": "addition", "weight": "50", "criteria": "施工計画 20", "hearing": "甲、乙",
          "hearing_on": "2026-11-01"}, "予備価格のくじは"),
    ],
)  # fmt: skip
def test_where_it_makes_no_sense_it_is_refused(town: Town, changed: dict[str, str], sentence: str):
    town.register_trustees()
    form = town.form(**{"method": changed.get("method", "open_after")}) | {"limits": "drawn_reserve"} | changed
    form |= {"apply_until": form["questions_until"]} if form["method"] == "open" else {}
    answer = town.officer.post("desk/new", form)
    assert answer.status_code == 422 and sentence in visible(answer.text), visible(answer.text)


@pytest.fixture
def page(browser_page: Callable[..., Page]) -> Iterator[Page]:  # noqa: F811
    empty = HTMLResponse("<!doctype html><link rel=icon href=data:,><title>封</title>")
    app = Starlette(routes=[Route("/", lambda request: empty), Mount("/ebid/static", StaticFiles(directory=STATIC))])
    with serving(app) as url:
        opened = browser_page(375)
        opened.goto(url)
        yield opened


@pytest.mark.parametrize("base", [1_000, 9_350_000, 999_999_999_999])
def test_the_browser_makes_fifteen_different_prices_around_the_base(page: Page, base: int):
    made = [
        page.evaluate("base => import('/ebid/static/ebid-limits.js').then(m => m.preliminaryPrices(base))", base)
        for _ in range(3)
    ]
    for prices in made:
        assert len(set(prices)) == 15 and all(base * 0.97 <= price <= base * 1.03 for price in prices)
        assert min(prices) < base * 0.975 and max(prices) > base * 1.025, "over the whole range"
        assert prices != sorted(prices)
    assert made[0] != made[1] != made[2]
