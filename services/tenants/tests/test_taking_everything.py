"""A municipality takes everything it owns in one archive while it goes on; a deletion leaves a signed record."""

import base64
import hashlib
import io
import json
import random
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, keys
from libs.common.audit import chaining
from libs.common.events import Envelope
from libs.common.room import archive
from libs.common.testing.browser import serving
from libs.common.testing.service import NOW
from services.tenants import commands, deletions, takeaway, worker
from services.tenants.db import deletions as deletions_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db import takeouts as db
from services.tenants.domain.subscriptions import Interval
from services.tenants.neighbours import Neighbours
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR
from services.tenants.tests.test_joining_a_service import room_request
from services.tenants.use_cases import forgetting, members, saga, subscribe, takeouts

EAPPLY, BACKUP = b"PK eapply " * 50_000, b"PK backup " * 10


@pytest.fixture
def using(cloud: Cloud) -> Cloud:
    """大木町 uses two services with rooms and one that runs elsewhere."""
    with cloud.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, {"portal.admin"}, NOW)
        for service in ("eapply", "backup", "center"):
            found = [Interval(OOKI, service, "joined", date(2018, 4, 1), None, NOW)]
            subscribe.correct_history(session, ADMIN, OOKI, service, found, "検査", NOW)
    return cloud


def begin(cloud: Cloud) -> dict[str, db.TakeoutPartRow]:
    assert cloud.post(f"/portal/{OOKI}/takeout/", ADMIN).status_code == 303
    return parts(cloud)


def parts(cloud: Cloud) -> dict[str, db.TakeoutPartRow]:
    with cloud.database.reading() as session:
        [row, *_] = db.of_tenant(session, OOKI)
        return {part.service: part for part in db.parts(session, row.id)}


def tell(cloud: Cloud, type_: str, tenant: str = OOKI, **data: Any) -> None:
    envelope: Envelope = {"type": type_, "tenantid": tenant, "sequence": 1, "data": data}
    with cloud.database.transaction(tenant=tenant) as session:
        worker.subscriptions.handlers[type_](session, envelope, NOW)


def answer(cloud: Cloud, service: str, content: bytes, **more: Any) -> None:
    ident = parts(cloud)[service].room_request
    file = {"request_id": ident, "file": f"file-{service}", "size": len(content), "sha256": "0" * 64}
    tell(cloud, f"{service}.room.exported.v1", **file | more)


def serve(cloud: Cloud, contents: dict[str, bytes]) -> None:
    """What the services give when their archives are fetched."""

    def reply(request: httpx.Request) -> httpx.Response:
        content = contents.get(request.url.path)
        return httpx.Response(200, content=content) if content is not None else httpx.Response(404)

    cloud.service.extras["neighbours"] = Neighbours(cloud.service, httpx.MockTransport(reply))


def gathered(cloud: Cloud, contents: dict[str, bytes]) -> str:
    """Both services have exported and the archive is put together: where it is taken."""
    answer(cloud, "eapply", EAPPLY)
    answer(cloud, "backup", BACKUP)
    serve(cloud, contents)
    work(cloud)
    with cloud.database.reading() as session:
        return f"/portal/{OOKI}/takeout/{db.of_tenant(session, OOKI)[0].id}/archive"


def work(cloud: Cloud) -> None:
    while worker.jobs.run_next(cloud.service):
        pass


BOTH = {"/internal/eapply/archives/file-eapply": EAPPLY, "/internal/backup/archives/file-backup": BACKUP}


