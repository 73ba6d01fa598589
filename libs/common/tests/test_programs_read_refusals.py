"""problem+json of every service, in the language that a program asks for."""

from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from libs.common import access
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.errors import Conflict, Invalid, say
from libs.common.http import create_app
from libs.common.testing.service import Issuers, make_service
from libs.common.web import Brand, Pages

OWN = '#, python-format\nmsgid "%(what)sは終わりました。"\nmsgstr "%(what)s is over."\n'


@pytest.fixture
def program(database: Database, tmp_path: Path) -> TestClient:
    """A service with a catalogue of its own, as a program that may call it."""
    catalogue = tmp_path / "locale" / "en" / "LC_MESSAGES" / "messages.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(OWN, encoding="utf-8")
    (tmp_path / "templates").mkdir()
    router = APIRouter()

    @router.get("/over")
    def over(actor: Actor = access.guest()) -> None:
        raise Conflict(say("%(what)sは終わりました。", what="x"), kept=say("このファイルは見つかりません。"))

    @router.get("/wrong")
    def wrong(actor: Actor = access.guest()) -> None:
        raise Invalid("型", fields={"file": say("このファイルは見つかりません。")})

    issuers = Issuers("shop")
    service = make_service("shop", database, tmp_path, issuers=issuers)
    service.extras["pages"] = Pages(tmp_path / "templates", brand=Brand("試しの雲"))
    headers = issuers.headers(Actor(kind="guest", subject="guest"), "shop")
    return TestClient(create_app(service, [router], watcher="tenants"), headers=headers)


@pytest.mark.parametrize(
    ("lang", "title", "detail", "kept"),
    [
        ("en-GB, ja;q=0.5", "Someone else changed this at the same time", "x is over.", "This file cannot be found."),
        ("ja-easy", "ほかの人の操作と 重なりました", "xは終わりました。", "この ファイルは ありません。"),
        ("fr", "ほかの操作と重なりました", "xは終わりました。", "このファイルは見つかりません。"),
    ],
)
def test_the_service_s_and_the_common_sentences(
    program: TestClient, lang: str, title: str, detail: str, kept: str
) -> None:
    answer = program.get("/over", headers={"accept-language": lang})
    told = answer.json()
    assert (answer.status_code, told["code"], told["detail"], told["kept"]) == (409, "conflict", detail, kept)
    assert told["title"] == title
    assert answer.headers["content-language"] == ("en" if lang.startswith("en") else "ja")


def test_what_the_framework_and_the_access_check_refuse(program: TestClient) -> None:
    english = {"accept-language": "en"}
    assert program.get("/nowhere", headers=english).json()["detail"].startswith("This page cannot be found.")
    assert program.get("/over", headers=english | {"authorization": ""}).json()["detail"] == "Please sign in."
    assert program.get("/wrong", headers=english).json()["fields"] == {"file": "This file cannot be found."}
