"""The people of a tender in tests: officials, trustees and companies, each with a browser that talks to the real app."""

import html
import io
import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from pypdf import PdfWriter
from sqlalchemy import select

from libs.common import room
from libs.common.actor import Actor
from libs.common.jobs import run_next
from libs.common.outbox import OutboxRow
from libs.common.room import RoomRequest
from libs.common.room.table import set_state
from libs.common.service import Service
from libs.common.testing.service import Issuers
from services.ebid.api import create_app
from services.ebid.api.shell import local_input
from services.ebid.domain import procedure
from services.ebid.domain.company import check_digit
from services.ebid.domain.opened import bid_payload
from services.ebid.rooms import EbidRoom
from services.ebid.sealing import envelope, trustee
from services.ebid.sealing.envelope import Header
from services.ebid.worker import jobs

OFFICER, MANAGER, TRUSTEE = (frozenset({f"ebid.{role}"}) for role in ("officer", "manager", "trustee"))


def one_page() -> bytes:
    """A PDF that tells nothing beside what it shows."""
    writer, made = PdfWriter(), io.BytesIO()
    writer.add_blank_page(595, 842)
    writer.write(made)
    return made.getvalue()


PDF = one_page()


def corporate_number(serial: int) -> str:
    """A 法人番号 with its check digit."""
    base = f"{serial:012d}"
    return f"{check_digit(base)}{base}"


def open_room(service: Service, tenant: str, name: str) -> None:
    """As the worker does on a request of the registry."""
    request = RoomRequest("00000000-0000-7000-8000-000000000000", tenant, "provision", code=tenant, name=name)
    room.drain(EbidRoom(service).provision(request))
    with service.database.transaction(tenant=tenant) as session:
        set_state(session, request, room.table.OPEN, service.clock.now())


