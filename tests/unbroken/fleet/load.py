"""Everybody at once, each asking once: nothing is sent again, so whatever did not succeed is an error.

Readers ask for a page of each service on a kept connection, as browsers do. Writers of each service remember what was acknowledged;
afterwards it must be in the store, once.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from infra.local import processes
from libs.common.clock import SystemClock, fiscal_year, local_date
from libs.common.ids import new_id
from services.sample import PASSWORD
from tests.integration import test_kill_anything as story
from tests.unbroken.chaos.load import BACKING_UP, PAGES, Machine, machine
from tests.unbroken.fleet.running import Fleet
from tests.visitors import signed_in, visitor

PAUSE = 0.25
"""Seconds one of them thinks between two requests."""


@dataclass
class Tally:
    """Requests that were answered as they should, and what the others got."""

    good: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def note(self, who: str, status: int, wanted: int, said: str) -> bool:
        if status == wanted:
            self.good[who] += 1
        else:
            self.errors.append(f"{time.strftime('%H:%M:%S')} {who}: {status or 'no answer'} {said[:200]}")
        return status == wanted


class Applicants(story.Citizens):
    """Citizens who apply at e-application; each key is sent once."""

    def __init__(self, url: str, tally: Tally) -> None:
        super().__init__(url)
        self._tally = tally

    def _apply(self, town: str, key: str, cookie: str) -> tuple[int, str, str]:
        status, answer, cookie = super()._apply(town, key, cookie)
        self._tally.note("eapply 申請", status, 201, answer)
        time.sleep(PAUSE)
        return status, answer, cookie


class Archivist(Machine):
    """The program of `chaos`, which counts every answer that is not 200."""

    tally: Tally

    def taken(self, answer: httpx.Response, *good: int) -> bool:
        self.tally.note("backup 預ける", answer.status_code, 200, answer.text[:200])
        return super().taken(answer, *good)

    def failed(self, how: str) -> None:
        if not how.isdigit():  # nobody answered
            self.tally.note("backup 預ける", 0, 200, how)
        super().failed(how)


@dataclass
class Clerk:
    """Sends one form again and again, each time with another title."""

    name: str
    service: str
    path: str
    form: Callable[[str], dict[str, str]]
    stored: str
    """A query for all titles in the store."""
    client: Callable[[], httpx.Client]
    """The browser for the next form: somebody new, where one visitor may send only a few."""
    acknowledged: set[str] = field(default_factory=set)

    def write(self, number: int, tally: Tally) -> None:
        title = f"入れ替えの試し {self.service} {number}"
        status, said = _ask(self.client(), "POST", self.path, self.form(title))
        if tally.note(f"{self.service} {self.name}", status, 303, said):
            self.acknowledged.add(title)


def clerks(fleet: Fleet) -> list[Clerk]:
    year = fiscal_year(local_date(SystemClock().now()))
    staff, admin = (
        signed_in(fleet.running.url, "staff@using.example"),
        signed_in(fleet.running.url, "admin@using.example"),
    )

    def plan(title: str) -> dict[str, str]:
        said = {"summary": "試し", "place": "市内", "period": "約3か月"}
        return said | {"title": title, "category": "works", "method": "open", "when": f"{year + 1}-1"}

    return [
        Clerk("発注見通し", "ebid", f"/t/{BACKING_UP}/ebid/desk/plans", plan, "SELECT title FROM plans", lambda: staff),
        Clerk(
            "データの要望", "opendata", "/opendata/requests/",
            lambda title: {"municipality": BACKING_UP, "title": title, "body": "試し"},
            "SELECT title FROM requests", lambda: visitor(fleet.running.url),
        ),
        Clerk(
            "問い合わせ", "tenants", f"/portal/{BACKING_UP}/support/",
            lambda title: {"title": title, "service": "", "text": "試し", "idempotency_key": new_id()},
            "SELECT title FROM support_threads", lambda: admin,
        ),
    ]  # fmt: skip


def _ask(client: httpx.Client, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
    """(status, what was said); 0 for no answer."""
    try:
        answer = client.request(method, path, data=form)
    except httpx.HTTPError as error:
        return 0, repr(error)
    return answer.status_code, answer.text if answer.status_code >= 400 else ""


class Load:
    """All of them, from `begin` to `end`."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.tally, self.stopping = fleet, Tally(), threading.Event()
        self.url = fleet.running.url
        services = {member.service for member in fleet.members}
        self.pages = {name: path for name, path in PAGES.items() if name in services}
        ready = lambda: all(_ask(visitor(self.url), "GET", path)[0] == 200 for path in self.pages.values())  # noqa: E731
        assert processes.wait_until(ready, seconds=180, pause=1)
        self.applicants = Applicants(self.url, self.tally) if {"eapply", "tenants"} <= services else None
        self.archivist = self._archivist() if "backup" in services else None
        self.clerks = [clerk for clerk in clerks(fleet) if clerk.service in services]
        self.threads: list[threading.Thread] = []

    def begin(self) -> None:
        if self.applicants:
            self.applicants.begin()
        if self.archivist:
            self.threads += self.archivist.begin()
        for name, path in self.pages.items():
            self._spawn(self._read, f"{name} ページ", path)
        for clerk in self.clerks:
            self._spawn(self._write, clerk)
        self._spawn(self._sign_in)

    def end(self) -> None:
        self.stopping.set()
        if self.applicants:
            self.applicants.end()
        for thread in self.threads:
            thread.join(60)

    def _archivist(self) -> Archivist:
        made = Archivist(self.stopping, address=machine(self.fleet.running, self.stopping).address)
        made.tally = self.tally
        return made

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        thread.start()
        self.threads.append(thread)

    def _read(self, who: str, path: str) -> None:
        with visitor(self.url) as client:
            while not self.stopping.wait(PAUSE):
                status, said = _ask(client, "GET", path)
                self.tally.note(who, status, 200, said)

    def _write(self, clerk: Clerk) -> None:
        for number in itertools.count():
            if self.stopping.wait(PAUSE * 2):
                return
            clerk.write(number, self.tally)

    def _sign_in(self) -> None:
        """The gateway's own writing: a session each time."""
        form = {"email": "company1@bidder.example", "password": PASSWORD}
        while not self.stopping.wait(PAUSE * 4):
            with visitor(self.url) as client:
                status, said = _ask(client, "POST", "/sign-in", form)
                self.tally.note("gateway サインイン", status, 303, said)

    def problems(self) -> list[str]:
        """What was acknowledged and is not there once, after everything had time to arrive."""
        found = [f"backup: acknowledged and lost: {name}" for name in (self.archivist.lost() if self.archivist else [])]
        for clerk in self.clerks:
            found += self._missing(clerk)
        try:
            if self.applicants:
                story.everything_arrived(self.fleet.running, self.applicants)
        except AssertionError as error:
            found.append(f"eapply: {error}"[:600])
        return found

    def _missing(self, clerk: Clerk) -> list[str]:
        address = make_url(self.fleet.running.plan.database_url or "")
        engine = create_engine(address.set(drivername="postgresql+psycopg", database=f"kyodo_{clerk.service}"))
        with engine.connect() as connection:
            stored = Counter(connection.execute(text(clerk.stored)).scalars())
        engine.dispose()
        return [
            f"{clerk.service}: acknowledged once, stored {stored[title]} times: {title}"
            for title in sorted(clerk.acknowledged)
            if stored[title] != 1
        ]
