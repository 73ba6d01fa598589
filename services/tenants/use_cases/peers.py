"""Compare a municipality with those of its size that use a service, only from what was counted here.

The size is the class of its population. Where no population was imported for it, municipalities of the same kind (市, 町, 村)
stand for those of the same size, and the page says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy.orm import Session

from libs.common.clock import fiscal_year
from libs.common.errors import say
from services.tenants.db import backups as backups_db
from services.tenants.db import datasets as datasets_db
from services.tenants.db import sharing as sharing_db
from services.tenants.db import tenders as tenders_db
from services.tenants.db import usage as usage_db
from services.tenants.domain import usage as usage_rules
from services.tenants.domain.municipality import Municipality
from services.tenants.domain.peers import Spread, spread
from services.tenants.domain.size import size_of
from services.tenants.use_cases.count import Participation


@dataclass(frozen=True, slots=True)
class Figure:
    """`ranged`: the least and the most may be shown, too: each municipality's figure is published anyway."""

    label: str
    unit: str
    spread: Spread | None
    digits: int = 0
    ranged: bool = True


@dataclass(frozen=True, slots=True)
class Peers:
    """`group` is the size class, or the kind where `by_kind`. `all`: how many others are in it; `using`: of those, how many
    use the service. `year` is the fiscal year of yearly figures: the last that is over."""

    group: str
    by_kind: bool
    all: int
    using: int
    year: int
    figures: list[Figure]


def of(session: Session, town: Municipality, service: str, found: Participation) -> Peers:
    populations = {t: row.population for t, row in sharing_db.populations(session, found.at).items()}
    group, by_kind, same = _same(town, found.municipalities, populations)
    using = same & found.joined[service]
    year = fiscal_year(found.at) - 1
    return Peers(group, by_kind, len(same), len(using), year, _figures(session, service, using, year))


def _same(
    town: Municipality, towns: Mapping[str, Municipality], populations: Mapping[str, int]
) -> tuple[str, bool, set[str]]:
    """The group's name, whether it is one of kind, and the others in it."""
    others = towns.keys() - {town.tenant_id}
    own = populations.get(town.tenant_id)
    if own is None:
        return town.kind, True, {tenant for tenant in others if towns[tenant].kind == town.kind}
    size = size_of(own)
    return size.name, False, {t for t in others if t in populations and size_of(populations[t]) == size}


def _figures(session: Session, service: str, using: set[str], year: int) -> list[Figure]:
    if service == "eapply":
        return _applications(session, using, year)
    if service == "backup":
        stored = [Fraction(r.stored, 10**9) for t, r in backups_db.all_of(session).items() if t in using and r.stored]
        return [Figure(say("保管しているデータ"), "GB", spread(stored), digits=1, ranged=False)]
    if service == "ebid":
        counts: dict[str, int] = {}
        for row in tenders_db.of_year(session, year):
            counts[row.tenant] = counts.get(row.tenant, 0) + (row.tenant in using)
        return [Figure(say("1年間に公告した案件"), say("件"), spread(n for n in counts.values() if n))]
    if service == "opendata":
        counted = [row.count for tenant, row in datasets_db.all_of(session).items() if tenant in using and row.count]
        return [Figure(say("公開しているデータセット"), say("件"), spread(counted))]
    return []


def _applications(session: Session, using: set[str], year: int) -> list[Figure]:
    totals = usage_rules.totals(usage_db.usage(session), "eapply", year)
    own = [counts for tenant, counts in totals.items() if tenant in using and counts["online"]]
    shares = [Fraction(100 * c["online"], c["online"] + c["paper"]) for c in own if c["paper"]]
    return [
        Figure(say("1年間のオンライン申請"), say("件"), spread(counts["online"] for counts in own)),
        Figure(say("オンラインの割合"), "％", spread(shares), digits=1),
    ]
