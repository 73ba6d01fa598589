"""The form of a tender offers every rule that the domain knows, says in a sentence what it does, and keeps what it does not show."""

import json
import re

import pytest

from services.ebid.domain.lottery import PROFILES
from services.ebid.tests.people import Town, hidden, local_input_in, visible
from services.ebid.tests.test_a_scored_tender import SCORED, applied, score
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store


def terms_of(town: Town, tender: str) -> dict:
    return json.loads(town.guest().get(f"tenders/{tender}/bundle.json", page=False).text)["terms"]


@pytest.mark.parametrize("lottery", ["assigned", "osaka"])
def test_a_number_of_the_systems_is_drawn_at_receipt_shown_and_verified(town: Town, lottery: str):
    tender = town.publish(lottery=lottery, limits="none")
    drawn = {}
    for serial, number in ((1, "418"), (2, "007"), (3, "999")):
        town.advance(seconds=1)
        company = town.company(serial)
        receipt = company.bid(tender, 9_000_000, number)
        assert "くじに使うシステムの番号" in receipt.text
        document = company.get(f"tenders/{tender}/receipt.json", page=False).json()
        drawn[number] = document["receipt"]["entry"]["assigned"]
        assert 0 <= drawn[number] < 1000 and f"{drawn[number]:03d}" in receipt.text
    town.close()
    town.open(tender)
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    values = [(int(number) + assigned) % 1000 for number, assigned in drawn.items()]
    assert f"{'＋'.join(map(str, values))} の合計 {sum(values)} を 3" in page
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    assert not check(bundle).problems
    entries = [each["logged"]["entry"] for each in bundle["rounds"][0]["bids"]]
    entries[0]["assigned"] = (entries[0]["assigned"] + 1) % 1000
    assert check(bundle).problems, "a number that was changed afterwards is named"


def test_the_moment_of_opening_by_which_wakayama_draws_is_in_the_log(town: Town):
    tender = town.publish(lottery="wakayama", limits="none")
    for serial in (1, 2, 3):
        town.advance(minutes=1)
        town.company(serial).bid(tender, 9_000_000)
    town.close()
    town.advance(milliseconds=524)
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    report = check(bundle)
    assert not report.problems and any("ミリ秒" in each for each in report.taken), report
    [opened] = [each for each in bundle["journal"]["events"] if each["logged"]["entry"]["kind"] == "opened"]
    assert opened["document"]["opened_at"] == bundle["rounds"][0]["opened_at"]
    at = bundle["rounds"][0]["opened_at"]
    for other in (at.replace(at[-7:-4], f"{(int(at[-7:-4]) + 1) % 1000:03d}"), "2099-01-01T00:00:00.000000Z"):
        bundle["rounds"][0]["opened_at"] = other
        assert "opened-at-changed" in check(bundle).codes(), other
    assert "ミリ秒" not in " ".join(check(_drawn_otherwise(town)).taken)


def _drawn_otherwise(town: Town) -> dict:
    """A bundle in which 和歌山県's rule has nothing to say: nobody is tied."""
    tender = town.publish(lottery="wakayama", limits="none")
    town.company(4).bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    return town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()


def test_a_lottery_without_such_a_number_has_none(town: Town):
    tender, company = town.publish(), town.company(1)
    assert "システムの番号" not in company.bid(tender, 9_000_000).text
    assert "assigned" not in company.get(f"tenders/{tender}/receipt.json", page=False).json()["receipt"]["entry"]


def test_the_form_offers_each_lottery_and_curve_with_a_sentence(town: Town):
    page = town.officer.get("desk/new").text
    offered = re.findall(r'name="lottery"[^>]*value="([^"]+)"', page)
    assert sorted(offered) == sorted(PROFILES)
    labels = re.findall(r'name="(?:lottery|curve)"[^>]*>\s*<span[^>]*>([^<]+)', page)
    assert len(labels) == len(PROFILES) + 5 and all("：" in each and each.endswith("。") for each in labels), labels


