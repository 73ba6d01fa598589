"""A municipality reads what it used of every service in a year, and what that year costs it."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from libs.common.testing.service import NOW
from services.tenants.db import BackupMonthRow, BackupRow, DatasetsRow, DatasetYearRow, TenderRow
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_cost_of_taking_part import RULE
from services.tenants.tests.test_reserving_servers import POOL, only, reserve
from services.tenants.use_cases import own_usage, subscribe, usage
from services.tenants.use_cases.stock import GIB

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
USAGE = f"/portal/{OOKI}/usage/"


def takes_part(cloud: Cloud, tenant: str, *services: str) -> None:
    with cloud.database.transaction(tenant=tenant) as session:
        for service in services:
            found = [Interval(tenant, service, "joined", date(2026, 4, 1), None, NOW)]
            subscribe.correct_history(session, ADMIN, tenant, service, found, "検査", NOW)


def used(cloud: Cloud, tenant: str, factor: int) -> None:
    """Of everything `factor` times: an application, a tender, 10 GB now and 3 GB last March, a data set."""
    with cloud.database.transaction(tenant=tenant) as session:
        for n in range(factor):
            told = usage.Told(f"{tenant}-{n}", tenant, "p-1", 2026, "online", NOW, None, 1)
            usage.count_application(session, "eapply", told)
            session.add(
                TenderRow(
                    tenant=tenant,
                    id=f"t-{n}",
                    fiscal_year=2026,
                    category="works",
                    published_at=NOW,
                    outcome="awarded" if n else "failed",
                    bidders=1,
                    amount=1,
                )
            )
        session.add(BackupRow(tenant=tenant, stored=10 * factor * GIB - 1))
        at = datetime(2026, 3, 31, tzinfo=UTC)
        session.add(BackupMonthRow(tenant=tenant, month="2026-03", stored=3 * factor * GIB, at=at))
        session.add(DatasetsRow(tenant=tenant, count=7 * factor, told_at=NOW))


@pytest.fixture
def town(cloud: Cloud) -> Cloud:
    for tenant, factor in ((OOKI, 2), (KURUME, 5)):
        takes_part(cloud, tenant, "eapply", "ebid", "backup", "opendata", "cloud")
        used(cloud, tenant, factor)
    cloud.post("/operator/capacity/pool", OPERATOR, POOL)
    assert reserve(cloud)[0] == 303
    cloud.post(f"/operator/capacity/{only(cloud).id}/approve", OPERATOR)
    return cloud


def test_every_service_s_use_is_the_municipality_s_own(town: Cloud) -> None:
    page = town.get(USAGE, ADMIN).text
    for sentence in (
        "オンライン申請 2件", "公告した案件 2件", "預けているデータ 20GB", "公開しているデータセット 14件",
        "サーバー 12台日", "公告 2件、落札 1件、不調 1件",
    ):  # fmt: skip
        assert sentence in page, sentence
    assert page.count("割り勘の決まりが、まだありません") == 5, "no share is invented"
    assert "0円" not in page, "what nobody decided does not cost nothing"


def test_an_ended_year_shows_what_was_told_in_it_and_says_what_is_not_known(town: Cloud) -> None:
    takes_part(town, OOKI, "center")
    with town.database.transaction() as session:
        session.add(DatasetYearRow(tenant=KURUME, fiscal_year=2024, count=5, told_at=NOW))
    page = town.get(f"{USAGE}?year=2025", ADMIN).text
    assert "預けているデータ 6GB" in page and "20GB" not in page
    assert "14件" not in page, "how many data sets there were then is not known"
    elsewhere = replace(ADMIN, tenant=KURUME, code=KURUME)
    assert "公開しているデータセット 5件" in town.get(f"/portal/{KURUME}/usage/?year=2025", elsewhere).text, (
        "what nobody told of since 2024 was still so"
    )
    assert 'href="?year=2025" aria-current="page"' in page
    assert "利用の数を知らせません" in town.get(USAGE, ADMIN).text, "it runs elsewhere"


def test_the_share_of_the_year_and_what_one_use_of_it_costs(town: Cloud) -> None:
    halves = {**RULE, "total": "1000000", "subsidy": "", "equal": "100", "population": "0", "use": "0"}
    for service in ("eapply", "ebid"):
        assert town.post(f"/council/sharing/{service}/rule", MEMBER, halves).status_code == 303
    with town.database.reading() as session:
        lines = {line.service.key: line for line in own_usage.of_year(session, OOKI, 2026, 2026)}
    assert [(lines[key].share, lines[key].months) for key in ("eapply", "ebid", "backup")] == [
        (500_000, 12), (500_000, 12), (None, 12),
    ]  # fmt: skip
    page = town.get(USAGE, ADMIN).text
    assert "負担額 500,000円（12か月分）（申請1件につき250,000円）" in page
    assert "合わせて1,000,000円" in page and "決まりのあるサービスだけの合計です" in page


def test_who_uses_nothing_is_told_how_to_begin(cloud: Cloud) -> None:
    assert "使ったサービスはありません" in cloud.get(USAGE, ADMIN).text
