"""Every sentence of our templates exists in English; what people meet first exists in easy Japanese."""

import re
import shutil
from pathlib import Path

from babel.messages.pofile import read_po

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


def peoples_pages(folder: Path) -> Path:
    """Those, and one's own room up to where administrators have their keys, beside the catalogues."""
    templates = folder / "templates"
    templates.mkdir()
    for name in PEOPLES:
        shutil.copy(TEMPLATES / f"{name}.html", templates)
    own = (TEMPLATES / "account.html").read_text("utf-8").split("{% if administered %}")[0]
    (templates / "account.html").write_text(own + "</div>{% endblock %}", "utf-8")
    shutil.copytree(TEMPLATES.parent / "locale", folder / "locale")
    return templates


def test_what_everybody_may_meet_exists_in_easy_japanese(tmp_path: Path) -> None:
    templates = peoples_pages(tmp_path)
    assert len(list(i18n.messages(templates))) > 120
    assert i18n.untranslated(templates, "ja-easy") == []
    (templates / "new.html").write_text('{{ _("まだ やさしくない文") }}', "utf-8")
    assert i18n.untranslated(templates, "ja-easy") == ["まだ やさしくない文"]


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
