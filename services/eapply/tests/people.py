"""The people of a municipality in tests: each with a browser of their own that talks to the real app with real tokens."""

import html
import os
import re
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response

from libs.common import room
from libs.common.actor import Actor
from libs.common.room import RoomRequest
from libs.common.room.table import set_state
from libs.common.service import Service
from libs.common.testing.installation import preparing
from libs.common.testing.service import Issuers
from services.eapply.api import create_app
from services.eapply.rooms import EapplyRoom
from services.eapply.settings import Settings, furnish

REVIEWER = frozenset({"eapply.reviewer"})

EVENT = {
    "event": "古文書講座",
    "name": "髙橋 𠮷郎",
    "kana": "たかはし よしろう",
    "phone": "０９４２－３０－９０００",
    "people": "２",
}
"""Answers to イベント参加申込, as people type them."""


def open_room(service: Service, tenant: str, name: str) -> None:
    """As the worker does on a request of the registry."""
    request = RoomRequest("00000000-0000-7000-8000-000000000000", tenant, "provision", code=tenant, name=name)
    room.drain(EapplyRoom(service).provision(request))
    with service.database.transaction(tenant=tenant) as session:
        set_state(session, request, room.table.OPEN, service.clock.now())


KURUME = "402036"
PREPARED = {
    "town": preparing("eapply", Settings, furnish, lambda service: open_room(service, KURUME, "久留米市")),
}
"""What the database of a test with a `town` holds already."""


class Town:
    """One municipality of one installation."""

    def __init__(self, service: Service, issuers: Issuers, code: str) -> None:
        self.service, self.issuers, self.code = service, issuers, code
        self.app: FastAPI = create_app(service)

    def guest(self, sid: str = "guest-1") -> "Browser":
        return Browser(self, Actor("guest", f"guest:{sid}", tenant=self.code, code=self.code, sid=sid))

    def person(self, subject: str = "person-1", name: str = "筑後 陽子") -> "Browser":
        actor = Actor("person", subject, name, self.code, self.code, acr="password", sid=f"sid-{subject}")
        return Browser(self, actor)

    def staff(self, subject: str = "staff-1", name: str = "古賀 真理", roles: frozenset[str] = REVIEWER) -> "Browser":
        actor = Actor("staff", subject, name, self.code, self.code, roles, "password", f"sid-{subject}")
        return Browser(self, actor)

    def machine(self, *scopes: str) -> "Browser":
        """A program of the municipality with one of its keys."""
        return Browser(
            self, Actor("machine", "token-1", "会計システム", self.code, self.code, frozenset(scopes), acr="key")
        )

    def events(self, type_: str) -> list[dict[str, Any]]:
        """Events of a type in the outbox, oldest first."""
        from sqlalchemy import select

        from libs.common.outbox import OutboxRow

        with self.service.database.reading() as session:
            found = select(OutboxRow).where(OutboxRow.type == type_, OutboxRow.tenant == self.code)
            return [row.envelope for row in session.scalars(found.order_by(OutboxRow.position))]


class Browser:
    """A browser that follows redirects as its person would, always in their own municipality's paths."""

    def __init__(self, town: Town, actor: Actor) -> None:
        self.town, self.actor = town, actor
        self.client = TestClient(town.app, raise_server_exceptions="EAPPLY_RAISE" in os.environ)

    def address(self, path: str) -> str:
        return path if path.startswith("/") else f"/t/{self.town.code}/eapply/{path}"

    def get(self, path: str, *, page: bool = True, **more: Any) -> Response:
        headers = self._headers(page) | more.pop("headers", {})
        return self.client.get(self.address(path), headers=headers, **more)

    def post(self, path: str, data: Any = None, *, page: bool = True, **more: Any) -> Response:
        headers = self._headers(page) | more.pop("headers", {})
        return self.client.post(self.address(path), data=data, headers=headers, **more)

    def _headers(self, page: bool) -> dict[str, str]:
        # A fresh token each time, as the gateway makes them.
        return self.town.issuers.headers(self.actor, "eapply", html=page)

    # ---- ways people often go

    def start(self, procedure: str) -> str:
        """Begin a procedure; the draft's address."""
        answer = self.post(f"{procedure}/start", follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].rpartition("/")[0]

    def confirmed_key(self, draft: str) -> str:
        """The 照会キー that the confirm page carries."""
        page = self.get(f"{draft}/confirm")
        return hidden(page.text, "key")

    def apply_for_event(self, **answers: str) -> "Sent":
        draft = self.start("event-moushikomi")
        answer = self.post(f"{draft}/entry", EVENT | answers, follow_redirects=False)
        assert answer.headers["location"].endswith("/confirm"), visible(answer.text)
        key = self.confirmed_key(draft)
        page = self.post(f"{draft}/submit", {"key": key})
        assert page.status_code == 200, visible(page.text)
        number = re.search(r"\d{6}-\d{4}-\d{5}-\d", page.text)
        assert number
        application_id = re.search(r"applications/([0-9a-f-]{36})", page.text)
        assert application_id
        return Sent(draft, key, number.group(), application_id.group(1), page)


class Sent:
    """What an applicant holds after submitting."""

    def __init__(self, draft: str, key: str, number: str, id_: str, page: Response) -> None:
        self.draft, self.key, self.number, self.id, self.page = draft, key, number, id_, page


def hidden(text: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{re.escape(name)}" value="([^"]*)"', text)
    assert found, f"no hidden input {name}"
    return html.unescape(found.group(1))


def version_in(text: str) -> str:
    return hidden(text, "version")


def visible(text: str) -> str:
    """The words of a page, for messages of failing tests."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", "", text, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))
