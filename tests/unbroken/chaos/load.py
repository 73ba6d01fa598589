"""Mixed load over all services while things fail: citizens apply, companies bid, a clerk's program publishes data, an administrator asks
the operators, a machine backs up, and visitors read every service.

Writers send the same thing again until it is acknowledged, and remember what was. Afterwards each must be there, once.
"""

import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from libs.common.ids import new_id
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope
from services.ebid.tests.people import corporate_number, header_of
from services.sample import PASSWORD
from tests.integration.test_kill_anything import ANSWERS, CODES, TOWNS
from tests.unbroken.chaos.stage import COMPANIES, company

TOWN = "402036"
PATIENCE = 0.3
"""Seconds until a writer that got no answer, or a bad one, tries again."""
PAGES = {
    "tenants": "/t/404012/",
    "eapply": "/t/404012/eapply/",
    "ebid": f"/t/{TOWN}/ebid/",
    "opendata": "/opendata/",
    "gateway": "/sign-in",
}


@dataclass
class Writer:
    """One that writes, one thing after another. `acknowledged`: key → what it was told (an id) or what it sent."""

    url: str
    stopping: threading.Event
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    """Answers 4xx by status: each was sent again."""
    name: str = ""
    pause: float = 0.1

    def begin(self) -> list[threading.Thread]:
        thread = threading.Thread(target=self._keep_writing)
        thread.start()
        return [thread]

    def _keep_writing(self) -> None:
        for step in self.steps():
            while not self.stopping.is_set():
                try:
                    done = step()
                except (OSError, ValueError, KeyError, httpx.HTTPError):
                    done = False  # no answer, or not the whole of it
                if done:
                    break
                self.stopping.wait(PATIENCE)
            if self.stopping.wait(self.pause):
                return

    def steps(self) -> Any:
        """Functions, each to be called until it says True; `acknowledged` grows with it."""
        raise NotImplementedError

    def note(self, status: int) -> None:
        if 400 <= status < 500:
            self.refused[status] += 1

    def browser(self) -> httpx.Client:
        headers = {"origin": self.url, "sec-fetch-site": "same-origin", "accept": "text/html"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=20)

    def signed_in(self, client: httpx.Client, email: str) -> Callable[[], bool]:
        def sign_in() -> bool:
            answer = client.post("/sign-in", data={"email": email, "password": PASSWORD})
            self.note(answer.status_code)
            return answer.status_code == 303

        return sign_in


@dataclass
class Applicants(Writer):
    """住民. The key of each application is in its mail address, so that its mail can be looked for."""

    name: str = "eapply"
    town: str = TOWNS[0]
    cookie: str = ""

    def steps(self) -> Any:
        while True:
            key = new_id()
            yield lambda key=key: self._apply(key)

    def _apply(self, key: str) -> bool:
        body = {"procedure": "event-moushikomi", "answers": ANSWERS | {"email": address_of(key)}}
        told = {"Content-Type": "application/json", "Idempotency-Key": key, "Origin": self.url, "Cookie": self.cookie}
        url = f"{self.url}/t/{CODES[self.town]}/eapply/api/applications"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, json.dumps(body).encode(), told), timeout=20
            ) as answer:
                given = answer.headers.get_all("Set-Cookie") or []
                self.cookie = next((c.split(";")[0] for c in given if c.startswith("kyodo_guest=")), self.cookie)
                self.acknowledged[key] = json.loads(answer.read())["application_id"]
                return True
        except urllib.error.HTTPError as error:
            self.note(error.code)
            return False


def address_of(key: str) -> str:
    return f"k{key}@home.example"


