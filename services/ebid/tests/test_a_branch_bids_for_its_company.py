"""受任者: entrusted by the company's 代表者 with a scope and days, acts within them, and is named where the act is shown."""

import io
import re
from typing import Any

import pytest
from pypdf import PdfReader

from services.ebid.tests.ocds_schema import findings
from services.ebid.tests.people import Browser, Company, Town, local_input_in, visible
from services.ebid.tests.test_officials_publish_and_open import result

pytestmark = pytest.mark.any_store

BRANCH, NAME = "筑後支店", "支店 花子"


def entrusting(**changed: Any) -> dict[str, Any]:
    given = {
        "branch": BRANCH,
        "title": "支店長",
        "name": NAME,
        "address": "福岡県筑後市山ノ井",
        "categories": ["works"],
        "first": "2026-11-01",
        "last": "2027-03-31",
    }
    return given | changed


def code_in(text: str) -> str:
    found = re.search(r'<p class="code"><b>([0-9A-Z]+)</b>', text)
    assert found, visible(text)
    return found.group(1)


def delegate(town: Town, company: Company, serial: int = 51, **changed: Any) -> Company:
    """Somebody else who acts for the company."""
    code = code_in(company.post("/ebid/company/delegates", entrusting(**changed)).text)
    made = Company.of(town, town.company_actor(serial), company.number)
    answer = made.post("/ebid/delegate", {"code": f" {code.lower()} "})
    assert answer.status_code == 200 and NAME in answer.text, visible(answer.text)
    return made


def test_a_branch_bids_wins_and_is_named_everywhere_but_its_person_in_no_open_data(town: Town):
    tender = town.publish()
    company = town.company(1)
    branch = delegate(town, company)
    assert branch.bid(tender, 9_000_000).status_code == 200
    receipt = visible(branch.get(f"tenders/{tender}/bid").text)
    assert f"{BRANCH} 支店長 {NAME}" in receipt.replace("\u3000", " ")
    assert branch.get(f"tenders/{tender}/receipt.pdf").content.startswith(b"%PDF")
    assert company.send(tender, company.sealed(tender, 8_000_000)).status_code == 409, "the company has bid"
    town.close()
    town.open(tender)
    assert [place["amount"] for place in result(town, tender)["places"]] == [9_000_000]
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    town.conclude(tender)
    assert NAME in branch.letters() and NAME in company.letters()
    public = town.guest().get(f"tenders/{tender}/").text
    assert f"{BRANCH} 支店長" in visible(public)
    package = town.guest().get("ocds/releases").json()
    assert findings("release", package) == []
    party = next(each for each in package["releases"][-1]["parties"] if each["id"] == f"JP-JCN-{company.number}")
    assert party["contactPoint"] == {"name": f"{BRANCH} 支店長"}
    assert NAME not in public + str(package), "open data names no person"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"categories": ["goods"]}, "は、委任されていません"),
        ({"tenants": ["401307"]}, "この市町村の入札は、委任されていません"),
        ({"first": "2027-01-01"}, "委任の期間の外"),
        ({"last": "2026-11-21"}, "委任の期間の外"),
    ],
)
def test_beyond_what_was_entrusted_nothing_can_be_sent(
    town: Town, neighbour: Town, changed: dict[str, Any], sentence: str
):
    tender = town.publish()
    company = town.company(1)
    branch = delegate(town, company, **changed)
    made = branch.sealed(tender, 9_000_000)
    town.advance(days=2)
    refused = branch.send(tender, made)
    assert refused.status_code == 403 and sentence in refused.json()["detail"], visible(refused.text)
    assert branch.get(f"tenders/{tender}/bid").status_code == 403
    assert company.bid(tender, 9_000_000).status_code == 200, "the company itself may"


def test_an_application_is_signed_by_the_branch(town: Town):
    tender = town.publish(method="open", apply_until=town.form()["questions_until"])
    branch = delegate(town, town.company(1))
    branch.post(f"tenders/{tender}/send", {"act": "apply", "statement": "許可あり"})
    assert NAME in town.officer.get(f"desk/tenders/{tender}").text


