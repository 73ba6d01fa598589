"""`/operator/running`: every process with its release and settings, side by side; certificates and their last days; backups due."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.doctor import address
from libs.common.errors import say
from services.tenants.api import view
from services.tenants.api.council_backups import FRESH, PROVEN
from services.tenants.api.operator import WORKING
from services.tenants.db import backups as backups_db
from services.tenants.use_cases import count

router = APIRouter(include_in_schema=False)

ROLES = {
    "api": say("ページ（api）"),
    "listen": say("受け取り（listen）"),
    "work": say("仕事（work）"),
}
SHORTLY = timedelta(days=21)
"""A certificate that ends sooner is marked: cert-manager would have renewed it by then."""
PATIENCE = 2.0
"""Seconds that the page waits for the server whose certificate is looked at."""


@dataclass(frozen=True, slots=True)
class Role:
    """The processes of one role of one service. `problem`: what does not fit, if anything."""

    service: str
    role: str
    instances: list[dict[str, Any]]

    @property
    def releases(self) -> list[str]:
        return sorted({str(one["release"]) for one in self.instances})

    @property
    def settings(self) -> list[str]:
        return sorted({str(one["settings"]) for one in self.instances})


@dataclass(frozen=True, slots=True)
class Certificate:
    """`days` left, or None and `said`: why it is not known."""

    name: str
    days: int | None = None
    ends: datetime | None = None
    said: str = ""


@router.get("/operator/running")
def running(request: Request, actor: Actor = access.operator()) -> Response:
    """What runs where, and what soon needs a hand."""
    asked, now = view.neighbours_of(request), view.now_of(request)
    told = {key: asked.instances(key) for key in WORKING}
    known = {key: asked.certificates(key) or [] for key in WORKING}
    return view.operator_page(
        request,
        "operator/running.html",
        "/operator/running",
        silent=[key for key, found in told.items() if found is None],
        roles=_by_role(told),
        role_words=ROLES,
        releases=sorted({str(one["release"]) for found in told.values() for one in found or []}),
        certificates=[_public(request, now), *_certificates(known, now)],
        shortly=SHORTLY.days,
        due=_due(request, now),
    )


def _by_role(told: dict[str, list[dict[str, Any]] | None]) -> list[Role]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for service, instances in told.items():
        for one in instances or []:
            moments = {name: datetime.fromisoformat(one[name]) for name in ("started_at", "seen_at")}
            found.setdefault((service, one["role"]), []).append(one | moments)
    return [Role(service, role, instances) for (service, role), instances in found.items()]


def _public(request: Request, now: datetime) -> Certificate:
    """That of the address people type, as a browser believes it."""
    url = urlsplit(view.service_of(request).settings.public_url)
    name, read = url.netloc, view.reader_of(request)
    if url.scheme != "https":
        return Certificate(name, said=read(say("暗号化していないアドレスです（見本だけで使えます）")))
    try:
        ends = address.certificate_end(url.hostname or "", url.port or 443, seconds=PATIENCE)
    except address.NotBelieved as error:
        return Certificate(name, said=read(say("ブラウザーは信用しません：%(why)s", why=error.verify_message)))
    except OSError:
        return Certificate(name, said=read(say("ここからは届きません。外の機械から確かめてください")))
    return Certificate(name, (ends - now).days, ends)


def _certificates(known: dict[str, list[dict[str, Any]]], now: datetime) -> Iterable[Certificate]:
    for service, found in known.items():
        for one in found:
            ends = datetime.fromisoformat(one["ends"])
            yield Certificate(f"{service}: {one['name']}", (ends - now).days, ends)


def _due(request: Request, now: datetime) -> list[tuple[str, datetime | None, datetime | None, bool, bool]]:
    """(municipality, last recovery point, last proof, point is late, proof is late), of those where anything is late."""
    with view.service_of(request).database.reading() as session:
        found = count.on(session, view.today_of(request))
        told = backups_db.all_of(session)
    due = []
    for tenant in sorted(found.joined["backup"]):
        row = told.get(tenant)
        point, proof = (row.last_point_at, row.proven_at) if row else (None, None)
        late, unproven = (not _within(point, FRESH, now), not _within(proof, PROVEN, now))
        if late or unproven:
            due.append((found.municipalities[tenant].name, point, proof, late, unproven))
    return due


def _within(moment: datetime | None, span: timedelta, now: datetime) -> bool:
    return moment is not None and now - moment <= span
