"""An operator brings an archive from another installation: each wrong thing is named, and nothing of it is loaded."""

import io
import json
from typing import Any

from libs.common.room import archive
from libs.common.testing.service import NOW
from services.tenants import takeaway, worker
from services.tenants.db import OwnPageRow
from services.tenants.db import takeins as db
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR

HERE = "/operator/take-ins"
PAGE = {
    "kind": "terms",
    "number": 1,
    "content": {"text": "町の決まり"},
    "changed_by": "p",
    "changed_at": NOW.isoformat(),
}
MEMBER = {
    "id": "m-1",
    "person_id": "p",
    "tenant": OOKI,
    "role": "portal.admin",
    "granted_by": "o",
    "granted_at": NOW.isoformat(),
}


def made(tenant: str = OOKI, **tables: list[Any]) -> bytes:
    target = io.BytesIO()
    writer = archive.Writer(target, takeaway.FORMAT, tenant, NOW)
    for name, rows in tables.items():
        lines = (row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
        writer.add(f"registry/{name}.jsonl", lines)
    writer.close()
    return target.getvalue()


def brought(cloud: Cloud, content: bytes) -> db.TakeInRow:
    sent = cloud.post(HERE, OPERATOR, files=[("file", ("kyodo.zip", content, "application/zip"))])
    assert sent.status_code == 303
    while worker.jobs.run_next(cloud.service):
        pass
    with cloud.database.reading() as session:
        return db.latest(session, 1)[0]


def kept(cloud: Cloud) -> int:
    with cloud.database.reading(tenant=OOKI) as session:
        return session.query(OwnPageRow).count()


def test_a_good_one_comes_in_and_the_same_once_more_is_refused(cloud: Cloud) -> None:
    good = made(pages=[PAGE], members=[MEMBER])
    assert "調べています" not in cloud.get(HERE, OPERATOR).text
    row = brought(cloud, good)
    assert (row.state, row.problems, row.tenant) == ("done", [], OOKI)
    assert "町の決まり" in cloud.get(f"/t/{OOKI}/terms", ADMIN).text
    assert "取り込みました" in cloud.get(HERE, OPERATOR).text
    assert list(cloud.service.extras["files"].list("-")) == [], "the archive itself is no longer kept"
    again = brought(cloud, good)
    assert again.state == "refused" and "もう使われています" in again.problems[0]
    assert "もう使われています" in cloud.get(HERE, OPERATOR).text


def test_each_wrong_thing_is_named_and_nothing_is_loaded(cloud: Cloud) -> None:
    good = made(pages=[PAGE], members=[MEMBER])
    forged = MEMBER | {"role": "operator"}
    for content, named in (
        (good[: len(good) // 2], ["読めませんでした"]),
        (good.replace(b"portal.admin", b"portal.xxxxx"), ["読めませんでした", "registry/members.jsonl"]),
        (made(KURUME, pages=[PAGE], members=[MEMBER]), ["registry/members.jsonl 1行目：ほかの市町村の行です"]),
        (made(pages=[PAGE], members=[MEMBER, forged, b"no json\n"]), ["2行目：", "（operator）", "3行目：読めません"]),
        (made(pages=[PAGE | {"number": "x", "changed_by": None}]), ["形が違います（number、changed_by）"]),
        (made("123456", pages=[PAGE]), ["市町村（123456）が、書き出しファイルにも"]),
        (made("400009", pages=[PAGE]), ["都道府県のデータは取り込めません"]),
    ):
        row = brought(cloud, content)
        told = " ".join(row.problems)
        assert row.state == "refused" and any(sentence in told for sentence in named), told
        assert kept(cloud) == 0
    no_zip = cloud.post(HERE, OPERATOR, files=[("file", ("a.zip", b"text", "text/plain"))])
    assert no_zip.status_code == 422 and "この種類のファイルは受け取れません" in no_zip.text
