"""What the data plane refuses: restic's users abroad, and scripts, read why in the language they ask for (Accept-Language)."""

from pathlib import Path

import pytest

from libs.common.web import i18n
from services.backup.tests.town import HOME, Cloud, named

TEMPLATES = Path(__file__).parents[1] / "templates"
NOTHING = f"data/{named(b'nothing')}"


@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_no_sentence_lacks_its_translation(lang: str) -> None:
    assert i18n.untranslated(TEMPLATES, lang) == []


@pytest.mark.parametrize(
    ("method", "rest", "content", "code", "sentence"),
    [
        ("DELETE", NOTHING, b"", "append-only", "This key cannot delete."),
        ("GET", NOTHING, b"", "unknown-object", "There is nothing of this name."),
        ("GET", "other/", b"", "unknown-path", "There is nothing at this address."),
        (
            "POST",
            NOTHING,
            b"x",
            "wrong-content",
            "What arrived is not what its name (SHA-256) says. It has not been kept.",
        ),
        (
            "POST",
            NOTHING,
            b"x" * 2000,
            "full",
            "The quota is used up. Please prune old snapshots or have the quota raised.",
        ),
    ],
)
def test_a_program_reads_in_its_language_why_it_is_refused(
    small_cloud: Cloud, method: str, rest: str, content: bytes, code: str, sentence: str
) -> None:
    machine = small_cloud.machine(small_cloud.repository(quota=1000), "append")
    with machine.client as client:
        told = client.request(method, rest, content=content, headers={"accept-language": "en-GB"})
        plain = client.request(method, rest, content=content)
    assert told.headers["content-language"] == "en" and plain.headers["content-language"] == "ja"
    assert told.json()["code"] == plain.json()["code"] == code and told.status_code == plain.status_code
    assert told.json()["detail"].startswith(sentence) and told.json()["detail"] != plain.json()["detail"]


def test_who_asks_for_another_repository_or_a_moment_to_come_is_told_in_english(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "read")
    base = f"{machine.url}/t/{HOME}/backup"
    with machine.client as client:
        for path, sentence in (
            ("restic/other/config", "This repository cannot be found."),
            ("restic-asof/2099-01-01T00:00/juki/config", "The moment could not be read."),
        ):
            told = client.get(f"{base}/{path}", headers={"accept-language": "en"})
            assert told.status_code == 404 and told.json()["detail"].startswith(sentence)
