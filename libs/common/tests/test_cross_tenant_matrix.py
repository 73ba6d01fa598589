"""The matrix itself finds what it claims to find: one hole of each kind is planted, and named."""

from pathlib import Path

import pytest
from fastapi import APIRouter, Request

from libs.common import access
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.http import create_app
from libs.common.testing.matrix import Matrix, Town
from libs.common.testing.service import Issuers, make_service
from libs.common.tests.shop.db import Doc

VALUES = {"doc_id": "1"}
HOME, OTHER = Town("402036", "402036"), Town("402044", "402044")


def walk(database: Database, folder: Path, router: APIRouter) -> list[str]:
    issuers = Issuers("shop")
    service = make_service("shop", database, folder, issuers=issuers)
    with database.transaction(HOME.tenant) as session:
        session.merge(Doc(tenant_id=HOME.tenant, id=1, title="かなりあ"))
    app = create_app(service, [router], watcher="tenants")
    matrix = Matrix(app, "shop", issuers, home=HOME, other=OTHER, values=VALUES, canaries=["かなりあ"])
    assert matrix.count() > 20
    return [str(finding) for finding in matrix.walk()]


def title_of(request: Request, tenant: str | None, doc_id: int) -> str:
    with request.app.state.service.database.reading(tenant) as session:
        doc = session.get(Doc, (tenant, doc_id))
        return doc.title if doc else "none"


def test_a_service_that_asks_for_the_right_things_has_no_findings(database: Database, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/t/{code}/shop/docs/{doc_id}")
    def good(request: Request, doc_id: int, actor: Actor = access.staff("eapply.reviewer")) -> str:
        return title_of(request, actor.tenant, doc_id)

    # another town's staff see their own empty place: 200 without the canary is an answer, not a refusal
    found = walk(database, tmp_path, router)
    assert all("answered 200" in f and "another town's staff with this town's ids" in f for f in found)


def test_a_route_that_trusts_its_own_idea_of_the_town_is_found(database: Database, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/t/{code}/shop/docs/{doc_id}")
    def leaking(request: Request, doc_id: int, _actor: Actor = access.staff("eapply.reviewer")) -> str:
        return title_of(request, HOME.tenant, doc_id)

    assert any("another town's staff" in f and "かなりあ" in f for f in walk(database, tmp_path, router))


def test_a_route_that_forgets_the_role_is_found(database: Database, tmp_path: Path) -> None:
    router = APIRouter()

    @router.get("/t/{code}/shop/docs/{doc_id}")
    def careless(request: Request, doc_id: int, actor: Actor = access.public()) -> str:
        return title_of(request, actor.tenant, doc_id)

    assert walk(database, tmp_path, router) == []  # public is public: nothing of the other town is shown
    with pytest.raises(RuntimeError, match="does not declare"):
        undeclared = APIRouter()

        @undeclared.get("/t/{code}/shop/all")
        def all_docs() -> str:
            return "かなりあ"

        walk(database, tmp_path, undeclared)