@dataclass
class Bidders(Writer):
    """会社: signs in, registers, seals a price and sends it, one company after another. Acknowledged: the envelope's digest."""

    name: str = "ebid"
    tender: str = ""
    pause: float = 0.5

    def steps(self) -> Any:
        for number in range(COMPANIES):
            with self.browser() as client:
                yield self.signed_in(client, company(number))
                form = {
                    "name": f"株式会社応札{number}", "corporate_number": corporate_number(5000 + number), "representative": "代表",
                    "address": "久留米市", "categories": ["works", "goods"],
                }  # fmt: skip
                yield lambda client=client, form=form: self._register(client, form)
                sealed: dict[str, Any] = {}
                yield lambda client=client, sealed=sealed, number=number: self._seal(client, sealed, number)
                yield lambda client=client, sealed=sealed, number=number: self._send(client, sealed, number)

    def _register(self, client: httpx.Client, form: dict[str, Any]) -> bool:
        answer = client.post("/ebid/company", data=form)
        self.note(answer.status_code)
        return answer.status_code == 303

    def _seal(self, client: httpx.Client, sealed: dict[str, Any], number: int) -> bool:
        """Once: sent again, it is the same envelope."""
        answer = client.get(f"/t/{TOWN}/ebid/tenders/{self.tender}/head.json")
        if answer.status_code == 200:
            sealed |= envelope.seal(bid_payload(9_000_000 + number, "418"), header_of(answer.json()))
        return answer.status_code == 200

    def _send(self, client: httpx.Client, sealed: dict[str, Any], number: int) -> bool:
        given = {"act": "bid", "envelope": json.dumps(sealed)}
        answer = client.post(
            f"/t/{TOWN}/ebid/tenders/{self.tender}/send", data=given, headers={"accept": "application/json"}
        )
        self.note(answer.status_code)
        if answer.status_code == 200:
            self.acknowledged[company(number)] = envelope.digest(sealed)
        return answer.status_code == 200


@dataclass
class Publisher(Writer):
    """A clerk's program: makes data sets through CKAN's interface. Acknowledged: the data set's id."""

    name: str = "opendata"
    key: str = ""
    pause: float = 0.4

    def steps(self) -> Any:
        while True:
            name = f"chaos-{new_id()}"
            yield lambda name=name: self._make(name)

    def _make(self, name: str) -> bool:
        """Without an answer it asks what there is before it makes it again: CKAN has no key of repetition, the name is unique."""
        there = self._call("package_show", {"id": name})
        made = there or self._call(
            "package_create", {"name": name, "title": "試しの一覧", "license_id": "cc-by", "notes": "負荷"}
        )
        if made:
            self.acknowledged[name] = made["id"]
        return made is not None

    def _call(self, action: str, given: dict[str, str]) -> dict[str, Any] | None:
        address = f"{self.url}/opendata/api/3/action/{action}"
        answer = httpx.post(address, json=given, headers={"Authorization": self.key}, trust_env=False, timeout=20)
        if answer.status_code != 404:
            self.note(answer.status_code)
        return answer.json()["result"] if answer.status_code == 200 else None


@dataclass
class Asker(Writer):
    """An administrator asks the operators (services/tenants), with the key that a form carries. Acknowledged: the thread's id."""

    name: str = "tenants"
    client: httpx.Client | None = None
    pause: float = 0.5

    def steps(self) -> Any:
        while True:
            yield lambda key=new_id(): self._ask(key)

    def _ask(self, key: str) -> bool:
        assert self.client is not None
        given = {"title": key, "service": "", "text": "負荷の試しです。", "idempotency_key": key}
        answer = self.client.post(f"/portal/{TOWN}/support/", data=given)
        self.note(answer.status_code)
        if answer.status_code == 303:
            self.acknowledged[key] = answer.headers["location"].rstrip("/").rpartition("/")[2]
        return answer.status_code == 303


@dataclass
class Machine(Writer):
    """Uploads objects as restic does. Acknowledged: name → its number."""

    name: str = "backup"
    address: str = ""
    pause: float = 0.2

    def steps(self) -> Any:
        number = 0
        while True:
            number += 1
            yield lambda number=number: self._upload(number)

    def _upload(self, number: int) -> bool:
        content = content_of(number)
        name = hashlib.sha256(content).hexdigest()
        answer = httpx.post(f"{self.address}data/{name}", content=content, trust_env=False, timeout=20)
        self.note(answer.status_code)
        if answer.status_code == 200:
            self.acknowledged[name] = str(number)
        return answer.status_code == 200


def content_of(number: int) -> bytes:
    return f"object {number} ".encode() * 5000


@dataclass
class Visitors:
    """One reader of each service's public page, who tries again after a moment. `answers` counts (service, good or not)."""

    url: str
    stopping: threading.Event
    answers: Counter[tuple[str, bool]] = field(default_factory=Counter)
    pause: float = 1.5

    def begin(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._read, args=(name, path)) for name, path in PAGES.items()]
        for thread in threads:
            thread.start()
        return threads

    def _read(self, service: str, path: str) -> None:
        while not self.stopping.wait(self.pause):
            self.answers[service, _is_good(self.url + path)] += 1


def _is_good(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=20).status_code == 200
    except httpx.HTTPError:
        return False
