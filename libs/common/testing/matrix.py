"""The cross-tenant matrix: every route of a service, walked with identities that must not get through.

A service's test gives the app, the ids of things that belong to `home`, and a canary that stands in every text of them.
A new route is walked without anybody adding it; a path parameter without a value fails the test until it gets one.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.routing import RouteContext
from fastapi.testclient import TestClient

from libs.common import access
from libs.common.actor import Actor
from libs.common.testing.service import Issuers

REFUSED = {401, 403, 404}
_ALL_ROLES = frozenset(
    {
        "portal.admin",
        "portal.delegate",
        "eapply.reviewer",
        "eapply.manager",
        "council.member",
        "operator",
        "ebid.officer",
        "ebid.manager",
        "ebid.trustee",
        "ebid.watcher",
        "backup.manager",
        "opendata.publisher",
        "opendata.manager",
    }
)


@dataclass(frozen=True)
class Town:
    tenant: str
    code: str


@dataclass(frozen=True)
class Attack:
    name: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Finding:
    attack: str
    method: str
    route: str
    problem: str

    def __str__(self) -> str:
        return f"{self.method} {self.route} as {self.attack}: {self.problem}"


class Matrix:
    def __init__(
        self,
        app: FastAPI,
        audience: str,
        issuers: Issuers,
        *,
        home: Town,
        other: Town,
        values: Mapping[str, str],
        canaries: list[str],
    ) -> None:
        """`values` gives each path parameter (but `code`) an id that exists at `home`. `canaries` are texts of `home`."""
        self.app, self.audience, self.issuers = app, audience, issuers
        self.home, self.other, self.values, self.canaries = home, other, values, canaries
        # Errors of ours must show as answers, as they would to an attacker.
        self._client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)

    def routes(self) -> list[RouteContext]:
        return [r for r in access.routes_of(self.app) if access.rule_of(r) is not None]

    def walk(self) -> list[Finding]:
        """Every route × every attack. An empty list means that nothing got through and nothing of `home` was shown."""
        found = []
        for route in self.routes():
            rule = access.rule_of(route)
            assert rule is not None
            for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
                for attack in self._attacks(route, rule):
                    problem = self._try(method, attack, may_answer=self._may_answer(rule, attack))
                    if problem:
                        found.append(Finding(attack.name, method, route.path, problem))
        return found

    def count(self) -> int:
        """How many requests one walk makes."""
        return sum(
            len(list(self._attacks(r, access.rule_of(r)))) * len(r.methods - {"HEAD", "OPTIONS"})  # type: ignore[arg-type]
            for r in self.routes()
        )

    # ---- the attacks ------------------------------------------------------------------------------------------------

    def _attacks(self, route: RouteContext, rule: access.Rule) -> Iterator[Attack]:
        here = self._path(route.path, self.home.code)
        there = self._path(route.path, self.other.code)
        staff_elsewhere = self._staff(self.other)
        yield Attack("nobody", here, {})
        yield Attack("an expired token", here, self._bearer(self._forged(self._staff(self.home), age=600)))
        yield Attack("a token with another key", here, self._bearer(self._forged(self._staff(self.home), known=False)))
        yield Attack("an unsigned token", here, self._bearer(self._unsigned(self._staff(self.home))))
        yield Attack("a token for another service", here, self._bearer(self._for_other_service()))
        yield Attack("headers that claim an identity", here, self._claims())
        yield Attack("a service that is not the one", here, self._as(Actor("service", "stranger"), issuer="stranger"))
        if "{code}" in route.path:
            yield Attack("another town's staff at this town's path", here, self._as(staff_elsewhere))
            if re.search(r"{(?!code\b)", route.path):
                yield Attack("another town's staff with this town's ids", there, self._as(staff_elsewhere))
                yield Attack("another town's citizen with this town's ids", there, self._as(self._citizen(self.other)))
        if rule.name not in ("public", "guest", "person"):
            yield Attack("a citizen", here, self._as(self._citizen(self.home)))
            yield Attack("a guest", here, self._as(self._guest(self.home)))
        if rule.role is not None:
            yield Attack("staff without the right", here, self._as(replace(self._staff(self.home), roles=frozenset())))

    def _may_answer(self, rule: access.Rule, attack: Attack) -> bool:
        """Whether an answer other than a refusal is all right, as long as it shows nothing of `home`."""
        return rule.name in ("public", "guest", "person") and "another town's" in attack.name and "ids" in attack.name

    def _try(self, method: str, attack: Attack, *, may_answer: bool) -> str | None:
        headers = {"Accept": "text/html", **attack.headers}
        response = self._client.request(method, attack.path, headers=headers, content=b"" if method != "GET" else None)
        everything = response.text + str(dict(response.headers))
        shown = [canary for canary in self.canaries if canary in everything]
        if shown:
            return f"showed {shown[0]!r} ({response.status_code})"
        if response.status_code in REFUSED or (may_answer and response.status_code in (200, 303, 422)):
            return None
        return f"answered {response.status_code}"

    # ---- identities -------------------------------------------------------------------------------------------------

    def _staff(self, town: Town) -> Actor:
        return Actor("staff", "staff-elsewhere", "別の町の職員", town.tenant, town.code, _ALL_ROLES, "password", "s-x")

    def _citizen(self, town: Town) -> Actor:
        return Actor("person", "citizen-elsewhere", "別の人", town.tenant, town.code, acr="password", sid="c-x")

    def _guest(self, town: Town) -> Actor:
        return Actor("guest", "guest:g-x", "", town.tenant, town.code, sid="g-x")

    def _as(self, actor: Actor, issuer: str = "gateway") -> dict[str, str]:
        if issuer == "stranger":
            return self._bearer(self._forged(actor, known=False, issuer="stranger"))
        return self._bearer(self.issuers.signer("gateway").sign(actor, self.audience))

    def _for_other_service(self) -> str:
        return self.issuers.signer("gateway").sign(self._staff(self.home), f"not-{self.audience}")

    def _forged(self, actor: Actor, *, age: int = 0, known: bool = True, issuer: str = "gateway") -> str:
        from libs.common.inner_token import TokenSigner

        if known:
            signer = self.issuers.signer("gateway")
            signer._clock = lambda: time.time() - age
        else:
            signer = TokenSigner(issuer, Ed25519PrivateKey.generate())
        return signer.sign(actor, self.audience)

    def _unsigned(self, actor: Actor) -> str:
        token = self.issuers.signer("gateway").sign(actor, self.audience)
        claims = jwt.decode(token, options={"verify_signature": False})
        return jwt.encode(claims, None, algorithm="none", headers={"kid": "gateway", "typ": "inner+jwt"})

    def _claims(self) -> dict[str, str]:
        return {
            "X-User": "operator",
            "X-Tenant": self.home.tenant,
            "X-Tenant-Id": self.home.tenant,
            "X-Roles": "operator",
            "X-Forwarded-User": "operator",
            "Cookie": "session=operator",
        }

    @staticmethod
    def _bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def _path(self, template: str, code: str) -> str:
        def value(match: re.Match[str]) -> Any:
            name = match.group(1).split(":")[0]
            if name == "code":
                return code
            if name not in self.values and template.startswith("/internal/"):
                return "none"  # only services may ask: whatever is named, everybody here is refused before
            if name not in self.values:
                raise AssertionError(f"the matrix needs a value of {self.home.code} for {{{name}}} in {template}")
            return self.values[name]

        return re.sub(r"{([^}]+)}", value, template)
