"""Figures this cloud counts by itself, from which an indicator can take its values: key → what it is and how it is read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from sqlalchemy.orm import Session

from libs.common.clock import fiscal_year, local_date
from libs.common.errors import say
from services.tenants.db import datasets as datasets_db
from services.tenants.db import tenders as tenders_db
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.indicators import last_day
from services.tenants.domain.usage import online_rate
from services.tenants.use_cases import count
from services.tenants.use_cases.count import RealUse

Known = Literal["any day", "whole years", "now"]
"""Of which days a figure can be said: of every day, of today and of the last days of fiscal years, of today only."""


@dataclass(frozen=True)
class Figure:
    """`read(session, day)` is the value on `day`, None where it cannot be said of that day; to be asked only of days
    for which `of(day, today)` holds. `adds_up`: it grows from 1 April on and begins again a year later."""

    label: str
    known: Known
    read: Callable[[Session, date], Decimal | None]
    adds_up: bool = False

    def of(self, day: date, today: date) -> bool:
        """Whether the figure can still be said of `day`. Applications are counted by fiscal year, not by day: of a quarter
        that is over, the year's total would be too much."""
        ended = self.known == "whole years" and day == last_day(fiscal_year(day), 0)
        return self.known == "any day" or day >= today or ended


def _joined(service: str) -> Callable[[Session, date], Decimal | None]:
    return lambda session, day: Decimal(count.on(session, day).count(service))


def _share(service: str) -> Callable[[Session, date], Decimal | None]:
    def share(session: Session, day: date) -> Decimal | None:
        found = count.on(session, day)
        return per_cent(found.count(service), len(found.municipalities))

    return share


def per_cent(part: int, whole: int) -> Decimal | None:
    """To one decimal, a half goes up; None of nothing."""
    if not whole:
        return None
    return Decimal(int(Fraction(part * 1000, whole) + Fraction(1, 2))) / 10


def _online(session: Session, day: date) -> Decimal | None:
    use = _use(session, day)
    return Decimal(use.online) if use.by_tenant else None


def _online_rate(session: Session, day: date) -> Decimal | None:
    use = _use(session, day)
    return online_rate(use.online, use.paper)


def _real_use(session: Session, day: date) -> Decimal | None:
    use = _use(session, day)
    return Decimal(len(use.with_real_use)) if use.by_tenant else None


def _use(session: Session, day: date) -> RealUse:
    return count.real_use(session, "eapply", fiscal_year(day), day)


def _datasets(session: Session, _day: date) -> Decimal | None:
    return Decimal(sum(row.count for row in datasets_db.all_of(session).values()))


def _tenders(session: Session, day: date) -> Decimal | None:
    """Published in the fiscal year up to the end of `day`; None of years before the first tender that was told."""
    year = fiscal_year(day)
    if year < min(tenders_db.years(session), default=year + 1):
        return None
    told = (tender.published_at for tender in tenders_db.of_year(session, year))
    return Decimal(sum(1 for at in told if at and local_date(at) <= day))


FIGURES: dict[str, Figure] = {
    **{
        f"joined.{s.key}": Figure(say("%(name)sの参加市町村数", name=s.name), "any day", _joined(s.key))
        for s in SERVICES
    },
    "share.opendata": Figure(say("オープンデータサイトに参加する市町村の割合（％）"), "any day", _share("opendata")),
    "eapply.online": Figure(say("オンラインの申請の数（年度のはじめから）"), "whole years", _online, True),
    "eapply.rate": Figure(say("市町村のオンライン利用率（％、年度のはじめから）"), "whole years", _online_rate),
    "eapply.real": Figure(say("オンライン申請の実績がある市町村数"), "whole years", _real_use, True),
    "ebid.tenders": Figure(say("電子入札で公告した案件の数（年度のはじめから）"), "any day", _tenders, True),
    "opendata.datasets": Figure(say("公開しているデータセットの数（いまの数）"), "now", _datasets),
}
