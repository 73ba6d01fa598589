"""What companies and the public read is there in English; texts that people wrote stay as they were written."""

from pathlib import Path

import pytest

from libs.common.web import i18n
from services.ebid.tests.people import Town, visible
from services.ebid.tests.test_papers_and_deadlines_to_keep import text_of
from services.ebid.use_cases import letters

pytestmark = pytest.mark.any_store

TEMPLATES = Path(__file__).parents[1] / "templates"


def test_every_sentence_of_pages_desk_and_refusals_has_its_english():
    common = i18n.translations("en", Path(i18n.__file__).parent / "locale")
    assert [text for text in i18n.untranslated(TEMPLATES, "en") if common.gettext(text) == text] == []
    assert len(set(i18n.messages(TEMPLATES))) > 1000


def test_a_company_bids_in_english(town: Town):
    tender = town.publish(paper="1")
    page = visible(town.guest().get(f"tenders/{tender}/?lang=en").text)
    for words in (
        "Deadline for bids",
        "Conditional open tender (qualification after)",
        "Minimum price",
        "Save these particulars as PDF",
        "Paper bids",
    ):
        assert words in page, words
    assert "市道中央線舗装工事" in page
    bid = visible(town.company(1).get(f"tenders/{tender}/bid?lang=en").text)
    assert "Seal and submit the bid" in bid and "封を" not in bid


def test_the_result_and_its_paper_tell_standings_in_english_and_show_no_table_of_nobody(town: Town):
    tender = town.publish()
    town.company(1).bid(tender, 9_000_000)
    town.company(2).bid(tender, 11_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    page = visible(town.guest().get(f"tenders/{tender}/?lang=en").text)
    paper = text_of(town.guest().get(f"tenders/{tender}/result.pdf?lang=en").content)
    for told in (page, paper):
        assert "above the reserve price" in told and "予定価格超過" not in told
    assert "there is a candidate" in paper
    nobody = town.publish()
    town.close()
    town.open(nobody)
    assert town.conclude(nobody, conclusion="応札者がなかったため").status_code == 200
    page = town.guest().get(f"tenders/{nobody}/?lang=en").text
    paper = text_of(town.guest().get(f"tenders/{nobody}/result.pdf?lang=en").content)
    assert "no award (no bids)" in paper
    assert "Lottery number" not in visible(page) and "Lottery number" not in paper


def test_an_announcement_says_which_bids_are_invalid_where_the_law_wants_it(town: Town):
    """施行令167条の6第2項: 一般競争入札; by 167条の12第3項 the notice of 指名, too. 随意契約 has no such sentence."""
    tender = town.publish()
    for told in (
        visible(town.guest().get(f"tenders/{tender}/").text),
        text_of(town.guest().get(f"tenders/{tender}/notice.pdf").content),
    ):
        assert "入札の条件に違反した入札は、無効とします" in told.replace(" ", "")
    assert "入札の条件に違反した入札は、無効とします" in letters.KINDS["invited"][1]
    counter = town.publish(method="open_counter", category="goods")
    assert "無効とします" not in visible(town.guest().get(f"tenders/{counter}/").text)
