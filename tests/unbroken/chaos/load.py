"""Mixed load over all services while things fail: citizens apply, a machine backs up, visitors read every service; what others write is in
`writers.py`.

Writers remember what was acknowledged to them; afterwards it must be there, once, and have arrived everywhere, once."""

import hashlib
import html
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from infra.local import cloud as clouds
from infra.local import processes
from tests.integration.test_kill_anything import TOWNS, Citizens
from tests.visitors import signed_in

BACKING_UP = "402036"
PAGES = {
    "tenants": "/t/404012/",
    "eapply": "/t/404012/eapply/",
    "ebid": f"/t/{BACKING_UP}/ebid/",
    "opendata": "/opendata/",
    "gateway": "/sign-in",
}


@dataclass
class Visitors:
    """One reader of each service's public page, who tries again after a moment. `answers` counts (service, good or not)."""

    url: str
    stopping: threading.Event
    answers: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def begin(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._read, args=(name, path)) for name, path in PAGES.items()]
        for thread in threads:
            thread.start()
        return threads

    def _read(self, service: str, path: str) -> None:
        while not self.stopping.wait(0.5):
            self.answers[service, _status("GET", self.url + path) == 200] += 1


@dataclass
class Writer:
    """Sends one thing after another, and each again until it is acknowledged, as our clients do.

    `acknowledged`: key of what was sent → what it is known by since. `answered_at`: when the latest attempt began that went well.
    `answers` counts the attempts that failed by what was answered (refused, an error of ours, nothing), `failed_at` is the latest.
    """

    stopping: threading.Event
    pause: float = 0.5
    acknowledged: dict[str, str] = field(default_factory=dict)
    answered_at: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    failed_at: float = 0.0
    resting: threading.Event = field(default_factory=threading.Event)
    idle: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> list[threading.Thread]:
        thread = threading.Thread(target=self._go_on)
        thread.start()
        return [thread]

    def rest(self, seconds: float) -> bool:
        """Finish what was begun and send nothing more until `go_on`. Whether it was finished in time."""
        self.resting.set()
        return self.idle.wait(seconds)

    def go_on(self) -> None:
        self.resting.clear()

    def send(self, number: int) -> tuple[str, str] | None:
        """Once: key and what it is known by, if it was acknowledged. May raise what httpx raises. The same `number` comes again after
        None. Raises Nothing where there is nothing to send just now."""
        raise NotImplementedError

    def _go_on(self) -> None:
        number = 0
        while not self.stopping.is_set():
            if self.resting.is_set():
                self.idle.set()
                self.stopping.wait(0.1)
                continue
            self.idle.clear()
            if self._until_acknowledged(number):
                number += 1
            self.stopping.wait(self.pause)

    def _until_acknowledged(self, number: int) -> bool:
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                if told := self.send(number):
                    self.acknowledged[told[0]] = told[1]
                    self.answered_at = began
                    return True
            except Nothing:
                self.answered_at = began
                return False
            except httpx.HTTPError as error:
                self.failed(type(error).__name__)
            self.stopping.wait(0.3)
        return False

    def taken(self, answer: httpx.Response, *good: int) -> bool:
        """Whether the answer is one of `good`; any other is counted."""
        if answer.status_code in good:
            return True
        self.failed(str(answer.status_code))
        if 400 <= answer.status_code < 500 and len(self.refused) < 1000:
            self.refused.append(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")
        return False

    def failed(self, how: str) -> None:
        self.answers[how] += 1
        self.failed_at = time.monotonic()


class Nothing(Exception):
    """There is nothing to send just now."""


@dataclass
class Machine(Writer):
    """Uploads objects as restic does."""

    address: str = ""
    pause: float = 0.2

    def send(self, number: int) -> tuple[str, str] | None:
        content = self.content(number)
        name = hashlib.sha256(content).hexdigest()
        answer = httpx.post(f"{self.address}data/{name}", content=content, trust_env=False, timeout=20)
        return (str(number), name) if self.taken(answer, 200) else None

    def content(self, number: int) -> bytes:
        return f"object {number + 1} ".encode() * 5000

    def lost(self, among: dict[str, str] | None = None) -> list[str]:
        """Objects that were acknowledged and are not there, or not with their bytes."""
        with httpx.Client(trust_env=False, timeout=30) as client:
            return [
                name
                for number, name in (self.acknowledged if among is None else among).items()
                if (answer := client.get(f"{self.address}data/{name}")).status_code != 200
                or answer.content != self.content(int(number))
            ]


def machine(running: clouds.Running, stopping: threading.Event) -> Machine:
    """A repository of 久留米市 with a key that only adds."""
    with signed_in(running.url, "staff@using.example") as staff:
        desk = f"/t/{BACKING_UP}/backup/desk/"
        assert processes.wait_until(lambda: staff.get(desk).status_code == 200, seconds=600, pause=1)
        form = {"name": "chaos", "title": "試し", "quota": "10", "retention_days": "30", "promised_hours": "26"}
        made = staff.post(f"{desk}repositories", data=form)
        page = staff.post(f"{made.headers['location']}/keys", data={"mode": "append", "key_name": "k", "days": "30"})
    found = re.search(r"RESTIC_REPOSITORY=rest:(\S+)", html.unescape(page.text))
    assert found, page.text
    assert _status("POST", f"{found[1]}?create=true") == 200
    return Machine(stopping, address=found[1])


def citizens(running: clouds.Running) -> Citizens:
    def ready() -> bool:
        return all(clouds.is_ready(running.url + path) for path in ("/t/404012/eapply/", "/t/402311/eapply/"))

    assert processes.wait_until(ready, seconds=180), TOWNS
    return Citizens(running.url)


def _status(method: str, url: str, content: bytes = b"") -> int:
    """0 for no answer."""
    try:
        return httpx.request(method, url, content=content or None, trust_env=False, timeout=20).status_code
    except httpx.HTTPError:
        return 0
