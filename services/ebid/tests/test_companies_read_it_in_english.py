"""What companies and the public read is there in English; texts that people wrote stay as they were written."""

from pathlib import Path

import pytest

from libs.common.web import i18n
from services.ebid.tests.people import Town, visible

pytestmark = pytest.mark.any_store

TEMPLATES = Path(__file__).parents[1] / "templates"


def test_every_sentence_of_the_public_pages_has_its_english():
    pages = [*TEMPLATES.glob("*.html"), *(TEMPLATES / "fragments").glob("home.html")]
    asked = "".join(page.read_text("utf-8") for page in pages)
    common = i18n.translations("en", Path(i18n.__file__).parent / "locale")
    missing = [
        text for text in i18n.untranslated(TEMPLATES, "en") if f'_("{text}"' in asked and common.gettext(text) == text
    ]
    assert asked.count('_("') > 100 and missing == []


def test_a_company_bids_in_english(town: Town):
    tender = town.publish(paper="1")
    page = visible(town.guest().get(f"tenders/{tender}/?lang=en").text)
    for words in (
        "Deadline for bids",
        "Open tender (qualification after)",
        "Minimum price",
        "Save the announcement as PDF",
        "Paper bids",
    ):
        assert words in page, words
    assert "市道中央線舗装工事" in page
    bid = visible(town.company(1).get(f"tenders/{tender}/bid?lang=en").text)
    assert "Seal and submit the bid" in bid and "封を" not in bid
