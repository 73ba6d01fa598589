"""What one application, tender, GB, data set or server day costs: by the uses of the year before, whatever is kept now."""

from datetime import date, datetime

import pytest

from libs.common.clock import JST
from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants.db import DatasetsRow, ReservationRow
from services.tenants.domain.sharing import Rule
from services.tenants.tests.people import KURUME, OOKI
from services.tenants.use_cases import backups, datasets, sharing, stock, tenders, usage
from services.tenants.use_cases.count import Register

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
GB = 1024**3


def per_use(database: Database, service: str, year: int) -> int | None:
    """Of a service that costs 1,200,000 yen in the year."""
    with database.reading() as session:
        found = sharing.basis(session, Register([], []), service, year)
    return sharing.Shared(Rule(service, year, 1_200_000, 100, 0, 0), found, {}).per_use


def on(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=JST)


def test_one_application_and_one_tender_of_last_year(database: Database) -> None:
    for tenant, year, number in ((KURUME, 2025, 300), (OOKI, 2025, 100), (OOKI, 2026, 9_000)):
        with database.transaction(tenant=tenant) as session:
            for n in range(number // 100):
                told = usage.Told(f"{year}-{n}", tenant, "p-1", year, "online", NOW, None, 1)
                usage.count_application(session, "eapply", told)
    with database.transaction() as session:
        for n, year in enumerate((2025, 2025, 2025, 2026)):
            told = {"tender_id": f"t-{n}", "fiscal_year": year, "category": "works", "published_at": NOW.isoformat()}
            tenders.note_published(session, KURUME, told)
    assert per_use(database, "eapply", 2026) == 300_000
    assert per_use(database, "ebid", 2026) == 400_000
    assert per_use(database, "ebid", 2025) is None, "nobody tendered in 2024"


def test_one_gigabyte_and_one_data_set_as_they_were_at_the_end_of_last_year(database: Database) -> None:
    with database.transaction() as session:
        for at, tenant, amount in (
            (on(2024, 5, 1), KURUME, 20),
            (on(2025, 3, 31), OOKI, 10),
            (on(2025, 4, 1), OOKI, 40),
            (on(2026, 2, 1), OOKI, 100),
            (on(2026, 11, 1), OOKI, 4_000),
            (on(2025, 12, 1), OOKI, 7),  # told late
        ):
            backups.note_point(session, tenant, at, amount * GB - 1)
            datasets.note_count(session, tenant, amount, at)
    for service in ("backup", "opendata"):
        assert per_use(database, service, 2026) == 10_000, "20 of one that told nothing since, and 100"
        assert per_use(database, service, 2025) == 40_000, "20 and 10"
        assert per_use(database, service, 2027) == round(1_200_000 / 4_020), "of the running year: now"
        assert per_use(database, service, 2020) == 40_000, "before anything was counted: the first year that was"


def test_a_data_set_told_of_before_years_were_kept_counts_in_the_year_it_was_told(database: Database) -> None:
    with database.transaction() as session:
        session.add(DatasetsRow(tenant=KURUME, count=12, told_at=on(2025, 3, 1)))
    assert per_use(database, "opendata", 2026) == 100_000


def test_one_server_for_one_day_of_last_year(database: Database) -> None:
    with database.transaction() as session:
        for first, until in ((date(2026, 3, 30), date(2026, 4, 3)), (date(2025, 7, 1), date(2025, 7, 2))):
            session.add(
                ReservationRow(
                    tenant=KURUME, purpose="開票速報", first=first, until=until, nodes=2, storage=0, state="approved",
                    asked_by="p", asked_at=NOW,
                )
            )  # fmt: skip
    assert per_use(database, "cloud", 2026) == 200_000, "2 servers: 2 days of March, 1 of July"


@pytest.mark.parametrize(("records", "found"), [([], {}), ([("a", 2025, 5), ("a", 2025, 0)], {})])
def test_what_ended_at_nothing_is_no_use(
    records: list[stock.Record], found: dict[str, int], database: Database
) -> None:
    assert stock.at_end(records, 2026) == found
