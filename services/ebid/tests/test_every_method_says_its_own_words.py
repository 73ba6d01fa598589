"""From draft to result in every method and kind of contract: each page, mail and notice is called what the method calls it.

入札書 and 落札者 exist in 競争入札 alone; 随意契約 and オープンカウンター have 見積書 and 契約の相手方, a プロポーザル is 特定.
Where companies are chosen there is no 公告.
"""

import ast
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.notices import NoticeRow
from services.ebid.domain import procedure, wording
from services.ebid.domain.limits import Limits
from services.ebid.domain.opened import REASONS, bid_payload, read_bid
from services.ebid.domain.ranking import Bid, judge
from services.ebid.domain.terms import terms_of
from services.ebid.tests.people import Browser, Company, Town, hidden, local_input_in, visible
from services.ebid.tests.test_a_scored_tender import confirmed, score
from services.ebid.tests.test_papers_and_deadlines_to_keep import text_of

NOON = datetime(2026, 11, 27, 3, tzinfo=UTC)
OURS = ("自社の入札", "電子入札", "久留米市の入札", "見積もった", "競争入札に適しない", "入札 担当")
"""Names of rooms of this cloud, a verb, a ground of the law and an officer: in all methods the same."""
PROPOSAL = {"award": "addition", "criteria": "実施体制 30\n提案内容 70", "weight": "50", "curve": "linear"}
FOREIGN = {
    "bid": ("見積", "契約の相手方", "特定"),
    "quotation": ("入札", "開札", "落札", "指名", "特定", "最低制限", "事後審査", "総合評価"),
    "proposal": ("入札", "開札", "落札", "指名", "最低制限"),
}
WAYS = {"designated": "bid", "counter": "quotation"} | {way: way for way in FOREIGN}
RESULT = {
    "bid": (
        "入札書",
        "入札の締切",
        "入札書受付票",
        "入札締切通知書",
        "落札者決定通知書",
        "落札金額（税込）",
        "入札調書",
    ),
    "quotation": ("見積書", "見積の締切", "見積書受付票", "見積締切通知書", "決定通知書", "契約の相手方", "見積調書"),
    "proposal": (
        "見積書",
        "参加表明書受付票",
        "見積書受付票",
        "見積締切通知書",
        "特定通知書",
        "非特定通知書",
        "審査結果調書",
    ),
}


@dataclass
class Reading:
    """What is read on the way, with where it stood."""

    town: Town
    texts: dict[str, str] = field(default_factory=dict[str, str])

    def page(self, name: str, browser: Browser, path: str) -> None:
        answer = browser.get(path)
        assert answer.status_code == 200, (name, visible(answer.text))
        self.texts[name] = visible(answer.text[answer.text.index("<main") : answer.text.index("</main>")])

    def paper(self, name: str, browser: Browser, path: str) -> None:
        answer = browser.get(path)
        assert answer.status_code == 200, (name, answer.text)
        self.texts[name] = text_of(answer.content)

    def notices(self, name: str, company: Company) -> None:
        self.page(f"{name}: mine", company, "mine")
        for number, path in enumerate(re.findall(r'href="([^"]*/letters/[^"]+)"', company.get("mine").text)):
            self.page(f"{name}: letter {number}", company, path)
            self.paper(f"{name}: paper of letter {number}", company, f"{path}/letter.pdf")

    def mails(self) -> None:
        with self.town.service.database.reading() as session:
            for row in session.scalars(select(NoticeRow)):
                if "案件番号" in row.body:  # of a tender, not of the company's registration
                    self.texts[f"mail {row.id}"] = f"{row.subject} {row.body}"

    def misfits(self, foreign: tuple[str, ...]) -> dict[str, list[str]]:
        """Words of another way, by where they stand."""
        found: dict[str, list[str]] = {}
        for name, text in self.texts.items():
            for word in OURS:
                text = text.replace(word, "")
            wrong = [text[max(0, text.index(word) - 15) :][:40] for word in foreign if word in text]
            if wrong:
                found[name] = wrong
        return found


def admitted(town: Town, tender: str, method: str, serial: int) -> Company:
    """A company that may bid, in the way of the method."""
    how, company = procedure.METHODS[method], town.company(serial)
    company.post("/ebid/company", company.form(categories=list(procedure.REGISTER)))
    if how.access == "qualified":
        return confirmed(town, tender, company, f"資料{serial}.pdf")
    if how.access == "invited":
        given = {"corporate_number": company.number, "nomination": "実績"}
        assert town.officer.post(f"desk/tenders/{tender}/invitations", given).status_code == 200
    return company


