"""Which fields each kind of reader gets from each service, in every answer made for programs: JSON, CSV, sheets, and archives of those.

    python -m tests.unbroken.fields          writes tests/unbroken/fields.json anew; read what `git diff` says before you keep it

`fields.json` is the list of what is allowed: route → reader → names; what a guest may read, everybody may.
`test_fields_are_allowed.py` reads every route anew and refuses a field that is not in it. A reader walks as people do: every address
without a gap, then every link and id that stood in an answer. Names are paths into the document (`items[].title`); where the key is
itself an id, a number or a date, it is `*`.
"""

import csv
import io
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import openpyxl
from fastapi.testclient import TestClient
from starlette.routing import compile_path

from libs.common import access
from libs.common.actor import Actor
from tests.unbroken.fuzz.attack import ID
from tests.unbroken.fuzz.towns import HOME, MAKERS, Installation, installed

ALLOWED = Path(__file__).with_name("fields.json")
ANSWERED, TRIED = 2, 12
"""How many addresses of one route a reader opens: until so many answered, or so many were tried."""
DRAWN = (".pdf", ".png", ".svg", ".webp", "/chart")
"""No fields in these, and they take long to make."""
SHEET = "spreadsheetml.sheet"
LINK = re.compile(r'(?:href|action|src)="([^"#]+)|"((?:https?://[^"/]*)?/[^"\s]*)"')
OF_DATA = re.compile(r"^[\d:.T+Z-]{4,}$|^\d+$|[0-9a-f]{8}-[0-9a-f]{4}-")

Fields = dict[str, dict[str, list[str]]]
"""Route → reader → names of fields."""


def readers(app: Any) -> dict[str, Actor]:
    """Who may read anything: guests, persons, staff with no right and with each right alone, operators, programs, other services."""
    rules = [rule for route in access.routes_of(app) if (rule := access.rule_of(route)) is not None]
    inside: dict[str, Any] = {"tenant": HOME, "code": HOME, "acr": "certificate"}
    found = {
        "guest": Actor("guest", "guest:guest-1", tenant=HOME, code=HOME, sid="guest-1"),
        "person": Actor("person", "person-1", "試す人", sid="sid-person-1", **inside),
        "operator": Actor(
            "operator", "operator-1", "運用", roles=frozenset({"operator"}), acr="certificate", sid="sid-o"
        ),
    }
    scopes = {rule.role for rule in rules if rule.kinds == {"machine"} and rule.role}
    for role in ["", *sorted({rule.role for rule in rules if rule.role} - scopes - {"operator"})]:
        rights = frozenset({role} if role else ())
        found[f"staff {role}".strip()] = Actor(
            "staff", f"staff-{role}", "職員", roles=rights, sid=f"sid-{role}", **inside
        )
    for scope in sorted(scopes):
        found[f"program {scope}"] = Actor(
            "machine", "token-1", roles=frozenset({scope}), tenant=HOME, code=HOME, acr="key"
        )
    for caller in sorted({rule.caller for rule in rules if rule.caller}):
        found[f"service {caller}"] = Actor("service", caller)
    return found


def told(service: str, made: Installation) -> Fields:
    """What each reader gets to see in this installation."""
    found: Fields = {}
    for reader, actor in readers(made.app).items():
        walk = Walk(service, made, actor)
        for route, names in walk.seen():
            known = found.setdefault(route, {})
            more = {*known.get(reader, ()), *names} - ({*known.get("guest", ())} if reader != "guest" else set())
            if more:
                known[reader] = sorted(more)
    return {route: found[route] for route in sorted(found) if found[route]}


