"""What is counted by itself for an indicator: of quarters that are over only what was so then."""

from datetime import UTC, datetime

import pytest

from libs.common.db import Database
from services.tenants.db import plans as plans_db
from services.tenants.db import usage as usage_db
from services.tenants.tests.people import KURUME, MEMBER, OOKI, PREFECTURE, load_fukuoka
from services.tenants.use_cases import plans, reports, tenders

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

FIGURES = ("eapply.online", "eapply.rate", "eapply.real", "ebid.tenders")
JUNE, NOVEMBER, NEXT_MAY = (datetime(*day, tzinfo=UTC) for day in ((2026, 6, 30), (2026, 11, 20), (2027, 5, 1)))


def filed(database: Database, tenant: str, online: int, paper: int = 0) -> None:
    with database.transaction(tenant=tenant) as session:
        usage_db.raise_totals(session, "eapply", "moving", 2026, "online", online)
        usage_db.raise_totals(session, "eapply", "moving", 2026, "paper", paper)


def told_of_tender(database: Database, number: int, published_at: str) -> None:
    told = {"tender_id": f"t-{number}", "fiscal_year": 2026, "category": "works", "published_at": published_at}
    with database.transaction() as session:
        tenders.note_published(session, KURUME, told)


def counted(database: Database, now: datetime) -> dict[str, dict[tuple[int, int], str]]:
    """Every value that stands after the count of `now`: figure → (fiscal year, quarter) → value."""
    with database.transaction() as session:
        plans.take_automatic(session, now)
        rows = plans_db.automatic_indicators(session)
        return {
            row.automatic: {(v.fiscal_year, v.quarter): v.value for v in plans_db.values(session, [row.id])}
            for row in rows
        }


@pytest.fixture
def planned(database: Database) -> Database:
    lines = [f"柱,施策,{key},件,1,2025年度,2,2027年度,,{key}" for key in FIGURES]
    table = "\n".join([",".join(plans.PLAN_COLUMNS), *lines])
    load_fukuoka(database)
    with database.transaction(tenant=PREFECTURE) as session:
        plans.add_plan(session, MEMBER, plans.NewPlan("計画", PREFECTURE, 2026, 2027), table, JUNE)
    return database


def test_what_was_filed_later_in_the_year_does_not_change_a_quarter_that_is_over(planned: Database) -> None:
    filed(planned, KURUME, 30, 10)
    assert counted(planned, JUNE)["eapply.online"] == {(2026, 0): "30", (2026, 1): "30"}
    filed(planned, OOKI, 12, 48)
    found = counted(planned, NOVEMBER)
    assert found["eapply.online"] == {(2026, 0): "42", (2026, 1): "30", (2026, 3): "42"}
    assert found["eapply.rate"] == {(2026, 0): "42.0", (2026, 1): "75.0", (2026, 3): "42.0"}
    assert found["eapply.real"] == {(2026, 0): "2", (2026, 1): "1", (2026, 3): "2"}


def test_of_a_year_that_is_over_the_whole_is_counted_late_too(planned: Database) -> None:
    filed(planned, KURUME, 30, 10)
    assert counted(planned, NEXT_MAY)["eapply.online"] == {(2026, 0): "30", (2026, 4): "30"}


def test_a_tender_is_counted_from_the_day_it_was_published_on(planned: Database) -> None:
    told_of_tender(planned, 1, "2026-06-30T14:59:00+00:00")  # 23:59 in Japan
    told_of_tender(planned, 2, "2026-06-30T15:00:00+00:00")  # 0:00 on July 1st
    found = counted(planned, NOVEMBER)["ebid.tenders"]
    assert found == {(2026, 0): "2", (2026, 1): "1", (2026, 2): "2", (2026, 3): "2"}, (
        "nothing of 2025, before the first"
    )


def test_what_begins_anew_each_april_is_foreseen_from_whole_years_only(planned: Database) -> None:
    for now, number in ((JUNE, 30), (NOVEMBER, 12), (NEXT_MAY, 8)):
        filed(planned, KURUME, number)
        told_of_tender(planned, number, now.isoformat())
        counted(planned, now)
    with planned.reading() as session:
        plan = plans_db.plans(session)[0]
        lines = reports.make(session, plan.id, 2027, 1, NEXT_MAY.date()).lines
    online = next(line for line in lines if line.indicator.automatic == "eapply.online")
    assert len({(v.fiscal_year, v.quarter) for v in online.points}) > 2 and online.forecast is None, "one year is over"
    rate = next(line for line in lines if line.indicator.automatic == "eapply.rate")
    assert rate.forecast is not None
