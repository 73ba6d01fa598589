"""The people of a municipality in tests, and everybody else: real app, real tokens, the pages people click through."""

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
from libs.common.testing.service import Issuers
from services.opendata.api import create_app
from services.opendata.rooms import OpendataRoom

PUBLISHER, MANAGER = frozenset({"opendata.publisher"}), frozenset({"opendata.publisher", "opendata.manager"})
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36"

AED = (
    "大木町　ＡＥＤ設置箇所一覧,,,,,,\r\n令和８年１０月１日現在,,,,,,\r\n"
    "施設名,所在地,緯度,経度,電話,設置場所,設置日\r\n"
    "大木町役場,福岡県三潴郡大木町大字八町牟田２５５番地１,３３．２１０１,１３０．４３９８,"
    "０９４４－３２－１０１３,１階 ロビー,令和元年５月１日\r\n"
    "大木町図書・情報センター,大木町大字八町牟田538-1,33.2115,130.4412,0944(32)1047,受付,平成30年4月1日\r\n"
    "大溝小学校,大木町大字大角１８１０,33.2209,130.4336,0944-32-1053,職員室前,H31.3.15\r\n"
    "木佐木小学校,大木町大字上八院,33.2005,130.4202,0944-32-1028,体育館,2019/2/30\r\n"
).encode("cp932")
"""As clerks have it: Shift_JIS, a title and a date above the names, full-width digits, eras, an impossible day."""


def open_room(service: Service, tenant: str, name: str) -> None:
    """As the worker does on a request of the registry."""
    request = RoomRequest("00000000-0000-7000-8000-000000000000", tenant, "provision", code=tenant, name=name)
    room.drain(OpendataRoom(service).provision(request))
    with service.database.transaction(tenant=tenant) as session:
        set_state(session, request, room.table.OPEN, service.clock.now())
    service.extras["catalogue"].look_again()


class Town:
    """One municipality of one installation."""

    def __init__(self, service: Service, issuers: Issuers, code: str, app: FastAPI | None = None) -> None:
        self.service, self.issuers, self.code = service, issuers, code
        self.app: FastAPI = app or create_app(service)

    def staff(self, subject: str = "staff-1", roles: frozenset[str] = MANAGER) -> "Browser":
        return Browser(
            self, Actor("staff", subject, "古賀 真理", self.code, self.code, roles, "password", f"sid-{subject}")
        )

    def visitor(self, sid: str = "guest-1") -> "Browser":
        """Somebody on the prefecture's pages: no municipality, no sign-in."""
        return Browser(self, Actor("guest", "guest", sid=sid))

    def guest(self) -> "Browser":
        """Somebody on the municipality's own pages."""
        return Browser(self, Actor("guest", "guest:g", tenant=self.code, code=self.code, sid="guest-2"))

    def machine(self, *scopes: str) -> "Browser":
        roles = frozenset(scopes or ("opendata.write",))
        return Browser(self, Actor("machine", "token-1", tenant=self.code, code=self.code, roles=roles, acr="key"))

    def events(self, type_: str) -> list[dict[str, Any]]:
        """Events of a type in the outbox, oldest first."""
        from sqlalchemy import select

        from libs.common.outbox import OutboxRow

        with self.service.database.reading() as session:
            found = select(OutboxRow).where(OutboxRow.type == type_, OutboxRow.tenant == self.code)
            return [row.envelope for row in session.scalars(found.order_by(OutboxRow.position))]

    def publish(self, content: bytes = AED, filename: str = "aed.csv", **said: str) -> str:
        """A clerk's file, accepted as repaired and published; the data set's id."""
        staff = self.staff()
        draft = staff.send(content, filename)
        answer = staff.publish(draft, **said)
        assert answer.status_code == 303, visible(answer.text)
        return answer.headers["location"].rpartition("/")[2].partition("?")[0]

    def name_of(self, dataset_id: str) -> str:
        """What stands in the data set's public address."""
        return next(
            entry.name
            for entry in self.service.extras["catalogue"].refresh().entries.values()
            if entry.id == dataset_id
        )


class Browser:
    def __init__(self, town: Town, actor: Actor) -> None:
        self.town, self.actor = town, actor
        self.client = TestClient(
            town.app, raise_server_exceptions="OPENDATA_RAISE" in os.environ, follow_redirects=False
        )

    def address(self, path: str) -> str:
        return path if path.startswith("/") else f"/t/{self.town.code}/opendata/{path}"

    def get(self, path: str, *, page: bool = True, **more: Any) -> Response:
        return self.client.get(self.address(path), headers=self._headers(page) | more.pop("headers", {}), **more)

    def post(self, path: str, data: Any = None, *, page: bool = True, **more: Any) -> Response:
        return self.client.post(
            self.address(path), data=data, headers=self._headers(page) | more.pop("headers", {}), **more
        )

    def _headers(self, page: bool) -> dict[str, str]:
        # A fresh token each time, as the gateway makes them.
        return self.town.issuers.headers(self.actor, "opendata", html=page) | {"User-Agent": BROWSER}

    # ---- ways clerks often go

    def send(self, content: bytes = AED, filename: str = "aed.csv", **more: str) -> str:
        """Drop a file; the draft's address."""
        answer = self.post("desk/drafts", more, files={"file": (filename, content)})
        assert answer.status_code == 303, visible(answer.text)
        return answer.headers["location"]

    def publish(self, draft: str, **said: str) -> Response:
        """Send the form of the draft's page as it stands there, but for what is said."""
        form = fields(self.get(draft).text, f"{draft}/publish")
        return self.post(f"{draft}/publish", form | said)

    def act(self, action: str, **given: Any) -> Response:
        """An action of CKAN's interface, as JSON."""
        return self.client.post(f"/opendata/api/3/action/{action}", json=given, headers=self._headers(False))

    def result(self, action: str, **given: Any) -> Any:
        answer = self.act(action, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]


def fields(text: str, action: str) -> dict[str, str]:
    """What a browser would send of the form with this action, untouched."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', text, re.DOTALL)
    assert form, f"no form {action} in: {visible(text)[:500]}"
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form.group()):
        told = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if told.get("type") in ("radio", "checkbox") and " checked" not in tag:
            continue
        found[told["name"]] = html.unescape(told.get("value", ""))
    for name, body in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>\n?(.*?)</textarea>', form.group(), re.DOTALL):
        found[name] = html.unescape(body)
    for name, body in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', form.group(), re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body) or re.search(r'<option value="([^"]*)"', body)
        found[name] = html.unescape(chosen.group(1)) if chosen else ""
    return found


def visible(text: str) -> str:
    """The words of a page, for messages of failing tests."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", "", text, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))
