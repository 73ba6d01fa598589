"""What a company is told is mailed to who acts for it: the gateway says where to, the mail says where to read it."""

import json
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import select

from infra.local import processes
from libs.common.notices import NoticeRow
from services.ebid.tests.people import Town

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class Gateway(BaseHTTPRequestHandler):
    """Its answer about addresses, as gateway/pages/internal.py gives it."""

    def do_GET(self) -> None:
        person = parse_qs(urlsplit(self.path).query)["person"][0]
        signed = self.headers.get("authorization", "").startswith("Bearer ")
        email = f"{person}@example.jp" if person.startswith("person-") else None
        self.send_response(200 if signed else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"email": email}).encode())

    def log_message(self, *_: Any) -> None:
        pass


class Mails:
    def __init__(self) -> None:
        self.kept: list[tuple[list[str], str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content, policy=policy.default)  # type: ignore[arg-type]
        self.kept.append((envelope.rcpt_tos, mail.get_body().get_content()))  # type: ignore[union-attr]
        return "250 kept"


@pytest.fixture
def gateway() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mails() -> Iterator[tuple[Mails, str]]:
    handler = Mails()
    controller = Controller(handler, hostname="127.0.0.1", port=processes.free_port())
    controller.start()
    yield handler, f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


def connected(town: Town, smtp: str, gateway: str) -> None:
    changed = {"smtp_url": smtp, "upstreams": {"gateway": gateway}, "public_url": "https://kyodo.example.jp"}
    town.service.settings = town.service.settings.model_copy(update=changed)


@on_sqlite
def test_a_notice_reaches_who_acts_for_the_company_with_an_address_that_can_be_followed(
    town: Town, gateway: str, mails: tuple[Mails, str]
):
    connected(town, mails[1], gateway)
    tender = town.publish(method="selective")
    company = town.company(7)
    town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": company.number})
    town.work()
    [(to, body)] = [each for each in mails[0].kept if "/letters/" in each[1]]  # beside the one of the registration
    assert to == ["person-7@example.jp"]
    assert f"\nhttps://kyodo.example.jp/t/{town.code}/ebid/letters/" in body.replace("\r\n", "\n")


@on_sqlite
def test_while_the_gateway_is_away_the_mail_waits(town: Town, gateway: str, mails: tuple[Mails, str]):
    connected(town, mails[1], "http://127.0.0.1:9")
    tender = town.publish(method="selective")
    town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": town.company(7).number})
    town.work()
    with town.service.database.reading() as session:
        assert {row.mail for row in session.scalars(select(NoticeRow))} == {"queued"}
    connected(town, mails[1], gateway)
    town.advance(minutes=10)
    town.work()
    assert sum("/letters/" in body for _, body in mails[0].kept) == 1
