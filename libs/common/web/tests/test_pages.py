"""What every page gets from the shell: language, sample banner, who is asking, refusals; and its static files."""

import ast
import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from jinja2 import UndefinedError

from libs.common.actor import Actor
from libs.common.errors import Gone, Invalid, NotSignedIn, Refusal, TooWeak, Unavailable, say
from libs.common.testing.templates import templates_with_inline_code
from libs.common.web import Brand, Pages, Place, i18n, static_app, static_url
from libs.common.web.assets import assets
from libs.common.web.filters import size, written

SHELL = Path(i18n.__file__).parent
PAGE = """{% extends "shell/public.html" %}{% set title = "窓口" %}
{% block content %}<p>{{ _("こんにちは") }}</p>{{ more }}{% endblock %}"""
ENGLISH = 'msgid "こんにちは"\nmsgstr "Hello"\n\nmsgid "本文へ進む"\nmsgstr "Our own words"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "page.html").write_text(PAGE, encoding="utf-8")
    catalogue = i18n.catalogue_path(tmp_path / "locale", "en")
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(ENGLISH, encoding="utf-8")
    return templates


def client(folder: Path, *, sample: bool = False, actor: Actor | None = None, **context: object) -> TestClient:
    pages = Pages(folder, brand=Brand("試しの雲", lead="試しの"), sample=sample)
    app = FastAPI()
    app.mount("/static", static_app())

    @app.get("/page")
    def page(request: Request) -> object:
        request.state.actor = actor
        return pages.render(request, "page.html", **({"more": ""} | context))

    for status, refusal in {
        401: NotSignedIn("サインインしてください。"),
        422: Invalid("直してください。", fields={"tel": "電話番号が9桁です。"}),
        503: Unavailable("いま保存できませんでした。", retry_after=10),
    }.items():
        app.get(f"/refused/{status}")(refusing(pages, refusal))
    return TestClient(app)


def refusing(pages: Pages, refusal: Exception):
    def refused(request: Request) -> object:
        return pages.refused(request, refusal)  # type: ignore[arg-type]

    return refused


