"""What one municipality used of each service in a fiscal year, and what it pays for that year by the rules decided."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from libs.common.errors import say
from services.tenants.db import backups as backups_db
from services.tenants.db import datasets as datasets_db
from services.tenants.db import past as past_db
from services.tenants.db import tenders as tenders_db
from services.tenants.db import usage as usage_db
from services.tenants.domain import sharing as rules
from services.tenants.domain.catalogue import SERVICES, CatalogueService
from services.tenants.use_cases import capacity, count, sharing
from services.tenants.use_cases.stock import whole_gigabytes

USED: dict[str, str] = {
    "eapply": say("オンライン申請 %(count)s件"),
    "backup": say("預けているデータ %(count)sGB"),
    "ebid": say("公告した案件 %(count)s件"),
    "opendata": say("公開しているデータセット %(count)s件"),
    capacity.SERVICE: say("サーバー %(count)s台日（台数×日数）"),
}
"""What is counted of each service; the others report nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One service. `used`: None where nothing is reported or kept for that year; `share`: yen of the year, None where no rule says
    it; `months` taken part in."""

    service: CatalogueService
    months: int
    used: int | None
    share: int | None

    @property
    def per_use(self) -> int | None:
        return None if self.share is None else rules.per_use(self.share, self.used or 0)


@dataclass(frozen=True, slots=True)
class Tenders:
    """Published in the year, and how they ended."""

    published: int
    awarded: int
    failed: int


def of_year(session: Session, tenant: str, year: int, this_year: int) -> list[Line]:
    """Services that the municipality took part in or used in the year, in the catalogue's order."""
    register, found = count.read(session), []
    for service in SERVICES:
        months = sharing.months_joined(register, service.key, year).get(tenant, 0)
        used = _used(session, tenant, service.key, year, this_year)
        if months or used:
            decided = sharing.of_year(session, register, service.key, year)
            share = decided.shares.get(tenant) if decided else None
            found.append(Line(service, months, used, share.amount if share else None))
    return found


def _used(session: Session, tenant: str, service: str, year: int, this_year: int) -> int | None:
    """Of what is kept (GB, data sets): the amount now, for an ended year the last that was told of in it."""
    if service == "eapply":
        own = usage_db.usage(session, tenant)
        return sum(u.applications for u in own if (u.service, u.fiscal_year, u.channel) == (service, year, "online"))
    if service == "ebid":
        return tenders(session, tenant, year).published
    if service == "backup":
        months = backups_db.months_of(session, tenant, year)
        now = backups_db.all_of(session).get(tenant) if year == this_year else None
        stored = now.stored if now else next(reversed(months.values()), None)
        return None if stored is None else whole_gigabytes(stored)
    if service == "opendata":
        row = datasets_db.all_of(session).get(tenant) if year == this_year else None
        told = [count for of, known, count in datasets_db.years(session) if of == tenant and known <= year]
        return row.count if row else next(reversed(told), None)
    if service == capacity.SERVICE:
        return capacity.node_days(session, year).get(tenant, 0)
    return None


def tenders(session: Session, tenant: str, year: int) -> Tenders:
    own = [t for t in tenders_db.of_year(session, year) if t.tenant == tenant and t.published_at is not None]
    ends = [tender.outcome for tender in own]
    return Tenders(len(own), ends.count("awarded"), ends.count("failed"))


def years(session: Session, tenant: str, this_year: int) -> list[int]:
    """Fiscal years of which something was counted, and this one; the latest first."""
    found = {row.fiscal_year for row in usage_db.usage(session, tenant)} | {this_year}
    found |= set(tenders_db.years_of(session, tenant)) | set(backups_db.years_of(session, tenant))
    found |= {total.fiscal_year for total in past_db.totals(session, tenant)}
    return sorted(found, reverse=True)