class Walk:
    """One reader, from address to address, no route oftener than EACH times."""

    def __init__(self, service: str, made: Installation, actor: Actor) -> None:
        self.client = TestClient(made.app, raise_server_exceptions=False, follow_redirects=False)
        self.headers = {html: made.issuers.headers(actor, service, html=html) for html in (True, False)}
        self.routes = [
            (route.path, compile_path(route.path)[0])
            for route in access.routes_of(made.app)
            if "GET" in (route.methods or ()) and not route.path.endswith(("openapi.json", *DRAWN))
        ]
        self.ids: list[str] = []
        self.waiting = [path.replace("{code}", HOME) for path, _ in self.routes]
        self.tried: dict[str, set[str]] = {}
        self.answered: Counter[str] = Counter()
        for text in made.seen:
            self._learn("/", text)

    def seen(self) -> Iterator[tuple[str, set[str]]]:
        """(route, names of fields) for each answer for programs."""
        while self.waiting:
            address = self.waiting.pop(0)
            for filled in self._filled(address):
                route = self._route_of(filled)
                if route is None or self._enough(route) or filled in self.tried.get(route, ()):
                    continue
                self.tried.setdefault(route, set()).add(filled)
                answers = self._answers(filled)
                self.answered[route] += bool(answers)
                for kind, content in answers:
                    yield route, names_in(kind, content)

    def _answers(self, address: str) -> list[tuple[str, bytes]]:
        """(content type, content) as a browser and as a program get it; a file is one and the same for both."""
        ways = (False,) if "." in address.rpartition("/")[2] else (True, False)
        answers = [self.client.get(address, headers=self.headers[html]) for html in ways]
        good = [(each.headers.get("content-type", ""), each) for each in answers if each.status_code == 200]
        for kind, answer in good:
            self._learn(address, answer.text if kind.startswith("text/") or "json" in kind else "")
        return [(kind, answer.content) for kind, answer in good]

    def _enough(self, route: str) -> bool:
        return self.answered[route] >= ANSWERED or len(self.tried.get(route, ())) >= TRIED

    def _filled(self, address: str) -> list[str]:
        if "{" not in address:
            return [address]
        return [re.sub(r"\{[^}]*\}", each, address) for each in self.ids[-40:]]

    def _route_of(self, address: str) -> str | None:
        path = urlsplit(address).path
        return next((route for route, pattern in self.routes if pattern.match(path)), None)

    def _learn(self, base: str, text: str) -> None:
        new = [each for each in dict.fromkeys(ID.findall(text)) if each not in self.ids][:20]
        self.ids += new
        for found in LINK.findall(text):
            parts = urlsplit(urljoin(base, (found[0] or found[1]).replace("&amp;", "&")))
            address = parts.path + (f"?{parts.query}" if parts.query else "")
            route = self._route_of(address)
            if route is not None and not self._enough(route):
                self.waiting.insert(0, address)
        if new:  # routes with a gap are tried again with what is known now
            gaps = [(path, path.replace("{code}", HOME)) for path, _ in self.routes]
            self.waiting += [filled for path, filled in gaps if "{" in filled and not self._enough(path)]


def names_in(kind: str, content: bytes) -> set[str]:
    """The names of the fields in an answer of this content type; none where it is no answer for programs."""
    kind = kind.partition(";")[0].strip()
    if kind.endswith(("ndjson", "jsonl")):
        return {name for line in content.splitlines() if line.strip() for name in _paths(json.loads(line))}
    if kind.endswith("json"):
        return set(_paths(json.loads(content)))
    if kind == "text/csv":
        return {name for name in next(csv.reader(io.StringIO(_text(content))), []) if name}
    if kind.endswith(SHEET):
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
        return {f"{s.title}: {v}" for s in book for row in s.iter_rows(max_row=1, values_only=True) for v in row if v}
    return _packed(content) if kind == "application/zip" else set()


def _text(content: bytes) -> str:
    """A table as sheets write it: UTF-8, or what Japanese Windows takes for plain text."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp932", "replace")


def _packed(content: bytes) -> set[str]:
    kinds = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv"}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {
            f"{re.sub(r'[0-9a-f-]{36}|[0-9]{6,}', '*', name)}: {field}"
            for name in archive.namelist()
            if (kind := kinds.get(name.rpartition(".")[2]))
            for field in names_in(kind, archive.read(name))
        }


def _paths(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            name = f"{at}.{'*' if OF_DATA.search(key) else key}".lstrip(".")
            yield name
            yield from _paths(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{at}[]")


def not_allowed(seen: Fields, allowed: Fields) -> list[str]:
    """Fields somebody was given although the list does not say so."""
    return [
        f"{route}: {reader} reads {name}"
        for route, by_reader in seen.items()
        for reader, names in by_reader.items()
        for name in names
        if name not in {*allowed.get(route, {}).get(reader, ()), *allowed.get(route, {}).get("guest", ())}
    ]


def allowed() -> dict[str, Fields]:
    return json.loads(ALLOWED.read_text("utf-8"))


def main() -> int:
    found = {}
    for service in sorted(MAKERS):
        with installed(service) as made:
            found[service] = told(service, made)
        print(f"{service}: {len(found[service])} routes answer programs", flush=True)
    ALLOWED.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