def test_a_page_is_japanese_unless_asked_otherwise(folder: Path) -> None:
    answer = client(folder).get("/page", headers={"accept-language": "fr"})
    assert '<html lang="ja">' in answer.text and "こんにちは" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("query", "said", "lang"),
    [
        ("", "", "ja"),
        ("", "en", "en"),
        ("", "en-GB,ja;q=0.8", "en"),
        ("", "ja-easy, en;q=0.5", "ja-easy"),
        ("", "fr, ja;q=0.3, en;q=0.5", "en"),
        ("", "en;q=0", "ja"),
        ("", "en;q=x, *", "ja"),
        ("", "de", "ja"),
        ("lang=ja", "en", "ja"),
        ("lang=ja-easy", "en", "ja-easy"),
    ],
)
def test_a_program_is_answered_in_the_language_it_asks_for(query: str, said: str, lang: str) -> None:
    headers = [(b"accept-language", said.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": headers}
    assert i18n.asked_language(Request(scope)) == lang


def test_a_chosen_language_is_kept_in_a_cookie(folder: Path) -> None:
    browser = client(folder)
    answer = browser.get("/page?lang=en")
    assert '<html lang="en">' in answer.text and "Hello" in answer.text
    assert "lang=en" in answer.headers["set-cookie"] and "HttpOnly" in answer.headers["set-cookie"]
    assert "Hello" in browser.get("/page").text, "the cookie carries the choice"
    assert "こんにちは" in browser.get("/page?lang=ja").text


def test_an_unknown_language_is_as_if_none_was_asked(folder: Path) -> None:
    answer = client(folder).get("/page?lang=<script>", headers={"cookie": "lang=../../x"})
    assert '<html lang="ja">' in answer.text and "set-cookie" not in answer.headers


def test_a_services_own_words_come_before_the_shells(folder: Path) -> None:
    assert "Our own words" in client(folder).get("/page?lang=en").text


def test_language_links_lead_to_the_same_page(folder: Path) -> None:
    text = client(folder).get("/page?q=%E5%B8%82&lang=en").text
    assert 'href="/page?q=%E5%B8%82&amp;lang=ja-easy"' in text


def test_what_a_person_typed_stays_text(folder: Path) -> None:
    text = client(folder, more="<script>alert(1)</script>").get('/page?x="><script>').text
    assert "<script>alert(1)" not in text and "&lt;script&gt;alert(1)" in text
    assert '"><script>' not in text


def test_a_forgotten_variable_is_a_fault_not_a_hole(folder: Path) -> None:
    (folder / "page.html").write_text("{{ nothing_of_this_name }}", encoding="utf-8")
    with pytest.raises(UndefinedError):
        client(folder).get("/page")


def test_the_sample_says_that_it_is_one(folder: Path) -> None:
    assert "見本です。" in client(folder, sample=True).get("/page").text
    assert "見本です。" not in client(folder, sample=False).get("/page").text


def test_who_is_asking_stands_in_the_head(folder: Path) -> None:
    signed_in = client(folder, actor=Actor("person", "p-1", "髙橋 𠮷子")).get("/page").text
    assert "髙橋 𠮷子" in signed_in and 'action="/sign-out"' in signed_in
    guest = client(folder, actor=Actor("guest", "g-1")).get("/page?q=1").text
    assert 'href="/sign-in?next=/page%3Fq%3D1"' in guest


def test_pages_are_not_kept_by_anybody(folder: Path) -> None:
    assert client(folder).get("/page").headers["cache-control"] == "no-store"


def test_the_title_names_page_place_and_cloud(folder: Path) -> None:
    assert "<title>窓口｜霧原市｜試しの雲</title>" in client(folder, place=Place("霧原市")).get("/page").text
    assert "<title>1か所の修正：窓口" in client(folder, errors={"a": "だめ"}).get("/page").text


def test_a_refusal_says_what_happened_and_what_to_do(folder: Path) -> None:
    browser = client(folder)
    missing = browser.get("/refused/401")
    assert missing.status_code == 401 and 'href="/sign-in?next=/refused/401"' in missing.text
    wrong = browser.get("/refused/422")
    assert "電話番号が9桁です。" in wrong.text
    away = browser.get("/refused/503")
    assert (
        away.headers["retry-after"] == "10"
        and "もう一度開く" in away.text
        and "いま保存できませんでした。" in away.text
    )
    assert "Not available at the moment" in browser.get("/refused/503?lang=en").text


@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_the_shell_is_wholly_translated(lang: str) -> None:
    assert len(set(i18n.messages(SHELL / "templates"))) > 60, "the messages were found"
    assert i18n.untranslated(SHELL / "templates", lang) == []


@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_what_every_service_refuses_with_is_translated(lang: str) -> None:
    """The sentences of libs/common, wherever they stand, are in the shell's catalogues: they are said in every service."""
    said = {text if isinstance(text, str) else text[0] for text in i18n.messages(SHELL.parent / "templates")}
    assert "サインインしてください。" in said and len(said) > 50, "the sentences were found"
    catalogue = i18n.translations(lang, SHELL / "locale")
    as_they_are = {"年", "月", "日"}
    assert [text for text in sorted(said - as_they_are) if catalogue.gettext(text) == text] == []


def test_no_sentence_of_a_refusal_is_without_a_translation() -> None:
    """A Japanese text that no `say` marks would be found by nobody who translates."""
    planted = 'raise Conflict("もう済みました。", code="done")\nraise Conflict(say("済みました。"))'
    assert [text for _, text in unmarked(planted)] == ["もう済みました。"]
    files = [file for file in SHELL.parent.rglob("*.py") if not {"tests", "testing"} & set(file.parts)]
    found = {f"{file.name}:{line}": text for file in files for line, text in unmarked(file.read_text())}
    assert {place: text for place, text in found.items() if not place.startswith(OF_STAFF)} == {}


OF_STAFF = ("archive.py", "carried.py", "room.py")
"""What is said about an exported file names its parts: read by administrators alone, in Japanese."""


def unmarked(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of Japanese that a refusal is given as its sentence, and that stands outside `say`."""
    kinds = {kind.__name__ for kind in (Refusal, *Refusal.__subclasses__(), TooWeak, Gone)}
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in kinds and call.args:
            for part in ast.walk(call.args[0]) if not isinstance(call.args[0], ast.Call) else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and re.search("[ぁ-ん]", part.value):
                    yield part.lineno, part.value


def test_a_missing_translation_is_found(folder: Path) -> None:
    (folder / "page.html").write_text('{{ _("こんにちは") }}{{ _("さようなら") }}', encoding="utf-8")
    assert i18n.untranslated(folder, "en") == ["さようなら"]
    assert i18n.untranslated(folder, "ja-easy") == ["こんにちは", "さようなら"]


def test_a_static_file_may_be_kept_under_its_own_hash_only(folder: Path) -> None:
    browser = client(folder)
    now = browser.get(static_url("kyodo.css"))
    assert now.status_code == 200 and "immutable" in now.headers["cache-control"]
    assert now.headers["content-type"].startswith("text/css") and now.headers["x-content-type-options"] == "nosniff"
    old = browser.get("/static/0123456789abcdef/kyodo.css")
    assert old.content == now.content and old.headers["cache-control"] == "no-cache"
    again = browser.get(static_url("kyodo.css"), headers={"if-none-match": now.headers["etag"]})
    assert again.status_code == 304 and not again.content


def test_a_static_file_is_sent_compressed_to_whom_can_read_it(folder: Path) -> None:
    browser = client(folder)
    plain = browser.get(static_url("kyodo.js"), headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = assets()["kyodo.js"].packed
    assert packed is not None and gzip.decompress(packed) == plain.content
    assert browser.get(static_url("kyodo.js")).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "path", ["/static/x/none.css", "/static/", "/static/x/..%2F..%2Fpages.py", "/static/x/pages.py"]
)
def test_other_files_are_not_there(folder: Path, path: str) -> None:
    assert client(folder).get(path).status_code == 404


def test_static_files_cannot_be_written(folder: Path) -> None:
    assert client(folder).post(static_url("kyodo.css")).status_code == 405


def test_no_template_has_inline_style_or_script(folder: Path) -> None:
    (folder / "page.html").write_text(
        '<p style="color:red"><a onclick="x()"><script>x</script><script src="/x.js">', encoding="utf-8"
    )
    assert templates_with_inline_code(folder) == {"page.html": ["style=", "onclick=", "<script"]}
    assert templates_with_inline_code(SHELL / "templates") == {}


def test_htmx_comes_with_its_licence() -> None:
    assert "PERMISSION TO USE" in (SHELL / "static" / "htmx.LICENSE.txt").read_text(encoding="utf-8").upper()


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0B"), (1023, "1023B"), (86016, "84KB"), (2516582, "2.4MB"), (10 * 1024**2, "10MB"), (3 * 1024**3, "3GB")],
)
def test_sizes_are_written_in_units_people_know(amount: int, text: str) -> None:
    assert size(amount) == text


def test_a_sentence_with_values_is_said_in_every_language() -> None:
    catalogue = i18n.translations("en", SHELL / "locale")
    sentence = say("月が%(month)sです。1から12までで入力してください。", month=13)
    assert sentence == "月が13です。1から12までで入力してください。"
    assert i18n.translated(catalogue, sentence) == "the month is 13. Enter 1 to 12."
    inner = say("%(era)sの年は1（元年）からです。年を確かめてください。", era=say("昭和"))
    assert i18n.translated(catalogue, inner) == "years of Showa begin at 1. Please check the year."
    assert i18n.translated(catalogue, "") == "", "the catalogue's head is no translation of nothing"


def test_texts_of_others_are_marked_as_japanese_on_english_pages_only() -> None:
    assert written("理由 <b>", "en") == '<span lang="ja">理由 &lt;b&gt;</span>'
    assert written("Reason", "en") == "Reason"
    assert written("理由", "ja") == written("理由", "ja-easy") == "理由"


def test_a_part_is_in_the_reader_s_language_safe_to_put_in_and_knows_nothing_of_who_asks(folder: Path) -> None:
    (folder / "part.html").write_text('<b>{{ _("こんにちは") }} {{ said }}</b>', encoding="utf-8")
    (folder / "curious.html").write_text("{{ actor.name }}", encoding="utf-8")
    pages = Pages(folder, brand=Brand("試しの雲"))

    def part(name: str, query: bytes = b"") -> str:
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": []}
        request = Request(scope)
        request.state.actor = Actor("person", "p", "古賀 真理")
        return pages.part(request, name, said="<i>")

    assert (
        part("part.html") == "<b>こんにちは &lt;i&gt;</b>" and part("part.html", b"lang=en") == "<b>Hello &lt;i&gt;</b>"
    )
    assert "{}".format(part("part.html")) == part("part.html").__html__()  # type: ignore[attr-defined]
    with pytest.raises(UndefinedError):
        part("curious.html")
