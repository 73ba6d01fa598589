"""The official's browser computes 入札書比較価格 and the limit by the announced table exactly as the verifier does."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from libs.common.testing.browser import browser, browser_page, serving  # noqa: F401
from services.ebid.domain.limits import MODELS, by_model, model_of
from services.ebid.domain.money import Tax, rounding_of

STATIC = Path(__file__).parents[1] / "static"
NAGOYA = {"name": "own", "coefficients": {"direct": "0.5"}, "floor": "2/3", "ceiling": "0.92",
          "rounding": {"mode": "half_up", "unit": "1000"}, "floor_rounding": {"mode": "ceiling", "unit": "1"}}  # fmt: skip


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


def test_both_give_the_same_yen(page: Page) -> None:
    numbers = random.Random(2026)
    tables = [model.document() for model in MODELS.values()] + [NAGOYA]
    cases = []
    for table in tables:
        for _ in range(40):
            costs = {part: numbers.randrange(1, 10**9) for part in table["coefficients"]}
            cases.append({"model": table, "costs": costs, "reserve": numbers.randrange(1, 10**11)})
    theirs = page.evaluate(
        "async (cases) => { const l = await import('/static/ebid-limits.js');"
        " return cases.map((each) => l.byModel(each.model, each.costs, each.reserve)); }",
        cases,
    )
    assert theirs == [by_model(model_of(each["model"]), each["costs"], each["reserve"]) for each in cases]


@pytest.mark.parametrize("mode", ["floor", "ceiling", "half_up"])
def test_the_price_without_tax_is_rounded_as_announced(page: Page, mode: str) -> None:
    rule = {"percent": 10, "comparison": {"mode": mode, "unit": "1"}}
    prices = [*range(11_000_000, 11_000_025), 999_999_999_999]
    theirs = page.evaluate(
        "async ({prices, rule}) => { const l = await import('/static/ebid-limits.js');"
        " return prices.map((price) => l.comparisonPrice(price, rule)); }",
        {"prices": prices, "rule": rule},
    )
    assert theirs == [Tax(10, rounding_of(rule["comparison"])).comparison_price(price) for price in prices]
