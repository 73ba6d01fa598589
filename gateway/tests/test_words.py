"""Every sentence of our templates exists in English; what people meet first exists in easy Japanese."""

from pathlib import Path

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


def test_the_way_in_exists_in_easy_japanese() -> None:
    lacking = i18n.untranslated(TEMPLATES, "ja-easy")
    for sentence in (
        "サインインする",
        "パスワードをお忘れの方",
        "はじめての登録",
        "お名前とパスワードを決める",
        "順番にご案内しています",
    ):
        assert sentence not in lacking
