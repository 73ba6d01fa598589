"""The procedure is a table, and a municipality's profile fills it: what the law does not know for a method or category is refused."""

import re
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from libs.common.clock import JST
from libs.common.errors import Conflict, Invalid
from services.ebid.api.shell import local_input
from services.ebid.domain import procedure
from services.ebid.domain.limits import MODELS, model_of
from services.ebid.domain.procedure import KINDS, METHODS, check_terms
from services.ebid.domain.profile import Hours, Profile, hours_of, profile_of, require_hours
from services.ebid.domain.terms import terms_of
from services.ebid.tests.people import Town, hidden, visible
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store


@pytest.mark.parametrize("category", KINDS)
@pytest.mark.parametrize("choice", ["sealed", "investigation", "mean_of_lowest", "random_factor"])
def test_too_low_a_price_excludes_in_works_and_services_by_competition_only(category: str, choice: str):
    """施行令167条の10: 工事又は製造その他についての請負; a purchase has neither 最低制限価格 nor 調査基準価格."""
    for method in METHODS:
        rule = {"tender": "t", "limits": Profile().limit_rule(choice, category), "rebids": 0}
        scored = METHODS[method].scored == "must"
        terms = terms_of(rule | ({"evaluation": {"kind": "addition"}, "limits": {"kind": "none"}} if scored else {}))
        allowed = scored or (KINDS[category].contract and METHODS[method].competitive)
        if allowed:
            check_terms(method, category, terms)
            continue
        with pytest.raises(Invalid) as refused:
            check_terms(method, category, terms)
        assert "limits" in refused.value.fields


def test_every_method_and_category_has_a_way_through():
    for method, category in product(METHODS, KINDS):
        how = METHODS[method]
        terms: dict[str, Any] = {
            "tender": "t",
            "limits": {"kind": "none"},
            "rebids": Profile().rebids_of(method, category),
        }
        check_terms(
            method, category, terms_of(terms | ({"evaluation": {"kind": "addition"}} if how.scored == "must" else {}))
        )
        with pytest.raises(Invalid):
            check_terms(method, category, terms_of(terms | {"rebids": procedure.rounds_of(method, category)}))


def test_a_table_in_an_announcement_is_the_same_table():
    for model in MODELS.values():
        read = model_of(model.document())
        assert (read.coefficients, read.floor, read.ceiling) == (model.coefficients, model.floor, model.ceiling)
        assert (read.rate_rounding, read.rounding, read.floor_rounding) == (
            model.rate_rounding,
            model.rounding,
            model.floor_rounding,
        )


@pytest.mark.parametrize(
    "wrong",
    [{"tax_percent": 99}, {"lottery": "mine"}, {"models": {"works": "none-such"}}, {"limits": {"works": "free"}}, {"limits": {"x": "none"}},
     {"own_models": {"own": {"coefficients": {"direct": "1"}, "floor": "0.9", "ceiling": "0.8"}}},
     {"hours": {"first": "18:00", "last": "09:00"}}, {"hours": {"first": "9"}}],
)  # fmt: skip
def test_a_profile_that_no_announcement_could_use_is_refused(wrong: dict[str, Any]):
    with pytest.raises(Invalid):
        profile_of(wrong)


def test_hours_hold_their_ends_and_leave_closed_days_out():
    office = hours_of({"first": "08:30", "last": "20:00", "workdays": True})
    friday = datetime(2026, 11, 27, 8, 30, tzinfo=JST)
    assert office.hold(friday, ()) and office.hold(friday.replace(hour=20, minute=0), ())
    assert not office.hold(friday - timedelta(seconds=1), ()) and not office.hold(friday.replace(hour=20, second=1), ())
    assert not office.hold(friday + timedelta(days=1), ()), "a Saturday"
    assert not office.hold(friday, {friday.date()}), "a holiday"
    assert Hours().hold(friday + timedelta(days=1), ())
    with pytest.raises(Conflict, match="平日の08:30から20:00"):
        require_hours(office, friday + timedelta(days=1), ())


# ---- on the page


def changed(town: Town, **fields: str) -> Any:
    """The profile as its page shows it, some fields typed anew."""
    page = town.manager.get("desk/profile").text
    usual = {"tax_percent": "10", "comparison": "floor", "lottery": "core", "first": "00:00", "last": "23:59:59"}
    usual |= {f"limits-{key}": "none" for key in KINDS} | {f"rebids-{key}": "1" for key in KINDS}
    usual |= {
        "random-low": "0.995",
        "random-high": "1.005",
        "random-step": "0.0001",
        "version": hidden(page, "version"),
    }
    return town.manager.post("desk/profile", usual | fields)


