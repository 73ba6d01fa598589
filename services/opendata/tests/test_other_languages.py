"""Everybody's pages in English and やさしい日本語; what municipalities wrote stays as they wrote it."""

from pathlib import Path

import pytest

from libs.common.testing.templates import templates_with_inline_code
from libs.common.web import i18n
from services.opendata.tests.people import Town

pytestmark = pytest.mark.any_store

TEMPLATES = Path(__file__).parents[1] / "templates"


@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_no_sentence_lacks_its_translation(lang: str):
    assert i18n.untranslated(TEMPLATES, lang) == []


def test_no_template_holds_code_the_security_policy_would_refuse():
    assert templates_with_inline_code(TEMPLATES) == {}


@pytest.mark.parametrize(("lang", "word"), [("en", "Licence"), ("ja-easy", "使う ときの 決まり")])
def test_a_data_set_s_page_speaks_the_reader_s_language(town: Town, lang: str, word: str):
    name = town.name_of(town.publish())
    page = town.visitor().get(f"/opendata/datasets/{name}", params={"lang": lang})
    assert page.status_code == 200
    assert word in page.text