def test_no_notice_tells_the_desk_before_the_opening_that_a_branch_has_bid(town: Town):
    """指名競争: the desk prints the notices of 日時変更 and of the deadline. Were one addressed to the 受任者 who has bid, and the next to
    the 代表者, the official would read from the names who has bid."""
    tender = town.publish(method="selective")
    silent, bidding = town.company(1), town.company(2)
    for company in (silent, bidding):
        given = {"corporate_number": company.number, "nomination": "同種の施工実績"}
        assert town.officer.post(f"desk/tenders/{tender}/invitations", given).status_code == 200
    addressee = NAME.replace(" ", "")
    branches = [delegate(town, company, serial) for company, serial in ((silent, 51), (bidding, 52))]
    assert branches[1].bid(tender, 9_000_000).status_code == 200
    given = {
        "version": town.version(tender), "reason": "図面の訂正", "bid_until": local_input_in(town, days=6),
        "opens_at": local_input_in(town, days=6, hours=2),
    }  # fmt: skip
    assert town.officer.post(f"desk/tenders/{tender}/postpone", given).status_code == 200
    town.advance(days=6, hours=1)
    town.work()
    assert addressee not in printed(town, tender)
    town.advance(hours=2)
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    assert addressee in printed(town, tender), "after the opening the notice names who has bid"


def printed(town: Town, tender: str) -> str:
    """The words of every notice that the desk prints, without spaces."""
    page = town.officer.get(f"desk/tenders/{tender}/letters").text
    addresses = re.findall(r'href="[^"]*/(desk/tenders/[^"]+/letters/[^"]+\.pdf)"', page)
    papers = [PdfReader(io.BytesIO(town.officer.get(each).content)) for each in addresses]
    assert papers
    return "".join("".join(page.extract_text().split()) for paper in papers for page in paper.pages)


def test_a_code_works_once_for_one_person_and_not_for_ever(town: Town):
    company = town.company(1)
    code = code_in(company.post("/ebid/company/delegates", entrusting()).text)
    assert code not in company.get("/ebid/company/delegates").text, "it is shown once"
    first, second = (Browser(town, town.company_actor(serial)) for serial in (51, 52))
    assert first.post("/ebid/delegate", {"code": code}).status_code == 200
    assert second.post("/ebid/delegate", {"code": code}).status_code == 422
    assert first.post("/ebid/delegate", {"code": code}).status_code == 422
    for wrong in ("", "x" * 500, "２３４"):
        assert second.post("/ebid/delegate", {"code": wrong}).status_code == 422
    other = code_in(company.post("/ebid/company/delegates", entrusting(name="別の人")).text)
    taken = first.post("/ebid/delegate", {"code": other})
    assert taken.status_code == 409 and "1つだけ" in taken.text
    town.advance(days=15)
    assert second.post("/ebid/delegate", {"code": other}).status_code == 422


def test_only_the_company_itself_entrusts_and_ends(town: Town):
    tender = town.publish()
    company, rival = town.company(1), town.company(2)
    branch = delegate(town, company)
    assert branch.get("/ebid/company/delegates").status_code == 403
    assert branch.post("/ebid/company/delegates", entrusting()).status_code == 403
    assert branch.post("/ebid/company", company.form(name="乗っ取り建設")).status_code == 403
    shown = branch.get("/ebid/company")
    assert shown.url.path == "/ebid/delegate" and "登録は令和" in visible(shown.text), "until when the company may bid"
    address = re.search(r'action="([^"]+/end)"', company.get("/ebid/company/delegates").text)
    assert address
    assert rival.post(address.group(1)).status_code == 404
    assert NAME not in rival.get("/ebid/company/delegates").text
    assert company.post(address.group(1)).status_code == 200
    assert branch.get(f"tenders/{tender}/bid").status_code == 403, "ended, nobody's"
    assert company.post(address.group(1)).status_code == 200, "ending twice is ending once"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"branch": ""}, "支店・営業所の名称を入力"),
        ({"name": " "}, "受任者の氏名を入力"),
        ({"categories": []}, "任せる区分を"),
        ({"categories": ["consulting"]}, "任せる区分を"),
        ({"tenants": ["999999"]}, "任せる市町村を"),
        ({"last": "2026-10-31"}, "任せる期間を、2年以内"),
        ({"last": "2030-01-01"}, "任せる期間を、2年以内"),
        ({"first": "きょう"}, "任せる期間を、2年以内"),
        ({"first": "2025-01-01", "last": "2025-12-31"}, "期間が過ぎて"),
    ],
)
def test_a_mandate_says_what_to_mend(town: Town, changed: dict[str, Any], sentence: str):
    answer = town.company(1).post("/ebid/company/delegates", entrusting(**changed))
    assert answer.status_code == 422 and sentence in visible(answer.text), visible(answer.text)
