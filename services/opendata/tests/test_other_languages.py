"""Everybody's pages in English and やさしい日本語; what municipalities wrote stays as they wrote it."""

import re
from pathlib import Path

import pytest

from libs.common.testing.templates import templates_with_inline_code
from libs.common.web import i18n
from services.opendata.tests.people import Town, visible

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


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/opendata/datasets/nothing", "There is no such data set."),
        ("/opendata/requests/nothing", "There is no such page."),
        ("/opendata/sensors/nothing", "There is no such sensor."),
    ],
)
def test_what_is_not_there_says_so_in_the_reader_s_language(town: Town, path: str, word: str):
    page = town.visitor().get(path, params={"lang": "en"})
    assert page.status_code == 404 and word in page.text
    assert word not in town.visitor().get(path).text


def test_a_chart_s_title_is_one_sentence_of_one_language(town: Town):
    content = "区分,数\r\n".encode() + "公園,1\r\n学校,2\r\n".encode() * 3
    name = town.name_of(town.publish(content, "区分.csv", title="まちの区分"))
    [file] = town.visitor().result("package_show", id=name)["resources"]
    address = f"/opendata/datasets/{name}/resources/{file['id']}/chart"
    assert "まちの区分: Number of rows by 区分" in town.visitor().get(address, params={"lang": "en"}).text
    assert "まちの区分：区分ごとの行の数" in town.visitor().get(address).text


def test_the_table_beside_a_chart_says_in_the_reader_s_language_what_was_counted(town: Town):
    content = "区分,広さ\r\n".encode() + "公園,1\r\n学校,2\r\n".encode() * 3
    name = town.name_of(town.publish(content, "区分.csv", title="まちの区分"))
    [file] = town.visitor().result("package_show", id=name)["resources"]
    address = f"/opendata/datasets/{name}/resources/{file['id']}/chart"
    for asked, heading in (
        ({"lang": "en"}, "Number of rows"),
        ({}, "行の数"),
        ({"x": "区分", "y": "広さ", "how": "sum"}, "合計（広さ）"),
    ):
        [told] = re.findall(r"<thead.*?</thead>", town.visitor().get(address, params=asked).text, re.DOTALL)
        assert visible(told).split() == ["区分", *heading.split()], asked
