"""Requests made from a service's own OpenAPI document by schemathesis, sent as somebody who may: whatever comes is answered, never
with a fault of ours (5xx but 501, 502, 503, 507: those are said on purpose).

Routes that the public document leaves out are in it here. Half of the ids in paths are of things that exist.
"""

import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import just
from schemathesis.core import NotSet

from libs.common import access
from libs.common.actor import Actor
from tests.unbroken.fuzz.towns import HOME, Installation

ROLES = frozenset(
    {
        "portal.admin", "eapply.reviewer", "eapply.manager", "council.member", "operator", "ebid.officer", "ebid.manager",
        "ebid.trustee", "ebid.watcher", "backup.manager", "opendata.publisher", "opendata.manager", "opendata.write",
    }
)  # fmt: skip
ON_PURPOSE = {501, 502, 503, 507}
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}")
FIELD = re.compile(r'<(?:input|select|textarea|button)[^>]*? name="([^"]+)"')
JUNK = (
    "", " ", "x" * 5000, "\0", "\r\nSet-Cookie: a=b", "-1", "0", "9" * 400, "1e400", "NaN", "2026-13-45", "2026-02-30T25:00", "<b>&", "{}",
    "[]", "../../etc/passwd", "髙𠮷\U000e0100", "\u202e", "％００", "null", "true", "=1+1", "{{7*7}}", "' OR 1=1 --",
)  # fmt: skip
"""What is typed into forms, whose fields no document names: they are found on the pages that come back."""


@dataclass
class Report:
    """`faults`: one line for each (route, kind of fault), with the request that shows it. `answers`: how often each status came."""

    service: str
    operations: int = 0
    answers: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)


def fuzzed(service: str, made: Installation, examples: int, first: int = 1) -> Report:
    """`examples` requests for each operation; the same `first` gives the same ones."""
    report, chance = Report(service), random.Random(first)
    known = Known(chance)
    for text in made.seen:
        known.learn(text)
    rules = _rules(made.app)
    client = TestClient(made.door or made.app, made.url, raise_server_exceptions=False, follow_redirects=False)
    schema = schemathesis.openapi.from_dict(document(made.app))
    for found in schema.get_all_operations():
        operation = found.ok()
        report.operations += 1
        rule = rules[operation.method.upper(), operation.path]

        def send(case: Any, actor: Actor) -> None:
            for name in case.path_parameters or {}:
                if name == "code":
                    case.path_parameters[name] = HOME
                elif known.ids and chance.random() < 0.5:
                    case.path_parameters[name] = chance.choice(known.ids)
            _send(client, case, made.issuers.headers(actor, service, html=chance.random() < 0.5), report, known)

        quiet = settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(first)(quiet(given(case=operation.as_strategy(), actor=just(actor_for(rule)))(send)))()
    return report


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of every route with a rule of access, also of those left out of the public one."""
    routes = [route for route in access.routes_of(app) if access.rule_of(route) is not None]
    for route in routes:
        route._effective_route.include_in_schema = True  # type: ignore[union-attr]
    return json.loads(json.dumps(get_openapi(title="x", version="1", routes=routes)))


def _rules(app: FastAPI) -> dict[tuple[str, str], access.Rule]:
    """By the path as the document writes it: `{path:path}` is `{path}` there."""
    return {
        (method, re.sub(r":\w+}", "}", route.path)): rule
        for route in access.routes_of(app)
        if (rule := access.rule_of(route)) is not None
        for method in route.methods or ()
    }


def actor_for(rule: access.Rule) -> Actor:
    """Somebody whom this route lets in, with every right."""
    kind = next(kind for kind in ("staff", "person", "guest", "machine", "operator", "service") if kind in rule.kinds)
    if kind == "service":
        return Actor("service", rule.caller or "tenants")
    inside = {} if kind == "operator" else {"tenant": HOME, "code": HOME}
    return Actor(kind, f"{kind}-1", "試す人", roles=ROLES, acr="certificate", sid="sid-1", **inside)  # type: ignore[arg-type]


@dataclass
class Known:
    """Ids and names of fields that stood in answers so far."""

    chance: random.Random
    ids: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)

    def learn(self, text: str) -> None:
        self.ids += [each for each in ID.findall(text)[:5] if each not in self.ids][: 300 - len(self.ids)]
        self.fields += [each for each in FIELD.findall(text) if each not in self.fields]

    def form(self) -> dict[str, str]:
        some = self.chance.sample(self.fields, min(len(self.fields), self.chance.randint(0, 12)))
        return {name: self.chance.choice((*JUNK, *self.ids[-3:])) for name in some}


def _send(client: TestClient, case: Any, headers: dict[str, str], report: Report, known: Known) -> None:
    told = {n: v for n, v in case.as_transport_kwargs(base_url=str(client.base_url)).items() if v is not None}
    told["headers"] = {
        n: v for n, v in told["headers"].items() if n.lower() not in ("authorization", "accept")
    } | headers
    if isinstance(case.body, NotSet) and case.method.upper() == "POST":
        told["data"] = known.form()
    try:
        answer = client.request(**told)
    except (UnicodeError, ValueError, TypeError):
        report.answers[0] += 1  # no client could send this
        return
    report.answers[answer.status_code] += 1
    if answer.status_code >= 500 and answer.status_code not in ON_PURPOSE:
        shown = {name: told.get(name) for name in ("params", "json", "data", "files") if told.get(name)}
        report.faults.setdefault(f"{case.method} {case.path}", f"{answer.status_code} {told['url']} {str(shown)[:600]}")
    known.learn(answer.text)
