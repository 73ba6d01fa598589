"""People read and apply in English and in やさしい日本語; what is kept, and what staff read, is the same in all languages."""

import html
import re
import shutil
from pathlib import Path

import pytest

from libs.common.errors import Invalid
from libs.common.web import i18n
from services.eapply import sample_stories
from services.eapply.forms import definition, document
from services.eapply.tests.people import EVENT, Browser, Town, visible
from services.eapply.tests.test_a_citizen_applies import claim_child_allowance
from services.eapply.tests.test_cosigners import STATEMENT, ask, corrected, flag
from services.eapply.use_cases import procedures, templates

pytestmark = pytest.mark.any_store

TEMPLATES = Path(__file__).parents[1] / "templates"
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]+")
MARKED = re.compile(r"<(\w+)\b[^>]*\blang=\"ja\"[^>]*>.*?</\1>", re.DOTALL)
NAMES = (
    "久留米市",
    "共同クラウド",
    "児童手当法",
    "災害対策基本法",
    "子育て支援課",
    "税務課",
    "生涯学習課",
    "市民課",
    "こども家庭センター",
    "保育課",
    "介護保険課",
    "福祉課",
    "人事課",
    "罹災証明書",
)
"""Proper names stand in English texts too (WCAG 3.1.2 excepts them)."""


def unmarked_japanese(page: str, *typed: str) -> list[str]:
    """Japanese that a screen reader would read as English: not marked as Japanese, no name, not typed by the person."""
    words = html.unescape(MARKED.sub("", page))
    words = re.sub(r"<(script|style)\b.*?</\1>|\b(value|name|content)=\"[^\"]*\"", "", words, flags=re.DOTALL)
    for each in (*NAMES, *typed):
        words = words.replace(each, "")
    return JAPANESE.findall(words)


def reader(town: Town, lang: str, browser: Browser | None = None) -> Browser:
    browser = browser or town.guest(f"reader-{lang}")
    browser.get("", params={"lang": lang})
    return browser


def test_the_parts_of_a_day_are_year_month_and_day(town: Town):
    """The unit of a number at the desk (14日間) was said of the day of a birth as well: "Year, Month, days"."""
    guest = reader(town, "en")
    page = guest.get(f"{guest.start('jido-teate-nintei')}/start").text
    labels = dict(re.findall(r'<label[^>]* for="[^"]*reason_date-(\w+)"[^>]*>([^<]+)</label>', page))
    assert labels == {"year": "Year", "month": "Month", "day": "Day"}


@pytest.mark.parametrize(
    ("era", "year", "month", "day", "said"),
    [
        ("heisei", "31", "5", "1", "Reiwa 1, month 5, day 1"),
        ("showa", "64", "1", "8", "Heisei 1, month 1, day 8"),
        ("seireki", "1990", "2", "30", "(Heisei 2)"),
    ],
)
def test_a_day_of_another_era_is_told_in_the_readers_language(
    town: Town, era: str, year: str, month: str, day: str, said: str
):
    """The advice of an English page ended in Japanese: 令和元年5月1日."""
    guest = reader(town, "en")
    draft = guest.start("jido-teate-nintei")
    typed = {"birth_era": era, "birth_year": year, "birth_month": month, "birth_day": day}
    answer = guest.post(f"{draft}/claimant", typed)
    assert answer.status_code == 422 and said in visible(answer.text)


def test_unmarked_japanese_is_found():
    assert unmarked_japanese('<p>Hello 申請</p><b title="理由">x</b>') == ["申請", "理由"]
    assert unmarked_japanese('<p>久留米市 <span lang="ja">申請</span></p><input value="陽子">') == []


def test_no_sentence_lacks_its_english():
    assert len(set(i18n.messages(TEMPLATES))) > 250, "the sentences were found"
    assert i18n.untranslated(TEMPLATES, "en") == []


def test_no_page_for_citizens_lacks_easy_japanese(tmp_path: Path):
    citizens = tmp_path / "templates"
    shutil.copytree(TEMPLATES, citizens, ignore=shutil.ignore_patterns("desk", "desk.html"))
    shutil.copytree(TEMPLATES.parent / "locale", tmp_path / "locale")
    assert len(set(i18n.messages(citizens))) > 100
    assert i18n.untranslated(citizens, "ja-easy") == []
    (citizens / "new.html").write_text('{{ _("まだ訳していない文") }}', encoding="utf-8")
    assert i18n.untranslated(citizens, "ja-easy") == ["まだ訳していない文"]