def test_the_profile_makes_the_announcement(town: Town):
    answer = changed(
        town, **{"comparison": "ceiling", "lottery": "kochi", "model-works": "chuo-koukeiren-2022", "rebids-works": "1"}
    )
    assert answer.status_code == 200 and "保存しました" in answer.text
    page = town.officer.get("desk/new").text
    assert re.search(r'name="lottery"[^>]*value="kochi" checked', page)
    tender = town.publish(lottery="kochi")
    shown = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "算定式：chuo-koukeiren-2022" in shown and "最低制限価格" in shown


@pytest.mark.parametrize(
    ("percent", "said"),
    [("8", "見積もった契約金額の108分の100にあたる額"), ("10", "110分の100にあたる額"), ("0", "見積もった契約金額")],
)
def test_the_bid_page_tells_the_price_without_this_municipalitys_tax(town: Town, percent: str, said: str):
    assert changed(town, tax_percent=percent).status_code == 200
    tender = town.publish(method="selective", limits="none")
    company = town.company(1)
    town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": company.number})
    page = visible(company.get(f"tenders/{tender}/bid").text)
    assert said in page and (percent != "0" or "分の100" not in page)


def test_two_managers_do_not_overwrite_each_other(town: Town):
    assert changed(town).status_code == 200
    assert changed(town, version="0").status_code == 409
    assert changed(town, tax_percent="x").status_code == 422
    assert changed(town, **{"own-direct": "0.97", "own-floor": "1.2", "own-ceiling": "0.9"}).status_code == 422


def test_deadlines_and_bids_keep_to_the_hours(town: Town):
    assert changed(town, first="09:00", last="17:00", workdays="1").status_code == 200
    town.register_trustees()
    monday = datetime(2026, 11, 30, 10, 0, tzinfo=JST)
    dates = {"questions_until": local_input(monday - timedelta(days=1)), "bid_until": local_input(monday),
             "opens_at": local_input(monday + timedelta(hours=1))}  # fmt: skip
    holiday = town.form(**dates | {"bid_until": local_input(datetime(2027, 1, 1, 10, 0, tzinfo=JST)),
                                   "opens_at": local_input(datetime(2027, 1, 4, 10, 0, tzinfo=JST))})  # fmt: skip
    assert "受付時間の外です" in town.officer.post("desk/new", holiday).text
    tender = town.publish(**dates)
    company = town.company(1)
    made = company.sealed(tender, 9_000_000)
    now = town.service.clock.now().astimezone(JST)
    town.advance(seconds=(now.replace(hour=22, minute=0, second=0) - now).total_seconds())
    late = company.send(tender, made)
    assert late.status_code == 409 and "平日の09:00から17:00" in late.json()["detail"]
    town.advance(days=2, hours=11.5)
    assert company.send(tender, made).status_code == 409, "2026-11-23 is a holiday"
    town.advance(days=1)
    assert company.send(tender, made).status_code == 200


def test_a_small_contract_without_competition_has_its_line(town: Town):
    """施行令 別表第五: 1 500 000 yen for a purchase by a 市町村."""
    small = {"method": "open_counter", "category": "goods", "ground": "1", "disclosure": "before"}
    too_much = town.officer.post("desk/new", town.form(**small, reserve_with_tax="1500001"))
    assert too_much.status_code == 422 and "1,500,000円以下" in visible(too_much.text)
    assert "借りるときは、予定価格が80万円" in visible(too_much.text), (
        "one category for buying and hiring: the lower line is told"
    )
    town.draft(**small, reserve_with_tax="1500000")
    without = town.officer.post("desk/new", town.form(method="direct", ground=""))
    assert without.status_code == 422 and "随意契約の根拠" in visible(without.text)
    sealed = town.draft(method="quotation", category="goods", ground="1")
    assert 'data-ceiling="1500000"' in town.officer.get(f"desk/tenders/{sealed}/limits").text


