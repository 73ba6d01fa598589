"""The contract itself, passed by a made-up service, and failed by services that break each of its promises."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from libs.common import files
from libs.common.db import Database
from libs.common.room import Progress, Room, RoomRequest, Step
from libs.common.service import Service
from libs.common.testing.database import open_database
from libs.common.testing.room_contract import RoomContract
from libs.common.testing.service import make_service
from libs.common.tests.shop.db import Base, Doc, Part
from libs.common.tests.shop.room import ShopRoom


def shop(database: Database, folder: Path) -> Service:
    service = make_service("shop", database, folder)
    service.extras["files"] = files.local(folder / "files")
    return service


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Service:
    return shop(database, tmp_path)


@pytest.fixture
def elsewhere(database: Database, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for other in open_database(database.dialect, "shop", "libs.common.tests.shop", folder, tmp_path_factory):
        yield shop(other, folder)


class ShopContract(RoomContract):
    metadata = Base.metadata

    def make_room(self, service: Service) -> Room:
        return ShopRoom(service)

    def furnish(self, service: Service, tenant: str) -> None:
        with service.database.transaction(tenant=tenant) as session:
            session.add(Doc(id=7, title="髙橋の𠮷"))
            session.flush()
            session.add_all(Part(id=n, doc_id=7, n=n) for n in range(3))
        service.extras["files"].put(tenant, [b"%PDF-1.7"], limit=100)

    def contents(self, service: Service, tenant: str) -> Any:
        with service.database.reading(tenant=tenant) as session:
            docs = session.execute(select(Doc.id, Doc.title).order_by(Doc.id)).all()
            return [tuple(row) for row in docs], session.scalars(select(Part.n).order_by(Part.id)).all()

    def store(self, service: Service) -> files.Store:
        return service.extras["files"]


class TestShopRoom(ShopContract):
    """A service that keeps its promises passes."""


class _Twice(ShopRoom):
    def provision(self, request: RoomRequest) -> Progress:
        with self._database.transaction(tenant=request.tenant) as session:
            session.add(Doc(id=100 + len(session.scalars(select(Doc.id)).all()), title="もう一つ"))
        yield Step(1, 1, "用意しました")
        return None


class _Silent(ShopRoom):
    def provision(self, request: RoomRequest) -> Progress:
        yield Step(1, 3, "用意しました")
        return None


class _Forgetful(ShopRoom):
    def export(self, request: RoomRequest) -> Progress:
        with self._database.transaction(tenant=request.tenant) as session:
            for part in session.scalars(select(Part)):
                session.delete(part)
        return (yield from super().export(request))


class _LeavesFiles(ShopRoom):
    def delete(self, request: RoomRequest) -> Progress:
        keep, self._files = self._files, files.local(Path("nowhere"))
        try:
            yield from super().delete(request)
        finally:
            self._files = keep
        return None


class _Overwrites(ShopRoom):
    def _refuse_other_content(self, request: RoomRequest, lines: list[dict[str, Any]]) -> None:
        return None


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (_Twice, "test_preparing_twice_is_preparing_once"),
        (_Silent, "test_progress_is_told_and_reaches_its_end"),
        (_Forgetful, "test_what_is_carried_out_and_in_elsewhere_is_equal"),
        (_LeavesFiles, "test_deleting_leaves_nothing_of_the_tenant_and_everything_of_the_others"),
        (_Overwrites, "test_a_room_with_other_content_takes_nothing_in"),
    ],
)
def test_a_broken_promise_is_found(
    service: Service, request: pytest.FixtureRequest, broken: type[ShopRoom], promise: str
) -> None:
    contract = ShopContract()
    contract.make_room = broken  # type: ignore[method-assign]
    arguments = [service]
    if promise == "test_what_is_carried_out_and_in_elsewhere_is_equal":
        arguments.append(request.getfixturevalue("elsewhere"))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(contract, promise)(*arguments)