def published(reading: Reading, **form: Any) -> str:
    """As `Town.publish`, with each page of the desk on the way."""
    town = reading.town
    town.register_trustees()
    tender = town.draft(**form)
    desk, approval = f"desk/tenders/{tender}", f"desk/approvals/{tender}"
    reading.page("limits", town.officer, f"{desk}/limits")
    assert town.seal_limits(tender).status_code == 200
    reading.page("draft", town.officer, desk)
    town.officer.post(f"{desk}/submit", {"version": town.version(tender)})
    reading.page("in review", town.officer, desk)
    reading.page("approval", town.manager, approval)
    version = hidden(town.manager.get(approval).text, "version")
    answer = town.manager.post(f"{approval}/publish", {"version": version})
    assert answer.status_code == 200, visible(answer.text)
    reading.page("at the desk", town.officer, desk)
    return tender


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("category", procedure.KINDS)
@pytest.mark.parametrize("method", procedure.METHODS)
def test_from_draft_to_result_in_its_own_words(town: Town, method: str, category: str):
    how, way = procedure.METHODS[method], WAYS[wording.way_of(method)]
    more = {"apply_until": local_input_in(town, days=3)} if how.access == "qualified" else {}
    reading, guest = Reading(town), town.guest()
    tender = published(reading, method=method, category=category, **(PROPOSAL if how.scored == "must" else {}), **more)
    companies = [admitted(town, tender, method, serial) for serial in (1, 2, 3, 4)]
    reading.page("announced", guest, f"tenders/{tender}/")
    reading.paper("notice", guest, f"tenders/{tender}/notice.pdf")
    reading.texts["calendar"] = guest.get(f"tenders/{tender}/calendar.ics").text
    reading.page("before the bid", companies[0], f"tenders/{tender}/")
    reading.page("bid", companies[0], f"tenders/{tender}/bid")
    if how.scored == "must":
        for company in companies:
            assert score(town, tender, company, "20", "50").status_code == 200
        assert town.officer.post(f"desk/tenders/{tender}/scores").status_code == 200
    for company, amount in zip(companies, (9_000_000, 9_500_000), strict=False):
        company.bid(tender, amount)
    companies[3].bid(tender, 0)  # 無効
    companies[2].post(f"tenders/{tender}/send", {"act": "decline"})
    reading.page("sent", companies[0], f"tenders/{tender}/bid")
    reading.paper("receipt", companies[0], f"tenders/{tender}/receipt.pdf")
    reading.page("sent and after", companies[0], f"tenders/{tender}/")
    town.close()
    reading.page("closed", companies[0], f"tenders/{tender}/")
    reading.page("desk before opening", town.officer, f"desk/tenders/{tender}")
    reading.page("trustee", town.trustee("trustee-1"), f"desk/trustees/{tender}")
    town.open(tender)
    reading.page("desk after opening", town.officer, f"desk/tenders/{tender}")
    reading.paper("opening", town.officer, f"desk/tenders/{tender}/result.pdf")
    if "適格と認める" in reading.texts["desk after opening"]:
        town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
        reading.page("desk after clearing", town.officer, f"desk/tenders/{tender}")
    assert town.conclude(tender).status_code == 200
    reading.page("result", guest, f"tenders/{tender}/")
    reading.paper("record", guest, f"tenders/{tender}/result.pdf")
    for number, company in enumerate(companies):
        reading.notices(f"company {number}", company)
    if how.access == "registered":
        reading.page("closing", companies[0], f"tenders/{tender}/closing")
        reading.paper("closing paper", companies[0], f"tenders/{tender}/closing.pdf")
    reading.mails()
    assert reading.misfits(FOREIGN[way] + (("公告",) if how.access == "invited" else ())) == {}
    told = " ".join(reading.texts.values())
    assert [word for word in (*RESULT[way], "無効 金額が正しくありません") if word not in told] == []


TOOLS = ("sealing", "verify", "domain/breakdown.py", "domain/money.py")
"""What does not know the method of the tender it speaks of: both tools, and what is refused of a typed amount."""


def test_a_tool_that_cannot_know_the_method_says_no_word_that_one_method_has_alone():
    said = {text for path in sources(TOOLS) for text in texts(path)} - set(REASONS)
    assert len(said) > 150
    wrong = [text for text in said for word in ("開札", "公告", "落札者決定", "入札金額", "入札者") if word in text]
    keys = [text for text in said if "鍵" in text.replace("公開鍵", "")]
    assert wrong == keys == []


def sources(places: tuple[str, ...]) -> list[Path]:
    root = Path(wording.__file__).parents[1]
    return [
        path
        for place in places
        for path in ((root / place).glob("*.py") if (root / place).is_dir() else [root / place])
    ]


def texts(path: Path) -> list[str]:
    """Japanese constants; of the docstrings only the tools' own help."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    docs = {
        node.body[0].value.value for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
    }  # fmt: skip
    loose = {
        node.value.value for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }  # fmt: skip
    help_ = (ast.get_docstring(tree) or "") if path.name == "__main__.py" else ""
    return [text for text in [*(each for each in told if each not in docs | loose), help_] if not text.isascii()]


@pytest.mark.parametrize("given", [None, {}, {"amount": 0}, {"lottery_number": "1"}, {"blind": "x"}, {"picks": [1, 1]}])
def test_every_reason_why_a_bid_is_invalid_has_words_for_all_methods(given: dict[str, Any] | None):
    whole = bid_payload(9_000_000, "418") | {"blind": "0" * 64}
    made = read_bid(given if not given else whole | given, "", bidder="a", arrived_at=NOON, sequence=0)
    assert made.invalid in REASONS
    below = judge(terms_of({"tender": "t"}), bid_at(10), Limits(), last_lowest=9, refused={})
    assert below.bid.invalid in REASONS


def bid_at(amount: int) -> Bid:
    return Bid("a", amount, "418", NOON, 0)