def test_everything_in_one_archive_with_its_sums(using: Cloud) -> None:
    found = begin(using)
    assert set(found) == {"eapply", "backup"}, "a service that runs elsewhere has no room here"
    tell(
        using,
        "eapply.room.progressed.v1",
        request_id=found["eapply"].room_request,
        action="export",
        done=2,
        total=5,
        label="申請",
    )
    page = using.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    assert "5のうち2" in page and "書き出しています" in page and "データを受け取る（ZIP）" not in page
    answer(using, "eapply", EAPPLY)
    with using.database.reading() as session:
        [row] = db.of_tenant(session, OOKI)
    where = f"/portal/{OOKI}/takeout/{row.id}/archive"
    early = using.get(where, ADMIN)
    assert early.status_code == 409 and "まだ受け取れません" in early.text
    answer(using, "backup", BACKUP)
    serve(using, BOTH)
    chaining.chain_pending(using.database)
    page = using.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    assert "1つのファイルにまとめています" in page and "書き出しを始める" not in page
    work(using)
    assert "データを受け取る（ZIP）" in using.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    taken = using.get(where, ADMIN)
    assert taken.headers["content-type"] == "application/zip"
    reader = archive.Reader(io.BytesIO(taken.content), takeaway.FORMAT, OOKI)
    assert b"".join(reader.pieces("services/eapply.zip")) == EAPPLY
    assert b"".join(reader.pieces("services/backup.zip")) == BACKUP
    own = {
        name: [json.loads(line) for line in reader.lines(name)] for name in reader.names if name.startswith("registry/")
    }
    assert own["registry/municipality.jsonl"][0]["name"] == "大木町"
    assert {row["service"] for row in own["registry/participation.jsonl"]} == {"eapply", "backup", "center"}
    assert own["registry/members.jsonl"][0]["person_id"] == ADMIN.subject
    assert own["registry/record.jsonl"], "who did what is in it"
    assert KURUME not in json.dumps(own), "nothing of anybody else"
    assert zipfile.ZipFile(io.BytesIO(taken.content)).testzip() is None


def test_after_thirty_days_it_is_said_that_it_must_be_written_anew(using: Cloud) -> None:
    begin(using)
    address = gathered(using, BOTH)
    using.clock.advance(seconds=30 * 86_400 - 1)
    assert address in using.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    assert using.get(address, ADMIN).status_code == 200
    using.clock.advance(seconds=1)
    page = using.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    assert address not in page
    assert "受け取れる期間が過ぎました。もう一度書き出してください。" in page
    assert using.get(address, ADMIN).status_code == 409
    ident, store = address.split("/")[-2], using.service.extras["files"]
    assert [kept for kept, _, _ in store.list(OOKI)] == [ident]
    using.clock.advance(seconds=86_400)
    work(using)
    assert list(store.list(OOKI)) == [], "nobody may take it any more: its bytes are gone"


def test_own_pages_questions_and_papers_are_in_it(using: Cloud) -> None:
    portal = f"/portal/{OOKI}/"
    using.post(f"{portal}pages/", ADMIN, {"page": "terms", "seen": "0", "text": "町の決まり"})
    paper = ("papers", ("a.pdf", b"%PDF-1.7 paper", "application/pdf"))
    using.post(f"{portal}support/", ADMIN, {"title": "印刷", "text": "切れます。"}, files=[paper])
    using.post(f"{portal}departments/", ADMIN, {"name": "総務課"})
    elsewhere = replace(ADMIN, tenant=KURUME, code=KURUME)
    using.post(f"/portal/{KURUME}/support/", elsewhere, {"title": "ほかの市", "text": "x"}, files=[paper])
    begin(using)
    taken = using.get(gathered(using, BOTH), ADMIN)
    reader = archive.Reader(io.BytesIO(taken.content), takeaway.FORMAT, OOKI)
    own = {name: [json.loads(line) for line in reader.lines(name)] for name in reader.names if name.endswith(".jsonl")}
    assert own["registry/pages.jsonl"][0]["content"] == {"text": "町の決まり"}
    assert [thread["title"] for thread in own["registry/questions.jsonl"]] == ["印刷"]
    assert own["registry/messages.jsonl"][0]["text"] == "切れます。"
    assert own["registry/departments.jsonl"][0]["name"] == "総務課"
    [file] = own["registry/files.jsonl"]
    assert file["name"] == "a.pdf" and [n for n in reader.names if "/files/" in n] == [f"registry/files/{file['id']}"]
    assert b"".join(reader.pieces(f"registry/files/{file['id']}")) == b"%PDF-1.7 paper"


def test_answers_that_come_twice_late_or_to_nobody_change_nothing(using: Cloud) -> None:
    found = begin(using)
    again = begin(using)
    assert {p.room_request for p in again.values()} == {p.room_request for p in found.values()}, "one at a time"
    tell(
        using,
        "eapply.room.exported.v1",
        tenant=KURUME,
        request_id=found["eapply"].room_request,
        file="x",
        size=1,
        sha256="",
    )
    tell(using, "backup.room.exported.v1", request_id=found["eapply"].room_request, file="x", size=1, sha256="")
    assert parts(using)["eapply"].state == "asked"
    answer(using, "eapply", EAPPLY)
    answer(using, "eapply", b"", file="another")
    tell(using, "eapply.room.failed.v1", request_id=found["eapply"].room_request, action="export", reason="遅い知らせ")
    assert (parts(using)["eapply"].state, parts(using)["eapply"].file) == ("exported", "file-eapply")


