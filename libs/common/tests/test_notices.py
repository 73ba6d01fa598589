"""Notices: in the inbox at once, mailed by a job against a real mail server that behaves well, badly, or dies."""

import email
import email.policy
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import func, select

from infra.local import processes
from libs.common import jobs, notices, two_doors
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.errors import Invalid, NotFound
from libs.common.jobs import JobRow, Jobs
from libs.common.notices import NoticeRow
from libs.common.notices.text import from_text
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.testing.service import NOW, make_service

pytestmark = pytest.mark.any_store

A, B = "402036", "401307"
GUEST = "hanako@example.jp"
RECEIVED = from_text(
    "received", "【久留米市】申請を受け付けました（{{ number }}）\n\n受付番号は {{ number }} です。\n.点の行\n"
)


class Server:
    """A mail server: keeps what it is given, and answers with what `answers` says (first come, first served)."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self.vanish_after_data = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.answers and self.answers[0].startswith("RCPT "):
            return self.answers.pop(0).removeprefix("RCPT ")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
        self.recipients += envelope.rcpt_tos
        if self.vanish_after_data:
            self.vanish_after_data -= 1
            server.transport.abort()
        return "250 kept"


@pytest.fixture
def server() -> Iterator[Server]:
    handler = Server()
    controller = Controller(handler, hostname="127.0.0.1", port=processes.free_port())
    controller.start()
    handler.url = f"smtp://127.0.0.1:{controller.port}"  # type: ignore[attr-defined]
    yield handler
    controller.stop()


@pytest.fixture
def service(database: Database, tmp_path: Path, server: Server) -> Service:
    return with_mail(database, tmp_path, server.url)  # type: ignore[attr-defined]


def with_mail(database: Database, folder: Path, url: str | None) -> Service:
    settings = Settings(data_dir=folder, smtp_url=url, mail_from="共同クラウド <no-reply@kyodo.example>")
    return make_service("shop", database, folder, settings=settings, clock=FixedClock(NOW))


def send(service: Service, tenant: str | None = A, **to: Any) -> str:
    with service.database.transaction(tenant=tenant) as session:
        return notices.send(session, template=RECEIVED, context={"number": "2026-1-K"}, now=NOW, **to)


def work(service: Service, hours: float = 0, **options: Any) -> None:
    registry = Jobs()
    notices.register(registry, **options)
    clock: Any = service.clock
    for _ in range(int(hours * 60) + 1):
        while registry.run_next(service):
            pass
        clock.advance(minutes=1)


def state(service: Service, notice_id: str) -> tuple[str, str | None]:
    with service.database.reading() as session:
        row = session.get_one(NoticeRow, notice_id)
        return row.mail, row.server_said


def test_a_guest_gets_a_mail_that_shows_japanese_right(service: Service, server: Server) -> None:
    notice = send(service, to_address=GUEST)
    work(service)
    [mail] = server.mails
    assert mail["Subject"] == "【久留米市】申請を受け付けました（2026-1-K）"
    assert mail["To"] == GUEST
    assert mail.get_content().replace("\r\n", "\n") == "受付番号は 2026-1-K です。\n.点の行\n"
    assert mail.get_content_type() == "text/plain"
    assert mail["Message-ID"] == f"<{notice}@kyodo.example>"
    assert (mail["Auto-Submitted"], mail["List-Id"]) == ("auto-generated", "<notices.kyodo.example>")
    assert all(ord(character) < 128 for character in mail.as_string())
    assert state(service, notice) == ("sent", "250 kept")
    work(service, hours=1)
    assert len(server.mails) == 1


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_mail_program_can_end_such_mails_by_itself(service: Service, server: Server, scheme: str) -> None:
    """RFC 2369 and RFC 8058: the address whole on one line, and the promise that a POST is enough only where it is https."""
    link = f"{scheme}://cloud.example/opendata/unfollow/{'e' * 250}"
    send(service, to_address=GUEST, unsubscribe=link)
    send(service, to_address=GUEST)
    work(service)
    offered, plain = server.mails
    assert offered["List-Unsubscribe"] == f"<{link}>"
    assert offered["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click" if scheme == "https" else None)
    assert plain["List-Unsubscribe"] is None and plain["List-Unsubscribe-Post"] is None


DESK = from_text("desk", "担当になりました\n\n{{ desk }}\n{{ page }}\n")


def test_where_staff_have_a_door_of_their_own_a_mail_leads_them_there(
    database: Database, tmp_path: Path, server: Server
) -> None:
    two = Settings(
        data_dir=tmp_path,
        smtp_url=server.url,  # type: ignore[attr-defined]
        mail_from="共同クラウド <no-reply@kyodo.example>",
        public_url="https://kyodo.example.jp/",
        staff_url="https://staff.example.jp",
    )
    here = make_service("shop", database, tmp_path, settings=two, clock=FixedClock(NOW))
    site = "https://kyodo.example.jp"
    context = {"desk": f"{site}/t/402036/shop/desk/cases/1", "page": f"{site}/t/402036/shop/enquiry"}
    with database.transaction(tenant=A) as session:
        notices.send(session, template=DESK, context=context, now=NOW, to_address="staff@example.jp")
    work(here)
    assert server.mails[0].get_content().split() == [
        "https://staff.example.jp/t/402036/shop/desk/cases/1",
        "https://kyodo.example.jp/t/402036/shop/enquiry",
    ]


@pytest.mark.parametrize(
    ("path", "staff"),
    [
        ("/portal/402036/support/1", True),
        ("/operator/", True),
        ("/operator", True),
        ("/t/402036/desk/", True),
        ("/t/402036/eapply/desk", True),
        ("/t/402036/eapply/", False),
        ("/t/402036/eapply/desktop", False),
        ("/portals/", False),
        ("/opendata/operator/", False),
        ("", False),
    ],
)
def test_only_staff_s_pages_are_at_the_staff_s_address(path: str, staff: bool) -> None:
    two = Settings(public_url="https://kyodo.example.jp", staff_url="https://staff.example.jp/")
    found = two_doors.with_staff_links(f"→ https://kyodo.example.jp{path} ←", two)
    assert found == f"→ https://{'staff' if staff else 'kyodo'}.example.jp{path} ←"
    one = Settings(public_url="https://kyodo.example.jp")
    assert two_doors.with_staff_links(f"https://kyodo.example.jp{path}", one) == f"https://kyodo.example.jp{path}"


def test_a_person_reads_it_in_the_inbox_and_the_service_finds_the_address(service: Service, server: Server) -> None:
    addresses = {"person-1": "staff@example.jp"}
    first, second = send(service, to_person="person-1"), send(service, to_person="person-2")
    work(service, address_of=lambda _service, person: addresses.get(person))
    assert server.recipients == ["staff@example.jp"]
    assert state(service, first)[0] == "sent"
    assert state(service, second) == ("none", "no address")
    with service.database.transaction() as session:
        assert notices.unread_count(session, "person-1") == 1
        [row] = notices.inbox(session, "person-1")
        assert notices.mark_read(session, "person-1", row.id, NOW).body.startswith("受付番号は")
        assert notices.unread_count(session, "person-1") == 0
        with pytest.raises(NotFound):
            notices.mark_read(session, "person-1", second, NOW)


def test_a_notice_of_a_rolled_back_transaction_is_never_mailed(service: Service, server: Server) -> None:
    with pytest.raises(ZeroDivisionError), service.database.transaction(tenant=A) as session:
        notices.send(session, to_address=GUEST, template=RECEIVED, context={"number": "1"}, now=NOW)
        raise ZeroDivisionError
    send(service, to_address="kept@example.jp")
    work(service)
    assert server.recipients == ["kept@example.jp"]


def test_a_refused_mail_is_failed_with_the_servers_words_and_without_the_address(
    service: Service, server: Server
) -> None:
    server.answers = [f"RCPT 550 5.1.1 <{GUEST}>: no such user {GUEST}"]
    notice = send(service, to_address=GUEST)
    work(service, hours=3)
    mail, said = state(service, notice)
    assert mail == "failed"
    assert said == "550 5.1.1 <…>: no such user …"
    assert server.mails == []
    with service.database.reading() as session:
        assert [row.id for row in notices.troubled(session)] == [notice]
        assert [job.status for job in jobs.dead(session)] == ["dead"]


def test_a_server_that_is_busy_or_away_is_asked_again(service: Service, server: Server) -> None:
    server.answers = ["RCPT 450 4.2.0 greylisted", "451 try later"]
    notice = send(service, to_address=GUEST)
    work(service)
    assert state(service, notice) == ("queued", "450 4.2.0 greylisted")
    work(service, hours=1)
    assert state(service, notice)[0] == "sent"
    assert len(server.mails) == 1


def test_a_server_that_stays_away_fails_in_the_end(database: Database, tmp_path: Path) -> None:
    service = with_mail(database, tmp_path, f"smtp://127.0.0.1:{processes.free_port()}")
    notice = send(service, to_address=GUEST)
    work(service, hours=2)
    assert state(service, notice) == ("failed", "0 not reachable (ConnectionRefusedError)")


def test_a_broken_connection_after_the_text_is_unknown_and_sent_again_under_the_same_id(
    service: Service, server: Server
) -> None:
    server.vanish_after_data = 1
    notice = send(service, to_address=GUEST)
    work(service)
    assert state(service, notice)[0] == "unknown"
    work(service, hours=1)
    assert state(service, notice)[0] == "sent"
    assert [mail["Message-ID"] for mail in server.mails] == [f"<{notice}@kyodo.example>"] * 2


def test_a_process_that_died_while_sending_sends_again_under_the_same_id(service: Service, server: Server) -> None:
    notice = send(service, to_address=GUEST)
    with service.database.transaction() as session:
        session.get_one(NoticeRow, notice).mail = "sending"
        job = session.scalars(select(JobRow).where(JobRow.job_kind == "notices.mail")).one()
        job.status, job.attempts, job.lease_until = "running", 1, NOW + timedelta(seconds=30)
    work(service, hours=0.1)
    assert state(service, notice)[0] == "sent"
    assert [mail["Message-ID"] for mail in server.mails] == [f"<{notice}@kyodo.example>"]


def test_without_a_mail_server_the_inbox_still_works(database: Database, tmp_path: Path) -> None:
    service = with_mail(database, tmp_path, None)
    notice = send(service, to_person="person-1", to_address=GUEST)
    work(service)
    assert state(service, notice) == ("none", "no mail server is set")


@pytest.mark.parametrize(
    "address",
    ["", "x", "a@b", "a b@example.jp", "a@example.jp\r\nBcc: b@example.jp", "花子@example.jp", "a@例え.jp",
     "a@exa_mple.jp", "a,b@example.jp", '"a"@example.jp', "<a@example.jp>", f"{'x' * 250}@example.jp"],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused_at_once(service: Service, address: str) -> None:
    assert send(service, to_address="ok+tag.x@sub.example.co.jp")
    with pytest.raises((Invalid, ValueError)):
        send(service, to_address=address)


def test_a_subject_cannot_bring_headers_of_its_own(service: Service, server: Server) -> None:
    evil = from_text("evil", "件名 {{ name }}\n\n本文\n")
    with service.database.transaction(tenant=A) as session:
        notices.send(session, to_address=GUEST, template=evil, context={"name": "x\nBcc: b@example.jp"}, now=NOW)
    work(service)
    [mail] = server.mails
    assert mail["Bcc"] is None
    assert server.recipients == [GUEST]


def test_a_template_with_a_missing_value_is_an_error_before_anything_is_kept(service: Service) -> None:
    with pytest.raises(Exception, match="number"), service.database.transaction(tenant=A) as session:
        notices.send(session, to_address=GUEST, template=RECEIVED, context={}, now=NOW)
    with service.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(NoticeRow)) == 0


def test_what_was_mailed_to_guests_is_forgotten_after_90_days(service: Service) -> None:
    guest, person = send(service, to_address=GUEST), send(service, to_person="person-1", to_address=GUEST)
    work(service)
    service.clock.advance(days=89)  # type: ignore[attr-defined]
    work(service)
    assert state(service, guest)[0] == "sent"
    service.clock.advance(days=2)  # type: ignore[attr-defined]
    work(service)
    with service.database.reading() as session:
        assert [row.id for row in session.scalars(select(NoticeRow))] == [person]


def test_a_tenant_that_leaves_takes_its_notices_along(service: Service) -> None:
    gone, stays = send(service, to_person="person-1"), send(service, tenant=B, to_person="person-1")
    with service.database.transaction(tenant=A) as session:
        notices.forget_tenant(session, A)
    with service.database.reading() as session:
        assert [row.id for row in notices.inbox(session, "person-1")] == [stays]
        assert session.get(NoticeRow, gone) is None


def test_no_address_and_no_text_is_logged(
    service: Service, server: Server, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = ["RCPT 450 later", f"554 no {GUEST}"]
    send(service, to_address=GUEST)
    caplog.set_level("DEBUG")
    work(service, hours=1)
    ours = [record for record in caplog.records if record.name != "mail.log"]  # that one is the test's own mail server
    logged = "\n".join(f"{record.getMessage()} {record.exc_text}" for record in ours) + "".join(capsys.readouterr())
    assert "state" in logged, "something was logged"
    assert GUEST not in logged
    assert "2026-1-K" not in logged