def test_points_are_converted_and_the_standard_is_as_announced(town: Town):
    tender = town.publish(
        **SCORED
        | {
            "apply_until": local_input_in(town, days=3),
            "technical_weight": "20",
            "standard": "110",
            "tie_chain": "technical,price",
        }
    )
    page = visible(town.guest().get(f"tenders/{tender}/").text)
    for expected in ("標準点110点", "35点満点を20点満点に換算", "次に価格の低い方"):
        assert expected in page
    companies = [applied(town, tender, serial) for serial in (1, 2)]
    score(town, tender, companies[0], "20", "10", "5")
    score(town, tender, companies[1], "7", "0", "0")
    for company in companies:
        company.bid(tender, 9_000_000)
    town.close()
    town.officer.post(f"desk/tenders/{tender}/scores")
    town.open(tender)
    result = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "1444.4444" in result, "(110 + 20×35÷35) ÷ 900万 × 10⁸"
    assert "1266.6667" in result, "(110 + 20×7÷35) ÷ 900万 × 10⁸"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"award": "addition", "curve": "kinked", "weight": "30", "limits": "none"}, "調査基準価格を設けるときだけ"),
        ({"award": "addition", "curve": "floored", "weight": "30", "base": "75"}, "0より大きく1以下"),
        ({"technical_weight": "たくさん"}, "換算後の満点"),
        ({"standard": "0"}, "標準点を、0より大きい"),
        ({"award": "addition", "weight": "30", "price_decimals": "12"}, "小数点以下の桁数"),
    ],
)
def test_a_parameter_that_cannot_be_is_said_at_its_field(town: Town, changed: dict[str, str], field: str):
    form = town.form(**SCORED | {"apply_until": local_input_in(town, days=3)} | changed)
    answer = town.officer.post("desk/new", form)
    assert answer.status_code == 422 and field in answer.text


def test_a_draft_shows_its_parameters_again(town: Town):
    town.register_trustees()
    given = {"award": "addition", "curve": "floored", "weight": "30", "base": "0.8", "technical_weight": "70", "price_decimals": "3",
             "tie_chain": "price,technical"}  # fmt: skip
    tender = town.draft(**SCORED | {"apply_until": local_input_in(town, days=3)} | given)
    page = town.officer.get(f"desk/tenders/{tender}/edit").text
    for name in ("base", "technical_weight", "price_decimals"):
        assert re.search(rf'name="{name}"[^>]*value="{re.escape(given[name])}"', page), name
    assert re.search(r'value="price,technical"[^>]* checked', page) and re.search(r'value="floored"[^>]* checked', page)


def test_saving_the_municipalitys_way_keeps_its_own_parameters(town: Town):
    """They were once set back to another municipality's by whoever changed the hours."""
    page = town.manager.get("desk/profile").text
    form = {
        name: value
        for name, value in re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page)
        if name not in ("lottery",)
    }
    form = {name: value for name, value in form.items() if not name.startswith(("prefecture", "workdays"))}
    form |= {"lottery": "osaka", "comparison": "floor", "mean-mode": "floor", "own-mode": "floor"}
    own = {"mean-count": "5", "mean-factor": "0.95", "mean-lower": "0.8", "mean-floor": "0.85", "mean-unit": "10000"}
    saved = town.manager.post("desk/profile", form | own)
    assert saved.status_code == 200, visible(saved.text)
    again = town.manager.get("desk/profile").text
    form["version"] = hidden(again, "version")
    without = {name: value for name, value in form.items() if not name.startswith("mean-")}
    assert town.manager.post("desk/profile", without | {"first": "09:00", "last": "17:00"}).status_code == 200
    shown = town.manager.get("desk/profile").text
    for name, value in own.items():
        assert re.search(rf'name="{name}"[^>]*value="{value}"', shown), name
    assert re.search(r'value="osaka"[^>]* checked', shown)
    wrong = town.manager.post("desk/profile", form | own | {"mean-factor": "95", "version": hidden(shown, "version")})
    assert wrong.status_code == 422 and "0.87 のように" in wrong.text
