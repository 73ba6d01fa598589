"""Who may call which route of the registry, written down apart from the routes: one that is declared more openly, and a new one
that nobody has put into the table, fail here. What each route demands is asked about everybody, with the token the gateway would
send: exactly those of the table pass. That it is asked before anything else is done, `test_nobody_elses.py` shows over HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from fastapi import Request

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Forbidden, Invalid, NotFound, NotSignedIn
from libs.common.testing.service import NOW
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, MEMBER, OOKI, OPERATOR
from services.tenants.use_cases import members

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

EVERYBODY = {
    "/", "/accessibility", "/calendars/{key}/dates.ics", "/participation-badge.svg", "/participation.csv", "/participation.json",
    "/portal/pictures/{name}", "/reports/", "/reports/{plan_id}/{year}/", "/reports/{plan_id}/{year}/indicators.csv",
    "/reports/{plan_id}/{year}/report.json", "/reports/{plan_id}/{year}/report.pdf", "/status/", "/status/maintenance.ics",
    "/t/{code}/", "/t/{code}/accessibility", "/t/{code}/contact", "/t/{code}/logo.png", "/t/{code}/privacy", "/t/{code}/terms",
}  # fmt: skip
"""What is published, or opened by a key that stands in the address."""
BELOW = {
    "/internal/tenants/snapshot": "gateway",
    "/internal/tenants/openapi.json": "gateway",
    "/internal/tenants/": "tenants",
    "/council/": "council.member",
    "/operator": "operator",
    "/portal/{code}/delegated/": "portal.delegate",
    "/portal/{code}/": "portal.admin",
    "/t/{code}/desk/": "any staff",
    "/portal/": "signed in",
}
"""The first beginning that fits → the role, or the service, or a word of `_may`."""
ROLES = sorted({*members.ROLES, *members.COUNCIL_ROLES, "portal.delegate"})


@dataclass(frozen=True, slots=True)
class Somebody:
    """`home`: of the municipality that the path names."""

    name: str
    actor: Actor | None
    home: bool = True


def everybody() -> Iterator[Somebody]:
    citizen = Actor("person", "citizen", "住民", OOKI, OOKI, acr="password", sid="c-1")
    yield Somebody("nobody", None)
    yield Somebody("a guest", replace(GUEST, tenant=OOKI, code=OOKI))
    yield Somebody("a citizen", citizen)
    yield Somebody("a program with every scope", replace(citizen, kind="machine", roles=frozenset(ROLES)))
    yield Somebody("a member without role", replace(ADMIN, roles=frozenset()))
    for role in ROLES:
        kind = "operator" if role == "operator" else "staff"
        yield Somebody(role, replace(ADMIN, kind=kind, roles=frozenset({role})))
    yield Somebody(
        "every role of another", replace(ADMIN, tenant=KURUME, code=KURUME, roles=frozenset(ROLES)), home=False
    )
    yield Somebody("the operator", OPERATOR, home=False)
    yield Somebody("the council", MEMBER, home=False)
    for name in ("eapply", "tenants", "gateway"):
        yield Somebody(f"the service {name}", Actor("service", name), home=False)


def meant(path: str) -> str:
    """Whom the table lets in. A route of no row fails."""
    if path in EVERYBODY:
        return "everybody"
    found = next((who for start, who in BELOW.items() if path.startswith(start)), None)
    assert found, f"{path}: write into the table who may call it"
    return found


def _may(who: str, somebody: Somebody, path: str) -> bool:
    actor = somebody.actor
    if actor is None:
        return False
    if actor.kind == "service":  # it fetches what is published; only of no municipality
        return who == actor.subject or (who == "everybody" and "{code}" not in path)
    if "{code}" in path and not somebody.home:
        return False
    if who == "everybody":
        return True
    if who == "signed in":
        return actor.kind not in ("guest", "machine")
    return actor.kind in ("staff", "operator") and (who == "any staff" or who in actor.roles)


def _passes(cloud: Cloud, rule: access.Rule, path: str, headers: dict[str, str]) -> bool:
    scope = {
        "type": "http",
        "app": cloud.client.app,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "path_params": {"code": OOKI} if "{code}" in path else {},
    }
    try:
        rule.check(Request(scope))
    except (NotSignedIn, Forbidden, NotFound):
        return False
    return True


def test_exactly_those_of_the_table_get_through(cloud: Cloud) -> None:
    rules = [(r.path, rule) for r in access.routes_of(cloud.client.app) if (rule := access.rule_of(r))]  # type: ignore[arg-type]
    assert len(rules) > 180
    people = [(one, cloud.issuers.headers(one.actor, "tenants") if one.actor else {}) for one in everybody()]
    found = [
        f"{path}: {one.name} {'is refused' if _may(meant(path), one, path) else 'gets through'}"
        for path, rule in rules
        for one, headers in people
        if _passes(cloud, rule, path, headers) != _may(meant(path), one, path)
    ]
    assert not found, "\n".join(found)


def test_the_rules_are_those_of_the_pages(cloud: Cloud) -> None:
    for somebody in (replace(ADMIN, roles=frozenset()), GUEST, OPERATOR):
        assert cloud.get(f"/portal/{OOKI}/", somebody).status_code in (401, 403, 404)
    for somebody, path in (
        (ADMIN, f"/portal/{OOKI}/"),
        (MEMBER, "/council/"),
        (OPERATOR, "/operator/"),
        (GUEST, "/status/"),
    ):
        assert cloud.get(path, somebody).status_code == 200, path


@pytest.mark.parametrize("role", sorted(members.COUNCIL_ROLES))
def test_no_municipality_gives_a_role_of_the_whole_cloud(cloud: Cloud, role: str) -> None:
    with cloud.database.transaction(tenant=OOKI) as session, pytest.raises(Invalid):
        members.grant(session, ADMIN, OOKI, "person-x", {role}, NOW)
    with cloud.database.transaction(tenant="400009") as session:
        members.grant(session, OPERATOR, "400009", "person-x", {role}, NOW)
