"""事前公表, 事後公表, 非公表 of 予定価格 with each way of a limit: what may be announced, what an official seals, what a bid of 1,000 yen
comes to. The reserve alone is told beforehand: a limit beside it is sealed as ever."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.testing.database import open_database
from services.ebid.domain import procedure
from services.ebid.domain.profile import Profile
from services.ebid.domain.terms import terms_of
from services.ebid.tests.people import Town, visible
from services.ebid.tests.sealed_tender import TENDER, Tender
from services.ebid.verify.check import check

WITH_TAX, RESERVE, MINIMUM = 11_000_000, 10_000_000, 8_345_671
TOLD = {"reserve_with_tax": WITH_TAX, "reserve": RESERVE}
SEALS, NOTHING, REFUSED = "an official seals", "nothing is left to seal", "refused"
TABLE = {
    "none": (SEALS, NOTHING, SEALS),
    "sealed": (SEALS, SEALS, SEALS),
    "investigation": (SEALS, SEALS, SEALS),
    "mean_of_lowest": (
        SEALS,
        NOTHING,
        REFUSED,
    ),  # what is computed at the opening would tell a price that stays unpublished
    "random_factor": (SEALS, SEALS, REFUSED),
    "drawn_reserve": (SEALS, REFUSED, REFUSED),  # a reserve that nobody knows yet cannot be told
}
"""By choice of the form: after, before, never."""
OUTCOME = {
    "none": ("cheap", "eligible"),
    "sealed": ("dear", "below_minimum"),
    "investigation": ("cheap", "eligible"),
    "mean_of_lowest": ("dear", "below_minimum"),
    "random_factor": ("dear", "below_minimum"),
}
"""Who comes first, and how the bid of 1,000 yen stands."""
BESIDE = {"sealed": "minimum", "random_factor": "minimum", "investigation": "investigation"}


def announcement(choice: str, disclosure: str) -> dict[str, Any]:
    told = {"announced_limits": TOLD} if disclosure == "before" else {}
    rule = Profile().limit_rule(choice, "works")
    rebids = 0 if choice == "drawn_reserve" else 2
    return {"tender": TENDER, "lottery": "core", "rebids": rebids, "disclosure": disclosure, "limits": rule} | told


@pytest.mark.parametrize("choice", list(TABLE))
@pytest.mark.parametrize(("place", "disclosure"), list(enumerate(("after", "before", "never"))))
def test_what_is_announced_and_what_is_sealed_beside_it(choice: str, place: int, disclosure: str) -> None:
    terms = terms_of(announcement(choice, disclosure))
    try:
        procedure.check_terms("open_after", "works", terms)
        found = SEALS if terms.official_seals else NOTHING
    except Invalid as refusal:
        assert "disclosure" in (refusal.fields or {})
        found = REFUSED
    assert found == TABLE[choice][place]


def opened(terms: dict[str, Any], sealed: dict[str, Any]) -> Tender:
    tender = Tender()
    tender.terms = dict(terms)
    tender.announce(sealed)
    tender.bid("cheap", 1_000)
    tender.bid("dear", 9_000_000)
    tender.close()
    tender.open()
    return tender


@pytest.mark.parametrize("disclosure", ["after", "before"])
@pytest.mark.parametrize("choice", list(OUTCOME))
def test_a_bid_of_a_thousand_yen_comes_to_the_same_whether_the_reserve_was_told_or_not(
    choice: str, disclosure: str
) -> None:
    beside = {BESIDE[choice]: MINIMUM} if choice in BESIDE else {}
    tender = opened(announcement(choice, disclosure), TOLD | beside)
    outcome = tender.rounds[0].outcome
    standing = {place.bid.bidder: place.standing for place in outcome.places}["cheap"]
    assert (outcome.candidate, standing) == OUTCOME[choice]
    assert outcome.outcome == ("hold_investigation" if choice == "investigation" else "award")
    assert check(tender.bundle()).codes() == set()


@pytest.mark.parametrize(
    ("choice", "sealed", "code"),
    [
        ("sealed", TOLD, "limits-missing"),
        ("investigation", TOLD | {"minimum": MINIMUM}, "limits-missing"),
        ("random_factor", TOLD, "limits-missing"),
        ("sealed", {"reserve_with_tax": 11_000_011, "reserve": 10_000_010, "minimum": MINIMUM}, "limits-announced"),
        ("none", {"reserve": RESERVE}, "limits-announced"),
    ],
)
def test_whoever_sealed_something_else_than_was_announced_is_named(
    choice: str, sealed: dict[str, Any], code: str
) -> None:
    assert code in check(opened(announcement(choice, "before"), sealed).bundle()).codes()


# ---- the same in the service


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough: nothing of it depends on the store."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


def published(town: Town, **sealed: int) -> str:
    town.register_trustees()
    tender = town.draft(disclosure="before", reserve_with_tax=str(WITH_TAX), limits="sealed")
    early = town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)}, page=False)
    assert early.json()["code"] == "reserve-missing"
    page = town.officer.get(f"desk/tenders/{tender}/limits").text
    assert f'value="{WITH_TAX}" readonly' in page and 'data-seal="minimum"' in page
    assert town.seal_limits(tender, sealed.pop("with_tax", WITH_TAX), **sealed).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    page = town.manager.get(f"desk/approvals/{tender}").text
    assert "11,000,000円" in page, "who approves sees what will be told"
    version = page.split('name="version" value="')[1].split('"')[0]
    assert town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
    return tender


def test_the_minimum_beside_an_announced_reserve_is_sealed_stays_secret_and_counts(town: Town):
    tender = published(town, minimum=MINIMUM)
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "11,000,000円（税込、事前公表）" in page and "結果といっしょに公表します" in page
    assert "落札の対象となる金額 入札金額に10%の税を加えた額（1円未満切捨て）が、上の予定価格以下のもの" in page
    assert f"{MINIMUM:,}" not in page
    for serial, amount in enumerate((1_000, 9_000_000), start=1):
        town.company(serial).bid(tender, amount)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "最低制限価格未満" in page and f"{MINIMUM:,}" in page and "9,900,000円" in page
    assert check(town.guest().get(f"tenders/{tender}/bundle.json").json()).codes() == set()


def test_another_reserve_than_the_announced_one_is_not_opened_with(town: Town):
    tender = published(town, with_tax=12_000_000, minimum=MINIMUM)
    town.company(1).bid(tender, 10_500_000)
    town.close()
    town.open(tender)
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "開札の結果" not in page and "公表した内容と違っています" in page
