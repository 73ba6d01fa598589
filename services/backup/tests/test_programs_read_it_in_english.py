"""Whoever asks in English is refused in English: an administrator abroad, or of a maker of software, reads what curl shows."""

from pathlib import Path

from libs.common.web import i18n
from services.backup.pages import TEMPLATES
from services.backup.tests.town import Cloud, named


def test_no_sentence_lacks_its_english() -> None:
    assert i18n.untranslated(TEMPLATES, "en") == []


def test_a_sentence_without_english_is_found(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "said.py").write_text('say("まだ訳していない文")')
    assert i18n.untranslated(tmp_path / "templates", "en") == ["まだ訳していない文"]


def test_a_refusal_is_said_in_the_language_that_is_asked_for(small_cloud: Cloud) -> None:
    repository = small_cloud.repository()
    reader, writer = small_cloud.machine(repository, "read"), small_cloud.machine(repository, "append")
    english = {"accept-language": "en"}
    with reader.client as client, writer.client as other:
        refusals = [
            client.post(f"data/{named(b'a')}", content=b"a", headers=english),
            other.post(f"data/{named(b'a')}", content=b"b", headers=english),
            other.delete(f"data/{named(b'a')}", headers=english),
            other.get("data/x", headers=english),
            other.delete("", headers=english),
        ]
        assert [refusal.status_code for refusal in refusals] == [403, 400, 403, 404, 501]
        assert all(refusal.headers["content-language"] == "en" and refusal.text.isascii() for refusal in refusals), [
            refusal.text for refusal in refusals
        ]
        assert not client.post(f"data/{named(b'a')}", content=b"a").text.isascii(), (
            "Japanese where nothing else is asked"
        )
