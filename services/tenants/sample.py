"""The sample's registry: Fukuoka's municipalities and an example of who took part since when.

The plan publishes totals only. Which municipalities had joined is therefore made up here, the same on every load, and
marked as an example on the pages: 27, 50, 19, 3 and 17 on every day of 2018-09, 24 bodies with open data from 2018-10;
電子申請 had 27 in the fiscal years 2016 and 2017 (applications.csv). Everything goes through use cases.
"""

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.db import Database
from services.tenants import reference
from services.tenants.db import registry as registry_db
from services.tenants.domain import catalogue
from services.tenants.domain.municipality import Municipality, counted_on
from services.tenants.use_cases import import_history, members, plans, registry, subscribe

LOADER = Actor(kind="service", subject="tenants")
ORIGIN = "sample: example of participation, totals from the plan"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Growth:
    """How many municipalities had joined `service` from a day on; the last is the total that stays."""

    service: str
    steps: tuple[tuple[date, int], ...]


GROWTH = (
    Growth("center", ((date(2002, 4, 1), 15), (date(2005, 4, 1), 22), (date(2010, 4, 1), 27))),
    Growth(
        "eapply",
        ((date(2006, 4, 1), 20), (date(2010, 4, 1), 24), (date(2014, 4, 1), 27), (date(2018, 4, 1), 41), (date(2018, 7, 1), 50)),
    ),
    Growth("backup", ((date(2011, 4, 1), 6), (date(2013, 4, 1), 13), (date(2016, 4, 1), 19))),
    Growth("ebid", ((date(2013, 4, 1), 1), (date(2015, 4, 1), 3))),
    Growth("cloud", ((date(2013, 4, 1), 6), (date(2015, 4, 1), 12), (date(2018, 4, 1), 17))),
    Growth("opendata", ((date(2017, 10, 1), 9), (date(2018, 4, 1), 19), (date(2018, 10, 1), 24))),
)  # fmt: skip
FIRST_IN = {
    "eapply": ("402036", "403059"),
    "backup": ("402036",),
    "opendata": ("402036", "402184"),
    "ebid": ("402036",),
}
"""久留米市 and 那珂川町 use e-application from the start: a count of 2018-09 then contains the town.
久留米市 keeps backups and tenders electronically, too."""
OWN_BACKUP = "backup,2016-04-01,"
"""The prefecture keeps the cloud itself where municipalities keep their data; it is no municipality, so it is not counted."""
STAYS_OUT = {"eapply": ("405221", "401005", "401307")}
"""大木町 can opt in by hand; the two largest have systems of their own in this example."""


def load(database: Database, now: datetime, prefecture: int = 40, say: Say = print) -> bool:
    """Fill an empty registry; False if it was filled before. Rooms are asked for, and answered by the workers."""
    with database.transaction() as session:
        if registry.load_reference(session, prefecture, now) == 0:
            return False
        towns = counted_on(registry_db.states(session), local_date(now))
    say(f"台帳：{len(towns)}市町村")
    table = participation_csv(list(towns.values())) + f"{prefecture_tenant(prefecture)},{OWN_BACKUP}\n"
    with database.transaction() as session:
        found = import_history.import_history(session, table, ORIGIN, now)
    say(f"参加の記録（例）：{len(found)}件")
    if lines := load_plan(database, now, prefecture):
        say(f"計画の指標：{lines}件（基準と目標は計画の値。柱と施策への割り当ては例）")
    rooms = [(i.tenant_id, i.service) for i in found if _has_room(i.service)]
    for tenant, service in rooms:
        with database.transaction(tenant=tenant) as session:
            subscribe.provide_room(session, LOADER, tenant, service, now)
    say(f"サービスの準備を頼みました：{len(rooms)}市町村")
    return True


PLAN = plans.NewPlan("福岡県官民データ活用推進計画", reference.PUBLISHED_BY, 2019, 2021)
"""Published in March 2019; its targets are those of fiscal year 2021."""


def load_plan(database: Database, now: datetime, prefecture: int) -> int:
    """The prefecture's own plan with its printed baselines as values; how many indicators it has."""
    table = reference.plan_table(prefecture)
    if not table:
        return 0
    with database.transaction(tenant=prefecture_tenant(prefecture)) as session:
        plan = plans.add_plan(session, LOADER, PLAN, table, now)
        lines = plans.import_values(session, LOADER, plan.id, baselines_csv(table), "計画に印刷された基準", now)
        plans.take_automatic(session, now)
    return lines


def baselines_csv(table: str) -> str:
    """The printed baselines as values of their fiscal years."""
    lines = ["indicator,fiscal_year,quarter,value"]
    for row in csv.DictReader(io.StringIO(table)):
        lines.append(f"{row['indicator']},{row['baseline_date'].removesuffix('年度')},0,{row['baseline']}")
    return "\n".join(lines) + "\n"


def appoint(database: Database, tenant: str, person_id: str, roles: set[str], now: datetime) -> None:
    """Give a sample account its roles. `tenant` is the municipality's id, or the prefecture's for council and operators."""
    with database.transaction(tenant=tenant) as session:
        members.grant(session, LOADER, tenant, person_id, roles, now)


def prefecture_tenant(prefecture: int = 40) -> str:
    """The tenant of council members and operators: 400009."""
    return reference.prefecture(prefecture).code


def example_towns(database: Database, today: date) -> tuple[tuple[str, str], tuple[str, str]]:
    """(tenant, name) of the first municipality that uses e-application, and of one that does not use it yet."""
    with database.reading() as session:
        towns = list(counted_on(registry_db.states(session), today).values())
    joining = _order("eapply", towns)
    total = next(growth.steps[-1][1] for growth in GROWTH if growth.service == "eapply")
    outside = STAYS_OUT["eapply"][0]
    first = joining[0]
    later = next((t for t in towns if t.tenant_id == outside), joining[min(total, len(joining) - 1)])
    return (first.tenant_id, first.name), (later.tenant_id, later.name)


def participation_csv(towns: list[Municipality]) -> str:
    """The example as the import use case takes it. With fewer municipalities than the plan counts, all of them join."""
    lines = ["code,service,from,until"]
    for growth in GROWTH:
        joining = _order(growth.service, towns)
        taken = 0
        for day, total in growth.steps:
            lines += [f"{town.code},{growth.service},{day.isoformat()}," for town in joining[taken:total]]
            taken = total
    return "\n".join(lines) + "\n"


def _order(service: str, towns: list[Municipality]) -> list[Municipality]:
    """Who joins first: an order of its own for each service, the same on every load."""
    first, out = FIRST_IN.get(service, ()), STAYS_OUT.get(service, ())

    def key(town: Municipality) -> tuple[int, str]:
        rank = first.index(town.tenant_id) - 10 if town.tenant_id in first else int(town.tenant_id in out)
        return rank, hashlib.sha256(f"{service}/{town.tenant_id}".encode()).hexdigest()

    return sorted(towns, key=key)


def _has_room(service: str) -> bool:
    offered = catalogue.service(service)
    return offered.delivery == "room" and offered.opened
