"""Staff read the desk, and why it refuses, in English and やさしい日本語; what people wrote stays as they wrote it."""

import base64
import re
import subprocess
from html import unescape

import pytest

from libs.common.errors import Sentence
from services.backup.db import repositories as db
from services.backup.domain import problems
from services.backup.tests.test_scripts_are_understood import daily, wrong
from services.backup.tests.test_staff_set_up_a_backup import DESK, NEW, Desk, desk  # noqa: F401 (a fixture)
from services.backup.tests.town import HOME, Cloud, named
from services.backup.use_cases import drill
from services.backup.use_cases.alerts import STEPS, raise_alert

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]+")
WRITTEN = ("見本市", "機械", "福岡県", "住民記録システム", "住基サーバー", "システムの更新", "共同クラウド")
"""What people called things."""


def sentences(page: str) -> str:
    """What a page says of its own: without what machines run, what people wrote, and the languages' own names."""
    main = re.sub(r"<(head|header|footer|pre|script|style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    said = unescape(re.sub(r"<[^>]+>", " ", re.sub(r'value="[^"]*"', "", main)))
    said += " ".join(unescape(each) for each in re.findall(r'(?:aria-label|data-confirm)="([^"]*)"', main))
    for each in WRITTEN:
        said = said.replace(each, "")
    return said


def english(desk: Desk, path: str = "", **query: str) -> str:  # noqa: F811
    return desk.get(path, lang="en", **query)


def in_every_state(cloud: Cloud, desk: Desk) -> str:  # noqa: F811
    """A repository with keys of every kind, a recovery point, every alert, a wish to dispose of it. Returns its id."""
    made = desk.make()
    for mode in ("append", "read", "full"):
        desk.post(f"{made}/keys", 201, mode=mode, key_name="住基サーバー", days="10", folder="/srv/data", at="01:30")
    with cloud.database.transaction(tenant=HOME) as session:
        repository = db.by_id(session, made)
        for kind in STEPS:
            raise_alert(session, repository, kind, cloud.clock.now())
    with cloud.machine(repository).client as client:
        assert client.post(f"snapshots/{named(b'point')}", content=b"point").status_code == 200
    desk.post(f"{made}/drills")
    desk.post(f"{made}/disposal", act="ask", typed_name=NEW["name"], reason="システムの更新")
    return made


def test_every_page_of_the_desk_is_english_throughout(small_cloud: Cloud, desk: Desk) -> None:  # noqa: F811
    made = in_every_state(small_cloud, desk)
    desk.client.cookies.set("lang", "en")
    pages = [english(desk), english(desk, made), english(desk, made, date="2026-11-01", time="10:00")]
    for mode, folder in (("append", "/srv/data"), ("append", "D:\\Data"), ("read", ""), ("full", "")):
        form = {"mode": mode, "key_name": "住基サーバー", "days": "10", "folder": folder, "at": "01:30"}
        pages.append(desk.post(f"{made}/keys", 201, **form))
    pages += [desk.post("repositories", 422), desk.post("repositories", 409, **NEW), desk.post(f"{made}/keys", 422)]
    pages += [desk.post(f"{made}/retention", 422, retention_days="8"), desk.post(f"{made}/password", 422)]
    pages += [desk.get("nothing-of-this-name", 404), desk.post(f"{made}/disposal", 409, act="agree")]
    for page in pages:
        assert JAPANESE.findall(sentences(page)) == []
    assert JAPANESE.findall(sentences(desk.client.get(DESK, params={"lang": "ja"}).text)), "planted: Japanese is seen"


@pytest.mark.parametrize(
    ("lang", "heading", "refused"),
    [
        ("en", "The first site cannot be used just now", "It cannot be shorter than the 30 days it is now."),
        ("ja-easy", "1か所目の 場所が、今 使えません", "残す 日は、今の 30日より 短く できません。"),
        ("ja", "1か所目の保管場所が、いま使えません", "残す日数は、いまの30日より短くできません。"),
    ],
)
def test_staff_are_told_in_their_language_of_a_site_that_is_away_and_why_they_are_refused(
    small_cloud: Cloud,
    desk: Desk,  # noqa: F811
    lang: str,
    heading: str,
    refused: str,
) -> None:
    made = desk.make()
    desk.client.cookies.set("lang", lang)
    assert refused in desk.post(f"{made}/retention", 422, retention_days="8")
    assert heading not in desk.get()
    root = small_cloud.places.first.root  # type: ignore[attr-defined]
    root.rename(root.with_name("away"))
    assert heading in desk.get() and heading in desk.get(made)
    root.with_name("away").rename(root)
    assert heading not in desk.get()


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("en", "There is no recovery point to restore."),
        ("ja-easy", "戻す ことが できる ものが ありません。"),
        ("ja", "復元できる時点がありません。"),
    ],
)
def test_what_a_drill_found_is_said_in_the_reader_s_language_and_signed_in_japanese(
    small_cloud: Cloud,
    desk: Desk,  # noqa: F811
    lang: str,
    sentence: str,
) -> None:
    made = desk.make()
    desk.post(f"{made}/password", password="only the town knows this", act="deposit")
    desk.post(f"{made}/drills")
    with small_cloud.database.reading(tenant=HOME) as session:
        (asked,) = db.drills(session, made, 2)
    drill.carry_out(small_cloud.service, HOME, asked.id)
    assert sentence in desk.get(made, lang=lang)
    assert desk.client.get(f"{DESK}{made}/drills/{asked.id}").json()["evidence"]["problems"] == [problems.NO_SNAPSHOT]


def test_what_evidence_says_is_known_again_with_what_was_put_into_it() -> None:
    for said in (
        problems.missing("config"),
        problems.unreadable("data/ab"),
        problems.ended_early(3),
        problems.NO_SNAPSHOT,
    ):
        again = problems.known(str(said))
        assert isinstance(again, Sentence) and (again, again.template) == (said, said.template)
    assert problems.known("ほかの文") == "ほかの文"


@pytest.mark.parametrize(("lang", "safe"), [("en", "keep it in a safe."), ("ja-easy", "金庫に 入れて ください。")])
def test_the_script_for_a_machine_is_in_its_reader_s_language_and_still_understood(
    desk: Desk,  # noqa: F811
    lang: str,
    safe: str,
) -> None:
    made = desk.make()
    desk.client.cookies.set("lang", lang)
    for folder in ("/srv/data", "D:\\Data"):
        form = {"mode": "append", "key_name": "1", "days": "10", "folder": folder, "at": "01:30"}
        page = desk.post(f"{made}/keys", 201, **form)
        (href,) = re.findall(r"base64,([A-Za-z0-9+/=]+)", page)
        script = base64.b64decode(href).decode("utf-8-sig")
        assert safe in script
        assert lang != "en" or JAPANESE.findall(script) == []
        if folder.startswith("/"):
            subprocess.run(["sh", "-n"], input=script.encode(), check=True)
        else:
            assert wrong(script) == [] == wrong(daily(script)), "neither what sets it up nor what runs every day"
