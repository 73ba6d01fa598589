"""Every sentence of our templates exists in English; what people meet first exists in easy Japanese."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po

import gateway.answers  # noqa: F401 (its refusals are among those that are known)
from gateway.tests.inside import Inside
from gateway.tests.test_an_account_moves_stops_and_closes import as_browser
from libs.common import errors
from libs.common.web import i18n

TEMPLATES = Path(__file__).parents[1] / "templates"


def test_no_sentence_lacks_its_english() -> None:
    assert len(list(i18n.messages(TEMPLATES))) > 50, "there are sentences to translate"
    assert i18n.untranslated(TEMPLATES, "en") == []


def test_a_sentence_that_lacks_its_english_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "x.html").write_text('{{ _("まだ訳していない文") }}')
    assert i18n.untranslated(folder, "en") == ["まだ訳していない文"]


PEOPLES = ["sign-in", "sign-up", "sent", "reset", "welcome", "confirm", "proved", "provider-failed", "signed-out"]
PEOPLES += ["second-factor", "address", "close", "closed", "waiting"]
"""Pages that everybody may meet; the others are for operators, administrators and those who write programs."""


REFUSING = [
    "admission",
    "csrf",
    "routes",
    "proxy",
    "offload",
    "passkeys",
    "fairness/closures",
    "fairness/door",
    "fairness/shares",
]
REFUSING += ["pages/sign_in", "pages/confirm", "pages/join", "pages/with_provider", "pages/again", "use_cases/tickets"]
REFUSING += ["use_cases/identities", "use_cases/sign_in", "oidc/door"]
"""Python whose refusals everybody may meet."""


def peoples_pages(folder: Path) -> Path:
    """Those, and one's own room up to where administrators have their keys, beside the catalogues."""
    templates = folder / "templates"
    templates.mkdir()
    for name in PEOPLES:
        shutil.copy(TEMPLATES / f"{name}.html", templates)
    own = (TEMPLATES / "account.html").read_text("utf-8").split("{% if administered %}")[0]
    (templates / "account.html").write_text(own + "</div>{% endblock %}", "utf-8")
    shutil.copytree(TEMPLATES.parent / "locale", folder / "locale")
    for name in REFUSING:
        shutil.copy(TEMPLATES.parent / f"{name}.py", folder / f"{name.replace('/', '_')}.py")
    return templates


def test_what_everybody_may_meet_exists_in_easy_japanese(tmp_path: Path) -> None:
    templates = peoples_pages(tmp_path)
    assert len(list(i18n.messages(templates))) > 120
    assert i18n.untranslated(templates, "ja-easy") == []
    (templates / "new.html").write_text('{{ _("まだ やさしくない文") }}', "utf-8")
    assert i18n.untranslated(templates, "ja-easy") == ["まだ やさしくない文"]


def test_no_refusal_is_a_text_that_only_japanese_readers_understand() -> None:
    """What `say` holds is found by the test of the English above."""
    bare = {}
    for file in sorted(TEMPLATES.parent.rglob("*.py")):
        if "tests" not in file.parts:
            bare |= {f"{file.name}:{line}": text for line, text in bare_refusals(ast.parse(file.read_text("utf-8")))}
    assert bare == {}
    probe = ast.parse('raise Conflict("だめ")\nraise Invalid(s, fields={"a": f"{x}だめ"})\nraise NotFound(say("ない"))')
    assert [line for line, _ in bare_refusals(probe)] == [1, 2]


def bare_refusals(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Japanese in what refusals are made of that no `say` is around."""
    names = {each.__name__ for each in every_refusal(errors.Refusal)} | {"weak"}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in names:
            said = {id(part) for node in ast.walk(call) if is_say(node) for part in ast.walk(node)}
            for node in ast.walk(call):
                text = node.value if isinstance(node, ast.Constant) else None
                if isinstance(text, str) and re.search("[ぁ-ん]", text) and id(node) not in said:
                    yield call.lineno, text


def is_say(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say"


def every_refusal(kind: type[errors.Refusal]) -> Iterator[type[errors.Refusal]]:
    yield kind
    for each in kind.__subclasses__():
        yield from every_refusal(each)


def without_reading(text: str) -> list[str]:
    """Words in kanji that their reading does not follow; the second time in one sentence it may be missing."""
    words = re.findall("([一-龥々]+)(（?)", text)
    read = {word for word, mark in words if mark}
    return [word for word, mark in words if not mark and word not in read]


def test_easy_japanese_says_how_its_kanji_are_read() -> None:
    with i18n.catalogue_path(TEMPLATES.parent / "locale", "ja-easy").open("rb") as source:
        sentences = [str(message.string) for message in read_po(source) if message.id and message.string]
    assert len(sentences) > 150
    assert {sentence: found for sentence in sentences if (found := without_reading(sentence))} == {}
    assert without_reading("画面（がめん）を 見て ください。") == ["見"]


def test_a_program_reads_a_refusal_in_the_language_it_asks_for(door: Inside) -> None:
    """By Accept-Language; who says none is answered in Japanese. The code is the same."""
    for said, detail in (("en", "There is no such municipality here."), ("", "お探しの自治体のページはありません。")):
        headers = {"accept": "application/json", "accept-language": said}
        answer = as_browser(door, lambda c, h=headers: c.get("/t/999999/eapply/", headers=h), {})
        told = answer.json()
        assert (answer.status_code, told["code"]) == (404, "unknown-tenant")
        assert told["detail"].startswith(detail) and told["title"] == {"en": "Page not found"}.get(
            said, "ページが見つかりません"
        )
        assert answer.headers["content-language"] == (said or "ja")