CITIZENS = (
    "api/applications.py", "api/citizen.py", "api/cosigning.py", "api/delegates.py", "api/drafting.py", "api/filling.py",
    "api/my_numbers.py", "api/own_keys.py", "api/paying_page.py", "api/prints.py", "api/together.py", "api/verifying.py", "api/visiting.py",
    "forms/raw.py", "forms/read.py", "forms/readers.py", "forms/uploads.py", "use_cases/attach.py", "use_cases/delegates.py",
    "use_cases/drafts.py", "use_cases/enquire.py", "use_cases/own_keys.py", "use_cases/submit.py", "use_cases/together.py",
    "use_cases/who.py", "vault.py",
)  # fmt: skip
"""Code whose sentences citizens read: on pages, beside inputs, when something is refused."""


@pytest.mark.parametrize("name", CITIZENS)
def test_no_sentence_of_the_code_for_citizens_lacks_easy_japanese(tmp_path: Path, name: str):
    (tmp_path / "templates").mkdir()
    shutil.copytree(TEMPLATES.parent / "locale", tmp_path / "locale")
    shutil.copy(TEMPLATES.parent / name, tmp_path / "said.py")
    assert i18n.untranslated(tmp_path / "templates", "ja-easy") == []
    with (tmp_path / "said.py").open("a", encoding="utf-8") as code:
        code.write('\nsay("まだ訳していない文")\n')
    assert i18n.untranslated(tmp_path / "templates", "ja-easy") == ["まだ訳していない文"]


@pytest.mark.parametrize(
    "procedure",
    [*(each for each in templates.common() if each.translations), sample_stories.own_procedure()],
    ids=lambda each: each.key,
)
@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_every_text_of_the_procedures_is_translated(procedure: definition.Procedure, lang: str):
    legal = {procedure.remedy, procedure.legal.source}
    texts = set(definition.texts(procedure.document)) - legal
    assert len(texts) > 15
    assert texts - set(procedure.translations[lang]) == set()
    assert procedure.in_language(lang).remedy == procedure.remedy, "the 教示 is a legal text: it stays as it is"


def test_a_translation_of_a_text_that_is_not_there_is_refused():
    text = document.to_yaml(next(each for each in templates.common() if each.translations).document)
    assert document.from_yaml(text).translations
    with pytest.raises(Invalid) as refusal:
        document.from_yaml(text.replace("label: 電話番号", "label: 電話の番号"))
    assert "電話番号" in str(refusal.value.fields)


def test_procedures_are_found_by_their_english_names(town: Town):
    page = reader(town, "en").get("", params={"q": "allowance"}).text
    assert "Child allowance: application" in page and "certificate" not in visible(page)


def test_guest_applies_in_english_from_the_list_to_the_receipt(town: Town):
    guest = reader(town, "en")
    for address in ("", "event-moushikomi/", "jido-teate-nintei/", "kodomo-iryo/", "risai-shomei/", "mine", "enquiry"):
        assert unmarked_japanese(guest.get(address).text) == [], address
    draft = guest.start("event-moushikomi")
    wrong = guest.post(f"{draft}/entry", EVENT | {"phone": "0942-30-900", "people": "百", "name": ""})
    assert wrong.status_code == 422
    assert "Telephone number: this has 9 digits. Enter 10 or 11 digits, with the area code." in visible(wrong.text)
    assert "Name of the contact person: please fill this in." in visible(wrong.text)
    assert unmarked_japanese(wrong.text) == []
    sent = guest.apply_for_event(people="３人")
    assert unmarked_japanese(sent.page.text, EVENT["name"]) == []
    assert "We have received your application: Events" in visible(sent.page.text)
    for address in ("", "/answers", "/receipt", "/withdraw"):
        page = guest.get(f"applications/{sent.id}{address}").text
        assert unmarked_japanese(page, EVENT["event"], EVENT["name"], "タカハシ　ヨシロウ") == [], address
    assert "3 people" in visible(guest.get(f"applications/{sent.id}/answers").text)
    assert "３" not in guest.get(f"applications/{sent.id}/answers").text


def test_what_was_applied_for_in_english_is_read_in_japanese_by_staff(town: Town):
    sent = claim_child_allowance(reader(town, "en"))
    page = visible(town.staff().get(f"desk/cases/{sent}").text)
    for words in ("児童手当 認定請求", "お子さんが生まれた", "令和8年11月13日", "お子さん1 氏名", "同意しました"):
        assert words in page, words
    english = visible(reader(town, "en").get(f"applications/{sent}/answers").text)
    for words in ("A child was born", "13 November 2026", "Child 1: Name", "Agreed"):
        assert words in english, words