def test_a_silent_room_is_asked_again_under_the_same_id_and_in_the_end_failed(using: Cloud) -> None:
    ident = begin(using)["eapply"].room_request
    for _ in range(takeouts.ASKS):
        using.clock.advance(seconds=61)
        worker.chase_silent_rooms(using.service, None)  # type: ignore[arg-type]
    part = parts(using)["eapply"]
    assert (part.room_request, part.state) == (ident, "failed")
    page = using.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    assert "返事がありませんでした" in page and "書き出しを始める" in page
    assert begin(using)["eapply"].room_request != ident


def test_a_part_cut_short_never_becomes_an_archive_and_is_fetched_again(using: Cloud) -> None:
    begin(using)
    where = gathered(using, BOTH | {"/internal/eapply/archives/file-eapply": EAPPLY[:1000]})
    early = using.get(where, ADMIN)
    assert early.status_code == 409 and "まだ受け取れません" in early.text
    serve(using, BOTH)
    using.clock.advance(seconds=30)
    work(using)
    reader = archive.Reader(io.BytesIO(using.get(where, ADMIN).content), takeaway.FORMAT, OOKI)
    assert b"".join(reader.pieces("services/eapply.zip")) == EAPPLY


def test_a_download_that_breaks_off_goes_on_where_it_was(using: Cloud) -> None:
    begin(using)
    where = gathered(using, BOTH)
    told = using.client.head(where, headers=using.issuers.headers(ADMIN, "tenants", html=True))
    whole = using.get(where, ADMIN)
    size, etag = len(whole.content), told.headers["etag"]
    assert told.content == b"" and told.headers["content-length"] == str(size)
    assert told.headers["accept-ranges"] == "bytes" and etag == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    assert etag.strip('"') in using.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    using.clock.advance(seconds=86_400)
    rest = using.get(where, ADMIN, **{"range": "bytes=300000-", "if-range": etag})
    assert rest.status_code == 206 and rest.headers["content-range"] == f"bytes 300000-{size - 1}/{size}"
    assert whole.content[:300_000] + rest.content == whole.content, "the same bytes a day later"
    anew = using.get(where, ADMIN, **{"range": "bytes=300000-", "if-range": '"another"'})
    assert (anew.status_code, anew.content) == (200, whole.content)
    beyond = using.get(where, ADMIN, range=f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    [one, two] = [using.get(where, ADMIN, range=f"bytes={part}") for part in ("0-9", "-10")]
    assert (one.content, two.content) == (whole.content[:10], whole.content[-10:])


def test_a_take_out_of_the_version_before_is_put_together_too(using: Cloud) -> None:
    begin(using)
    with using.database.transaction() as session:
        for part in db.parts(session, db.of_tenant(session, OOKI)[0].id):
            part.state, part.file = "exported", f"file-{part.service}"
    serve(using, BOTH)
    work(using)
    assert "データを受け取る（ZIP）" in using.get(f"/portal/{OOKI}/takeout/", ADMIN).text


def test_who_uses_no_service_takes_what_the_registry_keeps(cloud: Cloud) -> None:
    """After the last service was left, and before the registration is deleted too."""
    cloud.post(f"/portal/{OOKI}/pages/", ADMIN, {"page": "terms", "seen": "0", "text": "町の決まり"})
    assert cloud.post(f"/portal/{OOKI}/takeout/", ADMIN).status_code == 303
    assert "1つのファイルにまとめています" in cloud.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    work(cloud)
    page = cloud.get(f"/portal/{OOKI}/takeout/", ADMIN).text
    [where] = re.findall(rf"/portal/{OOKI}/takeout/[^/\"]+/archive", page)
    reader = archive.Reader(io.BytesIO(cloud.get(where, ADMIN).content), takeaway.FORMAT, OOKI)
    assert reader.wrong() == [] and not [name for name in reader.names if name.startswith("services/")]
    [written] = reader.lines("registry/pages.jsonl")
    assert "町の決まり" in written.decode()


def test_what_is_written_while_it_is_put_together_is_in_it_whole_or_not_at_all(
    using: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question asked between two tables of the archive: its thread and its message stay together."""
    real, asked = takeouts.own_rows, []

    def rows_while_somebody_asks(session: Session, tenant: str, name: str) -> Iterator[bytes]:
        if name == "messages":
            form = {"title": "途中の問い合わせ", "text": "書き出しのさなかに"}
            asked.append(using.post(f"/portal/{OOKI}/support/", ADMIN, form).status_code)
        return real(session, tenant, name)

    monkeypatch.setattr(takeouts, "own_rows", rows_while_somebody_asks)
    using.post(f"/portal/{OOKI}/support/", ADMIN, {"title": "前の問い合わせ", "text": "切れます。"})
    begin(using)
    reader = archive.Reader(io.BytesIO(using.get(gathered(using, BOTH), ADMIN).content), takeaway.FORMAT, OOKI)
    threads = {json.loads(line)["id"] for line in reader.lines("registry/questions.jsonl")}
    messages = [json.loads(line) for line in reader.lines("registry/messages.jsonl")]
    assert asked == [303] and len(threads) == 1
    assert {message["thread"] for message in messages} == threads


def test_a_deletion_leaves_a_signed_record(using: Cloud) -> None:
    keys.ensure(using.service.settings.keys_dir, ["tenants"])
    asked = using.post(f"/portal/{OOKI}/services/eapply/leave", ADMIN)
    request_id = asked.headers["location"].rsplit("/", 1)[1]
    where = f"/portal/{OOKI}/requests/{request_id}/deletion.json"
    assert using.get(where, ADMIN).status_code == 409, "not before"
    with using.database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", room_request(using.database, request_id), "exported", NOW, archive="file-1")
    using.post(f"/portal/{OOKI}/requests/{request_id}/confirm", ADMIN, {"name": "電子申請サービス"})
    with using.database.transaction(tenant=OOKI) as session:
        ident = room_request(using.database, request_id)
        saga.answered(session, "eapply", ident, "deleted", NOW + timedelta(seconds=5))
    assert "削除の記録を受け取る" in using.get(f"/portal/{OOKI}/requests/{request_id}", ADMIN).text
    using.clock.advance(seconds=10)
    work(using)
    with using.database.reading() as session:
        kept = deletions_db.find(session, request_id)
        assert kept is not None, "signed when the data went, not when somebody asks"
    given = using.get(where, ADMIN).content
    assert given.decode() == kept.content
    record = json.loads(given)
    assert record["document"]["municipality"] == OOKI and record["document"]["archive"] == "file-1"
    assert [step["step"] for step in record["document"]["steps"]][-1] == "done"
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(record["public_key"]))
    told = json.dumps(record["document"], ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    public.verify(base64.b64decode(record["signature"]), told)
    (using.service.settings.keys_dir / "tenants.key").unlink()
    keys.ensure(using.service.settings.keys_dir, ["tenants"])
    assert using.get(where, ADMIN).content == given, "the same bytes for ever, whatever key signs today"
    assert using.get(f"/operator/registry/{OOKI}/deletions/{request_id}.json", OPERATOR).content == given


def test_a_terminal_says_whether_a_record_is_as_it_was_signed(using: Cloud, tmp_path: Path) -> None:
    folder = using.service.settings.keys_dir
    keys.ensure(folder, ["tenants", "other"])
    record = deletions.signed(keys.private_key(folder, "tenants"), {"municipality": OOKI, "service": "eapply"})
    file = tmp_path / "deletion.json"
    file.write_text(json.dumps(record))
    assert "by the key of this installation" in commands.verify_deletion(using.service, file)
    file.write_text(json.dumps(record).replace(OOKI, KURUME))
    with pytest.raises(SystemExit, match="not as it was signed"):
        commands.verify_deletion(using.service, file)
    file.write_text(json.dumps(deletions.signed(keys.private_key(folder, "other"), record["document"])))
    assert "does not know" in commands.verify_deletion(using.service, file)


def test_a_municipality_that_left_everything_is_forgotten_but_for_history_and_accounts(using: Cloud) -> None:
    keys.ensure(using.service.settings.keys_dir, ["tenants"])
    portal = f"/portal/{OOKI}/"
    using.post(f"{portal}pages/", ADMIN, {"page": "terms", "seen": "0", "text": "町の決まり"})
    paper = ("papers", ("a.pdf", b"%PDF-1.7 paper", "application/pdf"))
    using.post(f"{portal}support/", ADMIN, {"title": "印刷", "text": "切れます。"}, files=[paper])
    using.post(f"{portal}departments/", ADMIN, {"name": "総務課"})
    early = using.post(f"{portal}takeout/forget", ADMIN, {"name": "大木町"})
    assert early.status_code == 409 and "先に、すべてのサービスをやめてください" in early.text
    with using.database.transaction(tenant=OOKI) as session:
        for service in ("eapply", "backup", "center"):
            found = [Interval(OOKI, service, "joined", date(2018, 4, 1), date(2020, 4, 1), NOW)]
            subscribe.correct_history(session, ADMIN, OOKI, service, found, "検査", NOW)
    assert "残すもの" in using.get(f"{portal}takeout/", ADMIN).text
    assert using.post(f"{portal}takeout/forget", ADMIN, {"name": "大牟田市"}).status_code == 422
    answered = using.post(f"{portal}takeout/forget", ADMIN, {"name": "大木町"})
    assert answered.status_code == 200 and answered.headers["content-disposition"].startswith("attachment")
    record = answered.json()["document"]
    assert record["service"] == "registry" and record["rows"]["members"] >= 1 and record["rows"]["files"] == 1
    with using.database.reading(tenant=OOKI) as session:
        for name, model in forgetting.GOES.items():
            assert session.scalars(select(model).where(takeouts.owned_by(model, OOKI))).all() == [], name
        assert {i.service for i in subscriptions_db.intervals(session, OOKI)} == {"eapply", "backup", "center"}
        assert audit.entries(session, subject=OOKI)[0].action == "registry.forgotten"
    assert list(using.service.extras["files"].list(OOKI)) == []
    page = using.get(f"/operator/registry/{OOKI}", OPERATOR).text
    assert "署名した削除の記録" in page and "台帳の登録（職員と設定）" in page
    [where] = re.findall(rf"/operator/registry/{OOKI}/deletions/[^\"]+", page)
    assert using.get(where, OPERATOR).content == answered.content


def test_everything_taken_away_is_forgotten_or_said_to_stay() -> None:
    stays = {
        "municipality",
        "participation",
        "requests",
        "request-steps",
        "usage",
        "past-totals",
        "backups",
        "backup-months",
    }
    stays |= {"backup-proofs", "datasets", "dataset-years", "tenders", "invoices", "reservations"}
    assert stays.isdisjoint(forgetting.GOES) and set(takeouts.OWN) <= stays | set(forgetting.GOES)


def test_a_connection_cut_in_the_middle_is_taken_up_where_it_was(using: Cloud) -> None:
    """Over a real connection that the reader breaks after a few megabytes: as a town hall's line does."""
    large = random.Random(1).randbytes(16_000_000)
    begin(using)
    answer(using, "eapply", large)
    answer(using, "backup", BACKUP)
    serve(using, BOTH | {"/internal/eapply/archives/file-eapply": large})
    work(using)
    with using.database.reading() as session:
        where = f"/portal/{OOKI}/takeout/{db.of_tenant(session, OOKI)[0].id}/archive"
    headers = using.issuers.headers(ADMIN, "tenants")
    with serving(using.client.app) as address:
        with httpx.stream("GET", address + where, headers=headers) as first:
            etag, size = first.headers["etag"], int(first.headers["content-length"])
            pieces = first.iter_bytes(100_000)
            had = b"".join(islice(pieces, 50))
        assert 0 < len(had) < size, "the connection is closed with the most still to come"
        part = headers | {"Range": f"bytes={len(had)}-", "If-Range": etag}
        rest = httpx.get(address + where, headers=part)
    assert rest.status_code == 206 and hashlib.sha256(had + rest.content).hexdigest() == etag.strip('"')
    reader = archive.Reader(io.BytesIO(had + rest.content), takeaway.FORMAT, OOKI)
    assert reader.wrong() == []