def test_a_change_of_the_profile_changes_no_tender_that_is_announced(town: Town):
    """Neither the hours in which its bids are taken nor what its dates may be moved to, nor tax, rounding and lots."""
    assert changed(town, first="08:00", last="20:00").status_code == 200
    now = town.service.clock.now().astimezone(JST)
    ten = now.replace(hour=10, minute=0, second=0, microsecond=0)
    dates = {
        "bid_until": local_input(ten + timedelta(days=5)),
        "opens_at": local_input(ten + timedelta(days=5, hours=1)),
    }
    tender = town.publish(**dates)
    assert "入札を受け付ける時間 08:00から20:00まで" in visible(town.guest().get(f"tenders/{tender}/").text)
    terms = town.guest().get(f"tenders/{tender}/").text
    other = {
        "first": "10:00",
        "last": "17:00",
        "workdays": "1",
        "tax_percent": "8",
        "lottery": "kochi",
        "comparison": "ceiling",
    }
    assert changed(town, **other).status_code == 200
    assert town.guest().get(f"tenders/{tender}/").text == terms
    company = town.company(1)
    made = company.sealed(tender, 9_000_000)
    town.advance(seconds=(now.replace(hour=19, minute=30, second=0) - now).total_seconds() % 86400)
    assert company.send(tender, made).status_code == 200, "as announced, though the town now closes at five"
    late = {
        "bid_until": local_input(ten + timedelta(days=6, hours=8)),
        "opens_at": local_input(ten + timedelta(days=6, hours=9)),
    }
    given = {"version": town.version(tender), "reason": "図面の訂正", **late}
    assert town.officer.post(f"desk/tenders/{tender}/postpone", given).status_code == 200
    unsaid = town.officer.post("desk/new", town.form(**late))
    assert "受付時間の外です" in visible(unsaid.text), "a new one is made by the new hours"


def test_who_is_always_open_is_open_in_the_last_second_of_the_day():
    last = datetime(2026, 11, 27, 23, 59, 59, 999_000, tzinfo=JST)
    assert Hours().hold(last, ())
    evening = hours_of({"first": "09:00", "last": "17:00"})
    assert evening.hold(last.replace(hour=17, minute=0, second=0), ())
    assert not evening.hold(last.replace(hour=17, minute=0, second=1), ())


def until(town: Town, moment: datetime) -> None:
    town.advance(seconds=(moment - town.service.clock.now()).total_seconds())


def test_who_is_about_to_bid_reads_the_hours_and_how_long_there_is_still_time(town: Town):
    assert changed(town, first="08:00", last="20:00").status_code == 200
    now = town.service.clock.now().astimezone(JST)
    ten = now.replace(hour=10, minute=0, second=0, microsecond=0)
    tender = town.publish(
        bid_until=local_input(ten + timedelta(days=5)), opens_at=local_input(ten + timedelta(days=5, hours=1))
    )
    company = town.company(1)
    until(town, ten + timedelta(days=2))
    for path in (f"tenders/{tender}/", f"tenders/{tender}/bid"):
        told = visible(company.get(path).text)
        assert "あと3日と0時間" in told and "入札を受け付ける時間 08:00から20:00まで" in told, path
    assert "受付時間の外です" not in visible(company.get(f"tenders/{tender}/bid").text)
    until(town, ten + timedelta(days=4, hours=11, seconds=1))
    told = visible(company.get(f"tenders/{tender}/bid").text)
    assert "いまは受付時間の外です" in told and "あと12時間59分" in told, "rounded down"
    assert "Nothing is taken at this hour" in visible(company.get(f"tenders/{tender}/bid?lang=en").text)
    until(town, ten + timedelta(days=5) - timedelta(seconds=59))
    assert "1分未満" in visible(company.get(f"tenders/{tender}/bid?lang=ja").text)


def test_where_the_comparison_price_is_rounded_up_no_contract_is_a_yen_above_the_reserve(town: Town):
    """法234条3項: 10,000,000 yen with tax are compared as 9,090,910 without, and that with tax would be 10,000,001."""
    assert changed(town, comparison="ceiling").status_code == 200
    town.register_trustees()
    tender = town.draft(method="open_counter", category="goods", limits="none", paper="")
    assert town.seal_limits(tender, 10_000_000, reserve=9_090_910).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    version = hidden(town.manager.get(f"desk/approvals/{tender}").text, "version")
    assert town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
    over, within = town.company(1), town.company(2)
    said = visible(over.get(f"tenders/{tender}/").text)
    assert "契約の対象となる金額 見積金額に10%の税を加えた額（1円未満切捨て）が、予定価格（税込）以下のもの" in said
    assert "10,000,000" not in said, "事後公表"
    over.bid(tender, 9_090_910)
    within.bid(tender, 9_090_909)
    town.close()
    town.open(tender)
    assert "予定価格超過" in visible(town.officer.get(f"desk/tenders/{tender}").text)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    told = visible(town.guest().get(f"tenders/{tender}/").text)
    assert f"契約の相手方 {within.name}" in told and "9,999,999" in told and "10,000,001" not in told
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    report = check(
        bundle, [company.get(f"tenders/{tender}/receipt.json", page=False).json() for company in (over, within)]
    )
    assert report.codes() == set(), report.problems
    assert {place["standing"] for place in bundle["rounds"][0]["result"]["places"]} == {"eligible", "over_reserve"}