@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_every_step_with_nothing_filled_in_says_so_in_the_language(town: Town, lang: str):
    guest = reader(town, lang)
    for procedure in (each for each in templates.common() if each.translations):
        with town.service.database.transaction(tenant=town.code) as session:
            procedures.publish(session, procedure, town.service.clock.now())  # not every town begins with all of them
        draft = guest.start(procedure.key)
        for step in procedure.steps:
            page = guest.post(f"{draft}/{step.key}", {"act": "next"})
            assert page.status_code == 422
            assert "入力してください。" not in page.text and "添えてください。" not in page.text
            assert lang != "en" or unmarked_japanese(page.text) == [], (procedure.key, step.key)


def test_a_date_that_cannot_be_is_explained_in_english(town: Town):
    guest = reader(town, "en")
    draft = guest.start("risai-shomei")
    day = {
        "disaster_date_era": "heisei",
        "disaster_date_year": "40",
        "disaster_date_month": "5",
        "disaster_date_day": "2",
    }
    page = guest.post(f"{draft}/damage", day | {"act": "next"})
    assert "Day of the damage: Heisei ends on day 30 of month 4 of its year 31." in visible(page.text)


def test_reasons_of_staff_stay_japanese_and_are_marked(town: Town):
    guest = reader(town, "en")
    sent = guest.apply_for_event()
    staff = town.staff()
    staff.post(f"desk/cases/{sent.id}/take", {"version": "1"})
    asked = {
        "version": "2", "fields": ["phone"], "reason:phone": "番号が使われていません", "message": "お願いします",
        "due_era": "seireki", "due_year": "2026", "due_month": "12", "due_day": "4",
    }  # fmt: skip
    assert staff.post(f"desk/cases/{sent.id}/correction", asked, follow_redirects=False).status_code == 303
    for address in ("", "/correction"):
        page = guest.get(f"applications/{sent.id}{address}").text
        assert '<span lang="ja">番号が使われていません</span>' in page
        assert "Telephone number" in visible(page)
        assert unmarked_japanese(page) == [], address


def test_the_desk_can_be_read_in_english(town: Town):
    sent = town.guest().apply_for_event()
    staff = reader(town, "en", town.staff())
    typed = (EVENT["event"], EVENT["name"], "タカハシ　ヨシロウ", "古賀 真理")
    for address in ("desk/", f"desk/cases/{sent.id}"):
        page = visible(staff.get(address).text)
        assert "Not started" in page and "未着手" not in page, typed


def test_refusals_are_told_in_the_readers_language(town: Town):
    assert "This procedure was not found." in visible(reader(town, "en").get("nothing-here/").text)
    assert "その 手続きは ありません。" in visible(reader(town, "ja-easy").get("nothing-here/").text)


def test_what_a_cosigner_confirms_stays_in_the_words_of_the_procedure_and_is_marked_so(town: Town):
    flag(town, 1)
    guest = town.guest()
    link = ask(guest, guest.apply_for_event(), "荒木 直美")
    page = reader(town, "en").get(link).text
    assert f'<span lang="ja">{STATEMENT}</span>' in page
    assert unmarked_japanese(page, EVENT["name"], "荒木 直美") == []


def test_what_was_corrected_is_told_to_cosigners_in_their_language(town: Town):
    person, _, sent = corrected(town)
    listed = person.get(f"applications/{sent.id}/cosigners").text
    each = re.search(r"cosigners/([0-9a-f-]{36})/renew", listed)
    assert each
    renewed = person.post(f"applications/{sent.id}/cosigners/{each[1]}/renew").text
    link = re.search(r"/t/\d{6}/eapply/sign/[\w-]{20,}", renewed)
    assert link
    page = reader(town, "en").get(link[0]).text
    assert "Number of people" in visible(page), visible(page)
    assert unmarked_japanese(page, EVENT["name"], "荒木 直美0") == []


def test_what_the_office_wrote_is_marked_as_japanese_in_the_list_of_messages(town: Town):
    person = town.person()
    person.apply_for_event()
    page = reader(town, "en", person).get("mine").text
    assert "申請を受け付けました" in page
    assert unmarked_japanese(page, "筑後 陽子") == []