class Town:
    """One municipality of one installation, with three trustees."""

    def __init__(self, service: Service, issuers: Issuers, code: str) -> None:
        self.service, self.issuers, self.code = service, issuers, code
        self.app: FastAPI = create_app(service)
        self.officer = self.staff("officer", "入札 担当", OFFICER)
        self.manager = self.staff("manager", "課長 承認", MANAGER)
        self.keys = {f"trustee-{number}": trustee.generate() for number in (1, 2, 3)}

    def staff(self, subject: str, name: str, roles: frozenset[str]) -> "Browser":
        actor = Actor(
            "staff", f"{self.code}-{subject}", name, self.code, self.code, roles, "password", f"sid-{subject}"
        )
        return Browser(self, actor)

    def guest(self) -> "Browser":
        return Browser(self, Actor("guest", "guest:1", tenant=self.code, code=self.code, sid="guest-1"))

    def trustee(self, subject: str) -> "Browser":
        return self.staff(subject, f"かぎ {subject}", TRUSTEE)

    def company_actor(self, serial: int) -> Actor:
        return Actor("person", f"person-{serial}", "社員", self.code, self.code, acr="password", sid=f"sid-{serial}")

    def company(self, serial: int, name: str = "") -> "Company":
        return Company.registered(self, self.company_actor(serial), serial, name or f"株式会社筑後{serial}組")

    def registration(self, words: str) -> str:
        """The desk's address of the only supplier that is found by these words."""
        page = self.officer.get(f"desk/companies?q={words}").text
        [found] = re.findall(r'href="companies/([^"]+)"', page)
        return f"desk/companies/{found}"

    def confirm(self, words: str) -> None:
        """An official looks at the registration, if nobody has."""
        address = self.registration(words)
        how = "papers" if 'value="papers"' in (page := self.officer.get(address).text) else "registry"
        if f"{address}/confirm" in page:
            given = {"how": how, "note": "令和8年11月1日の証明書"}
            assert self.officer.post(f"{address}/confirm", given).status_code == 200

    def advance(self, **span: float) -> None:
        self.service.clock.advance(**span)  # type: ignore[attr-defined]

    def work(self) -> None:
        """What the worker would do now: every job that is due."""
        while run_next(self.service, jobs, "test"):
            pass

    def events(self, type_: str) -> list[dict[str, Any]]:
        with self.service.database.reading() as session:
            found = select(OutboxRow).where(OutboxRow.type == type_, OutboxRow.tenant == self.code)
            return [row.envelope for row in session.scalars(found.order_by(OutboxRow.position))]

    # ---- ways people often go

    def register_trustees(self) -> None:
        for number, (subject, key) in enumerate(self.keys.items(), start=1):
            given = {"institution": f"第{number}の機関", "public_key": trustee.public_of(key)}
            assert self.trustee(subject).post("desk/trustees", given).status_code == 200

    def form(self, **changed: Any) -> dict[str, Any]:
        """What an officer types for a works tender."""
        now = self.service.clock.now()
        page = self.officer.get("desk/new").text
        how = procedure.METHODS.get(changed.get("method", ""), procedure.METHODS["open_after"])
        contract = procedure.KINDS.get(changed.get("category", "works"), procedure.KINDS["works"]).contract
        return {
            "title": "市道中央線舗装工事",
            "summary": "延長120mの舗装を打ち換えます。",
            "place": "中央一丁目",
            "category": "works",
            "method": "open_after",
            "requirements": "",
            "questions_until": local_input(now + timedelta(days=2)),
            "apply_until": "",
            "bid_until": local_input(now + timedelta(days=5)),
            "opens_at": local_input(now + timedelta(days=5, hours=1)),
            "disclosure": "after",
            "limits": "sealed" if contract and how.competitive else "none",
            "ground": "" if how.competitive else "2",
            "ground_reason": "" if how.competitive else "ほかに扱う者がないため",
            "lottery": "core",
            "trustees": re.findall(r'name="trustees" value="([^"]+)"', page),
        } | changed

    def draft(self, **changed: Any) -> str:
        """A draft; its id."""
        answer = self.officer.post("desk/new", self.form(**changed), follow_redirects=False)
        assert answer.status_code == 303, visible(answer.text)
        return answer.headers["location"].rsplit("/", 1)[1]

    def version(self, tender: str) -> str:
        return hidden(self.officer.get(f"desk/tenders/{tender}").text, "version")

    def seal_limits(self, tender: str, with_tax: int = 11_000_000, **more: Any) -> Response:
        """`more`: other prices. Without any, 8 000 000 yen of what the page asks for."""
        page = self.officer.get(f"desk/tenders/{tender}/limits").text
        payload = {"reserve_with_tax": with_tax, "reserve": with_tax * 100 // 110}
        asked = [name for name in ("minimum", "investigation") if f'data-seal="{name}"' in page]
        payload |= more or dict.fromkeys(asked, 8_000_000)
        made = envelope.seal(payload, header_in(page))
        given = {"version": hidden(page, "version"), "envelope": json_text(made)}
        return self.officer.post(f"desk/tenders/{tender}/limits", given)

    def publish(self, **changed: Any) -> str:
        """A published tender; its id."""
        if not re.search('name="trustees"', self.officer.get("desk/new").text):
            self.register_trustees()
        tender = self.draft(**changed)
        if changed.get("disclosure") != "before":
            assert self.seal_limits(tender).status_code == 200
        self.officer.post(f"desk/tenders/{tender}/submit", {"version": self.version(tender)})
        page = self.manager.get(f"desk/approvals/{tender}").text
        answer = self.manager.post(f"desk/approvals/{tender}/publish", {"version": hidden(page, "version")})
        assert answer.status_code == 200, visible(answer.text)
        return tender

    def close(self) -> None:
        """The clock passes the deadline and the opening's hour; the worker closes the round."""
        self.advance(days=5, hours=2)
        self.work()

    def give(self, tender: str, subject: str) -> Response:
        """A trustee uses the key."""
        browser = self.trustee(subject)
        request = browser.get(f"desk/trustees/{tender}/opening.json", page=False).json()
        shares = {}
        for each in request["envelopes"]:
            share = envelope.open_share(each, request["place"], self.keys[subject])
            shares[envelope.digest(each)] = share and share.hex()
        return browser.post(f"desk/trustees/{tender}/shares", {"shares": json_text({"shares": shares})})

    def open(self, tender: str, *subjects: str) -> None:
        for subject in subjects or ("trustee-1", "trustee-3"):
            assert self.give(tender, subject).status_code == 200
        self.work()

    def conclude(self, tender: str, **given: str) -> Response:
        form = {"version": self.version(tender), **given}
        return self.officer.post(f"desk/tenders/{tender}/conclude", form)


def local_input_in(town: Town, **span: float) -> str:
    """What somebody types for a moment that far ahead."""
    return local_input(town.service.clock.now() + timedelta(**span))


def json_text(document: Any) -> str:
    return json.dumps(document)


class Browser:
    """A browser that follows redirects as its person would, always in their own municipality's paths."""

    def __init__(self, town: Town, actor: Actor) -> None:
        self.town, self.actor = town, actor
        self.client = TestClient(town.app, raise_server_exceptions="EBID_RAISE" in os.environ)

    def address(self, path: str) -> str:
        return path if path.startswith("/") else f"/t/{self.town.code}/ebid/{path}"

    def get(self, path: str, *, page: bool = True, **more: Any) -> Response:
        return self.client.get(self.address(path), headers=self._headers(page), **more)

    def post(self, path: str, data: Any = None, *, page: bool = True, **more: Any) -> Response:
        return self.client.post(self.address(path), data=data, headers=self._headers(page), **more)

    def _headers(self, page: bool) -> dict[str, str]:
        return self.town.issuers.headers(self.actor, "ebid", html=page)


class Company(Browser):
    """Somebody who acts for a company."""

    name = "株式会社筑後組"
    number = ""

    @classmethod
    def of(cls, town: Town, actor: Actor, number: str) -> "Company":
        """Not registered by this."""
        made = cls(town, actor)
        made.number = number
        return made

    @classmethod
    def registered(cls, town: Town, actor: Actor, serial: int, name: str) -> "Company":
        made = cls.of(town, actor, corporate_number(serial))
        made.name = name
        answer = made.post("/ebid/company", made.form())
        assert answer.status_code == 200, visible(answer.text)
        town.confirm(made.number)
        return made

    def form(self, **changed: Any) -> dict[str, Any]:
        return {
            "name": self.name,
            "corporate_number": self.number,
            "representative": "代表 太郎",
            "address": "福岡県久留米市城南町",
            "categories": ["works", "goods"],
        } | changed

    def sealed(self, tender: str, amount: Any, lottery_number: str = "418") -> dict[str, Any]:
        """What the company's own browser or tool makes of an amount."""
        head = self.get(f"tenders/{tender}/head.json", page=False).json()
        return envelope.seal(bid_payload(amount, lottery_number), header_of(head))

    def send(self, tender: str, made: dict[str, Any], *, page: bool = False) -> Response:
        given = {"act": "bid", "envelope": json_text(made)}
        return self.post(f"tenders/{tender}/send", given, page=page)

    def bid(self, tender: str, amount: Any, lottery_number: str = "418") -> Response:
        answer = self.send(tender, self.sealed(tender, amount, lottery_number))
        assert answer.status_code == 200, visible(answer.text)
        return answer

    def letters(self) -> str:
        page = self.get("mine").text
        return " ".join(visible(self.get(each).text) for each in re.findall(r'href="([^"]*/letters/[^"]+)"', page))


def header_of(head: dict[str, Any]) -> Header:
    known = {name: value for name, value in head.items() if name != "v"}
    return Header(**known | {"trustees": tuple(head["trustees"])})


def header_in(page: str) -> Header:
    found = re.search(r'data-ebid-seal="([^"]*)"', page)
    assert found, visible(page)
    return header_of(json.loads(html.unescape(found.group(1))))


def hidden(text: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{re.escape(name)}" value="([^"]*)"', text)
    assert found, f"no hidden input {name} in: {visible(text)}"
    return html.unescape(found.group(1))


def visible(text: str) -> str:
    """The words of a page, for messages of failing tests."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", "", text, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def files_of(service: Service, tenant: str) -> list[Path]:
    return [path for path in (service.data_dir / "files").rglob("*") if path.is_file() and tenant in str(path)]
