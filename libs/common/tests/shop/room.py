"""The made-up service's room: a heading document, whatever was added, and one stored file per tenant."""

import json
from typing import Any

from sqlalchemy import delete, select

from libs.common import files
from libs.common.errors import Conflict
from libs.common.room import Progress, RoomRequest, Step
from libs.common.service import Service
from libs.common.tests.shop.db import Doc, Part


class ShopRoom:
    def __init__(self, service: Service) -> None:
        self._database = service.database
        self._files: files.Store = service.extras["files"]

    def provision(self, request: RoomRequest) -> Progress:
        for number, title in enumerate(("はじめに", "きまり"), start=1):
            with self._database.transaction(tenant=request.tenant) as session:
                if session.get(Doc, (request.tenant, number)) is None:
                    session.add(Doc(id=number, title=title))
            yield Step(number, 2, f"「{title}」を用意しました")
        return None

    def suspend(self, request: RoomRequest) -> Progress:
        yield Step(1, 1, "止めました")
        return None

    def resume(self, request: RoomRequest) -> Progress:
        yield Step(1, 1, "再開しました")
        return None

    def export(self, request: RoomRequest) -> Progress:
        with self._database.reading(tenant=request.tenant) as session:
            lines = [{"doc": doc.id, "title": doc.title} for doc in session.scalars(select(Doc).order_by(Doc.id))]
            lines += [{"part": p.id, "of": p.doc_id, "n": p.n} for p in session.scalars(select(Part).order_by(Part.id))]
        yield Step(1, 2, "書き出しました")
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        stored = self._files.put(request.tenant, [text.encode()], limit=10**9)
        yield Step(2, 2, "まとめました")
        return {"file": stored.id, "size": stored.size, "sha256": stored.sha256}

    def import_(self, request: RoomRequest) -> Progress:
        assert request.archive
        lines = [json.loads(line) for line in self._files.read(request.tenant, request.archive).splitlines()]
        self._refuse_other_content(request, lines)
        for number, line in enumerate(lines, start=1):
            with self._database.transaction(tenant=request.tenant) as session:
                session.merge(_row(request.tenant, line))
            yield Step(number, len(lines), "取り込みました")
        return None

    def _refuse_other_content(self, request: RoomRequest, lines: list[dict[str, Any]]) -> None:
        with self._database.reading(tenant=request.tenant) as session:
            present = {("doc", key) for key in session.scalars(select(Doc.id))}
            present |= {("part", key) for key in session.scalars(select(Part.id))}
        if present - {next(iter(line.items())) for line in lines}:
            raise Conflict("この部屋には、もう内容があります。")

    def delete(self, request: RoomRequest) -> Progress:
        for number, table in enumerate((Part, Doc), start=1):
            with self._database.transaction(tenant=request.tenant) as session:
                session.execute(delete(table))
            yield Step(number, 3, "消しました")
        self._files.delete_all(request.tenant)
        yield Step(3, 3, "ファイルを消しました")
        return None


def _row(tenant: str, line: dict[str, Any]) -> Doc | Part:
    if "doc" in line:
        return Doc(tenant_id=tenant, id=line["doc"], title=line["title"])
    return Part(tenant_id=tenant, id=line["part"], doc_id=line["of"], n=line["n"])
