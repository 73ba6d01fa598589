"""A municipality asks, the operators answer, both hear of it; another municipality sees nothing."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.common import notices
from libs.common.actor import Actor
from libs.common.errors import Unavailable
from libs.common.notices import NoticeRow
from libs.common.testing.service import NOW
from services.tenants import worker
from services.tenants.db import support as db
from services.tenants.settings import files_of
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR, PREFECTURE, SECOND_OPERATOR
from services.tenants.use_cases import members

pytestmark = pytest.mark.any_store

SUPPORT = f"/portal/{OOKI}/support/"
COLLEAGUE = replace(ADMIN, subject="person-colleague", name="同僚 花子")
ELSEWHERE = Actor("staff", "person-k", "久留米 太郎", KURUME, KURUME, frozenset({"portal.admin"}), "password", "sid-k")
PDF = b"%PDF-1.7\nhello"
QUESTION = {"title": "証明書の印刷", "service": "eapply", "text": "二枚目が切れます。\n\nどうすればよいですか。"}


@pytest.fixture(autouse=True)
def people(cloud: Cloud) -> None:
    for tenant, who, role in (
        (OOKI, ADMIN, "portal.admin"), (OOKI, COLLEAGUE, "portal.admin"), (KURUME, ELSEWHERE, "portal.admin"),
        (PREFECTURE, OPERATOR, "operator"), (PREFECTURE, SECOND_OPERATOR, "operator"),
    ):  # fmt: skip
        with cloud.database.transaction(tenant=tenant) as session:
            members.grant(session, OPERATOR, tenant, who.subject, {role}, NOW)


def ask(cloud: Cloud, **more: object) -> str:
    sent = cloud.post(SUPPORT, ADMIN, QUESTION, **more)
    assert sent.status_code == 303, sent.text
    return sent.headers["location"].rsplit("/", 1)[1]


def inbox(cloud: Cloud, actor: Actor) -> list[NoticeRow]:
    with cloud.database.reading() as session:
        return notices.inbox(session, actor.subject)


def test_a_question_is_answered_and_closed_and_both_hear_of_it(cloud: Cloud) -> None:
    thread = ask(cloud)
    assert {len(inbox(cloud, who)) for who in (OPERATOR, SECOND_OPERATOR, COLLEAGUE)} == {1}
    assert inbox(cloud, ADMIN) == [] and inbox(cloud, ELSEWHERE) == []
    listed = cloud.get("/operator/support", OPERATOR).text
    assert "大木町" in listed and "証明書の印刷" in listed and "未読1件" in listed
    page = cloud.get(f"/operator/support/{thread}", OPERATOR).text
    assert "二枚目が切れます。" in page and "大木町" in page and "電子申請サービス" in page
    cloud.clock.advance(seconds=60)
    assert cloud.post(f"/operator/support/{thread}", OPERATOR, {"text": "余白を0にしてください。"}).status_code == 303
    assert [row.mail for row in inbox(cloud, ADMIN)] == ["queued"]
    assert "余白" not in inbox(cloud, ADMIN)[0].body, "a mail is read on the way"
    assert f"/portal/{OOKI}/support/{thread}" in inbox(cloud, ADMIN)[0].body
    assert "回答がありました" in cloud.get(SUPPORT, ADMIN).text
    assert "余白を0に" in cloud.get(f"{SUPPORT}{thread}", ADMIN).text
    assert "証明書の印刷" not in cloud.get("/operator/support", OPERATOR).text, "it waits no longer"
    assert "証明書の印刷" in cloud.get("/operator/support?state=answered", OPERATOR).text
    cloud.post(f"{SUPPORT}{thread}/close", ADMIN)
    assert "終わりました" in cloud.get(SUPPORT, ADMIN).text
    assert cloud.post(f"{SUPPORT}{thread}/close", ADMIN).status_code == 409
    cloud.post(f"{SUPPORT}{thread}", ADMIN, {"text": "まだ切れます。"})
    assert "証明書の印刷" in cloud.get("/operator/support", OPERATOR).text, "writing on opens it again"


def test_looking_at_the_inbox_is_reading_it(cloud: Cloud) -> None:
    ask(cloud)
    assert "新しい</span>" in cloud.get("/operator/notices", OPERATOR).text
    assert "新しい</span>" not in cloud.get("/operator/notices", OPERATOR).text
    assert "未読0件" in cloud.get("/operator/support", OPERATOR).text
    assert "お知らせはありません" in cloud.get(f"/portal/{OOKI}/notices/", ADMIN).text


def test_papers_are_handed_out_as_downloads_to_both_sides(cloud: Cloud) -> None:
    thread = ask(cloud, files=[("papers", ('..\\印刷"例.pdf', PDF, "text/html"))])
    [link] = re.findall(rf'href="({SUPPORT}{thread}/files/[\w-]+)"', cloud.get(f"{SUPPORT}{thread}", ADMIN).text)
    for path, actor in ((link, ADMIN), (link.replace(SUPPORT, "/operator/support/"), OPERATOR)):
        got = cloud.get(path, actor)
        assert got.content == PDF and got.headers["content-type"] == "application/pdf"
        assert got.headers["content-disposition"].startswith("attachment")
    other = ask(cloud)
    assert cloud.get(link.replace(thread, other), ADMIN).status_code == 404, "a paper belongs to its thread"


def test_another_municipality_sees_nothing(cloud: Cloud) -> None:
    thread = ask(cloud, files=[("papers", ("a.pdf", PDF, "application/pdf"))])
    page = cloud.get(f"{SUPPORT}{thread}", ADMIN).text
    [file_id] = re.findall(r"/files/([\w-]+)", page)
    there = f"/portal/{KURUME}/support/"
    assert "証明書の印刷" not in cloud.get(there, ELSEWHERE).text
    assert cloud.get(f"{there}{thread}", ELSEWHERE).status_code == 404
    assert cloud.get(f"{there}{thread}/files/{file_id}", ELSEWHERE).status_code == 404
    assert cloud.post(f"{there}{thread}", ELSEWHERE, {"text": "x"}).status_code == 404
    assert cloud.post(f"{there}{thread}/close", ELSEWHERE).status_code == 404
    with cloud.database.reading(tenant=KURUME) as session:
        assert db.messages(session, thread) == []
    with cloud.database.reading(tenant=OOKI) as session:
        assert len(db.messages(session, thread)) == 1, "planted: it is there for its own"


def test_a_form_sent_twice_is_one_question(cloud: Cloud) -> None:
    keyed = {**QUESTION, "idempotency_key": "key-of-the-form"}
    first, second = cloud.post(SUPPORT, ADMIN, keyed), cloud.post(SUPPORT, ADMIN, keyed)
    assert first.headers["location"] == second.headers["location"]
    thread = first.headers["location"].rsplit("/", 1)[1]
    for _ in range(2):
        cloud.post(f"{SUPPORT}{thread}", ADMIN, {"text": "追加です。", "idempotency_key": "key-of-the-next"})
    with cloud.database.reading(tenant=OOKI) as session:
        assert len(db.messages(session, thread)) == 2


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"title": "", "text": "x"}, "title"), ({"title": "あ" * 101, "text": "x"}, "title"),
        ({"title": "a\x00b", "text": "x"}, "title"), ({"title": "x", "text": " "}, "text"),
        ({"title": "x", "text": "あ" * 10_001}, "text"), ({"title": "x", "text": "a\x00b"}, "text"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_said_beside_the_field(cloud: Cloud, form: dict[str, str], field: str) -> None:
    answer = cloud.post(SUPPORT, ADMIN, form)
    assert answer.status_code == 422 and f'id="{field}-error"' in answer.text
    with cloud.database.reading() as session:
        assert db.threads(session, OOKI, ("open",)) == []


@pytest.mark.parametrize(
    ("papers", "status"),
    [
        ([("a.exe", b"MZ\x90\x00" + b"\x00" * 100)], 422),
        ([("a.pdf", b"")], 422),
        ([("a.html", b"<!doctype html><script>1</script>")], 422),
        ([(f"{n}.pdf", PDF) for n in range(4)], 422),
        ([("a.pdf", b"%PDF-1.7\n" + b"x" * 10_000_001)], 413),
    ],
)
def test_papers_that_cannot_be_taken_leave_no_question(
    cloud: Cloud, papers: list[tuple[str, bytes]], status: int
) -> None:
    sent = [("papers", (name, content, "application/pdf")) for name, content in papers]
    answer = cloud.post(SUPPORT, ADMIN, QUESTION, files=sent)
    assert answer.status_code == status and 'id="papers-error"' in answer.text and "二枚目が切れます" in answer.text
    with cloud.database.reading() as session:
        assert db.threads(session, OOKI, ("open",)) == []


def test_a_service_that_is_not_is_refused(cloud: Cloud) -> None:
    assert cloud.post(SUPPORT, ADMIN, {**QUESTION, "service": "nothing"}).status_code == 404
    assert cloud.post("/operator/support/none", OPERATOR, {"text": "x"}).status_code == 404


def test_long_lists_go_on(cloud: Cloud) -> None:
    made = [ask(cloud) for _ in range(db.PAGE + 1)]
    page = cloud.get(SUPPORT, ADMIN).text
    assert made[0] not in page and made[-1] in page
    [before] = re.findall(r'href="\?before=([\w-]+)"', page)
    assert made[0] in cloud.get(f"{SUPPORT}?before={before}", ADMIN).text


def test_a_mail_waits_while_the_gateway_is_away(cloud: Cloud) -> None:
    with pytest.raises(Unavailable):
        worker.address_of(cloud.service, ADMIN.subject)
    known = {"id": ADMIN.subject, "display_name": "x", "email": "a@example.jp", "active": True}
    cloud.others.answers[("GET", "/internal/gateway/persons")] = (200, [known])
    assert worker.address_of(cloud.service, ADMIN.subject) == "a@example.jp"
    assert worker.address_of(cloud.service, "somebody-else") is None


def test_bytes_that_no_message_knows_go_after_a_day(cloud: Cloud) -> None:
    thread = ask(cloud, files=[("papers", ("a.pdf", PDF, "application/pdf"))])
    store = files_of(cloud.service)
    loose = store.put(OOKI, iter([PDF]), limit=100)
    assert len(list(store.list(OOKI))) == 2
    [(_, _, stored)] = [each for each in store.list(OOKI) if each[0] == loose.id]
    cloud.clock.advance(seconds=(stored - cloud.clock.now() + timedelta(days=2)).total_seconds())
    job = type("Job", (), {"progress": lambda *_: None})()
    worker.forget_loose_files(cloud.service, job)
    [left] = [each[0] for each in store.list(OOKI)]
    assert left != loose.id and left in cloud.get(f"{SUPPORT}{thread}", ADMIN).text
