"""Whoever chose やさしい日本語 reads the first steps and what cannot be taken back in it, and is told that the rest is not in it yet."""

from pathlib import Path

from babel.messages.pofile import read_po

from libs.common.web import i18n
from services.ebid.tests.people import Town, visible

TEMPLATES = Path(__file__).parents[1] / "templates"
SAID = "やさしい日本語に なって いない 文が あります。"


def test_a_tender_and_the_bid_in_easy_japanese_say_what_is_not_in_it(town: Town):
    tender = town.publish()
    guest, company = town.guest(), town.company(1)
    for page in (guest.get("?lang=ja-easy"), guest.get(f"tenders/{tender}/?lang=ja-easy"),
                 company.get(f"tenders/{tender}/bid?lang=ja-easy"), company.get("mine?lang=ja-easy")):  # fmt: skip
        assert page.status_code == 200 and SAID in visible(page.text)
    assert "入札が できる 最後の 日と 時間" in visible(guest.get(f"tenders/{tender}/?lang=ja-easy").text)
    bid = visible(company.get(f"tenders/{tender}/bid?lang=ja-easy").text)
    assert "送った あとは、直す ことも、やめる ことも できません。" in bid
    for lang in ("ja", "en"):
        assert SAID not in visible(guest.get(f"tenders/{tender}/?lang={lang}").text)


def test_every_easy_sentence_is_one_that_a_page_asks_for():
    """A sentence whose Japanese has changed would stay hard, and nobody would see it."""
    asked = {each if isinstance(each, str) else each[0] for each in i18n.messages(TEMPLATES)}
    with i18n.catalogue_path(TEMPLATES.parent / "locale", "ja-easy").open("rb") as source:
        catalogue = read_po(source, locale="ja")
    assert [each.id for each in catalogue if each.id and each.id not in asked] == []
