"""Mixed load over all services while things are killed: citizens apply, a machine backs up, visitors read every service.

Writers remember what was acknowledged to them and by when; afterwards it must be there, once."""

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

BACKING_UP = "402036"
PASSWORD = re.compile(r"「(.+?)」")
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
class Machine:
    """Uploads objects as restic does and sends each again until it has its 200."""

    address: str
    stopping: threading.Event
    acknowledged: dict[str, bytes] = field(default_factory=dict)

    def begin(self) -> list[threading.Thread]:
        thread = threading.Thread(target=self._upload)
        thread.start()
        return [thread]

    def _upload(self) -> None:
        number = 0
        while not self.stopping.wait(0.2):
            number += 1
            content = f"object {number} ".encode() * 5000
            name = hashlib.sha256(content).hexdigest()
            while not self.stopping.is_set():
                if self.put(name, content) == 200:
                    self.acknowledged[name] = content
                    break
                time.sleep(0.2)

    def put(self, name: str, content: bytes) -> int:
        return _status("POST", f"{self.address}data/{name}", content)

    def lost(self) -> list[str]:
        """Objects that were acknowledged and are not there, or not with their bytes."""
        with httpx.Client(trust_env=False, timeout=30) as client:
            return [
                name
                for name, content in self.acknowledged.items()
                if (answer := client.get(f"{self.address}data/{name}")).status_code != 200 or answer.content != content
            ]


def machine(running: clouds.Running, stopping: threading.Event) -> Machine:
    """A repository of 久留米市 with a key that only adds."""
    password = PASSWORD.search(running.sign_ins)
    assert password
    headers = {"origin": running.url, "sec-fetch-site": "same-origin", "accept": "text/html"}
    with httpx.Client(base_url=running.url, headers=headers, trust_env=False, timeout=60) as staff:
        staff.post("/sign-in", data={"email": "staff@using.example", "password": password[1]})
        desk = f"/t/{BACKING_UP}/backup/desk/"
        assert processes.wait_until(lambda: staff.get(desk).status_code == 200, seconds=120)
        form = {"name": "chaos", "title": "試し", "quota": "10", "retention_days": "30", "promised_hours": "26"}
        made = staff.post(f"{desk}repositories", data=form)
        page = staff.post(f"{made.headers['location']}/keys", data={"mode": "append", "key_name": "k", "days": "30"})
    found = re.search(r"RESTIC_REPOSITORY=rest:(\S+)", html.unescape(page.text))
    assert found, page.text
    assert _status("POST", f"{found[1]}?create=true") == 200
    return Machine(found[1], stopping)


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
