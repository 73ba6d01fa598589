"""Beside a service: what municipalities of the same size that use it say in numbers, all of them counted here."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.testing.service import NOW
from services.tenants.db.usage import raise_totals
from services.tenants.domain.municipality import counted_on
from services.tenants.domain.peers import LEAST, rounded, spread
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, MEMBER, OOKI, PREFECTURE
from services.tenants.use_cases import count, import_history, peers, populations

pytestmark = pytest.mark.any_store

TODAY = date(2026, 11, 20)
PAGE = f"/portal/{OOKI}/services/eapply"


def towns(cloud: Cloud, kind: str = "町") -> list[str]:
    """Others of the kind, in the order of their codes."""
    with cloud.database.reading() as session:
        found = counted_on(count.read(session).states, TODAY)
    return [tenant for tenant, town in found.items() if town.kind == kind and tenant != OOKI]


def use(cloud: Cloud, numbers: dict[str, tuple[int, int]], year: int = 2025) -> None:
    """Tenant → (online, paper) applications of the year; each takes part since 2015."""
    lines = "code,service,from,until\n" + "".join(f"{tenant},eapply,2015-04-01,\n" for tenant in numbers)
    with cloud.database.transaction() as session:
        import_history.import_history(session, lines, "test", NOW)
    for tenant, (online, paper) in numbers.items():
        with cloud.database.transaction(tenant=tenant) as session:
            raise_totals(session, "eapply", "p-1", year, "online", online)
            raise_totals(session, "eapply", "p-1", year, "paper", paper)


def said(cloud: Cloud, service: str = "eapply") -> peers.Peers:
    with cloud.database.reading() as session:
        found = count.on(session, TODAY)
        return peers.of(session, found.municipalities[OOKI], service, found)


def test_towns_of_the_same_kind_stand_in_where_no_population_is_known(cloud: Cloud) -> None:
    a, b, c, d, *_ = towns(cloud)
    [city, *_] = towns(cloud, "市")
    use(cloud, {a: (100, 300), b: (300, 100), c: (1_243, 0), d: (0, 50), city: (90_000, 1)})
    use_of_running_year = {a: (9_999, 0)}
    for tenant, (online, _) in use_of_running_year.items():
        with cloud.database.transaction(tenant=tenant) as session:
            raise_totals(session, "eapply", "p-1", 2026, "online", online)
    page = cloud.get(PAGE, ADMIN).text
    assert "大木町の人口がまだ取り込まれていないため、ほかの町と比べています。" in page
    assert f"{len(towns(cloud))}市町村のうち4" in page
    assert "まん中の値 300件（3市町村）。最も少ないところで100件、最も多いところで1,243件" in page
    assert "90,000" not in page and "9,999" not in page, "no city, and no year that still runs"
    assert "数えた市町村が3に満たないため、示しません" in page, "only two had paper to compare with"


def test_with_populations_the_class_of_size_counts(cloud: Cloud) -> None:
    a, b, c, d, *_ = towns(cloud)
    table = "code,population\n" + "".join(
        f"{tenant},{people}\n"
        for tenant, people in ((OOKI, 13_901), (a, 12_000), (b, 29_999), (c, 10_000), (d, 30_000), (KURUME, 300_000))
    )
    with cloud.database.transaction(tenant=PREFECTURE) as session:
        populations.import_table(session, MEMBER, table, date(2026, 1, 1), "test", NOW)
    use(cloud, {a: (10, 10), b: (20, 20), c: (30, 0), d: (5_000, 5_000)})
    found = said(cloud)
    assert (found.group, found.by_kind, found.all, found.using) == ("1万人以上3万人未満", False, 3, 3)
    assert found.figures[0].spread and found.figures[0].spread.middle == 20
    page = cloud.get(PAGE, ADMIN, cookie="lang=en").text
    assert "Median 20" in page and "5,000" not in page


def test_few_are_never_summed_up(cloud: Cloud) -> None:
    a, b, *_ = towns(cloud)
    use(cloud, {a: (77_777, 0), b: (88_888, 0)})
    assert said(cloud).figures[0].spread is None
    page = cloud.get(PAGE, ADMIN).text
    assert "77,777" not in page and "88,888" not in page  # with a comma, or a random address may hold it


@pytest.mark.parametrize("service", ["center", "eapply", "backup", "ebid", "cloud", "opendata"])
def test_every_service_has_its_page_before_anything_was_counted(cloud: Cloud, service: str) -> None:
    page = cloud.get(f"/portal/{OOKI}/services/{service}", ADMIN)
    assert page.status_code == 200 and "同じ規模の市町村では" in page.text
    assert all(figure.spread is None for figure in said(cloud, service).figures)


@given(st.lists(st.integers(0, 10**9), max_size=30))
def test_the_middle_lies_between_the_least_and_the_most(values: list[int]) -> None:
    found = spread(values)
    assert (found is None) == (len(values) < LEAST)
    if found:
        assert found.of == len(values) and found.least <= found.middle <= found.most
        below, above = sum(v <= found.middle for v in values), sum(v >= found.middle for v in values)
        assert below * 2 >= len(values) and above * 2 >= len(values)


def test_numbers_are_rounded_half_up() -> None:
    assert [rounded(Fraction(n, 2)) for n in (1, 2, 2487)] == ["1", "1", "1,244"]
    assert [rounded(Fraction(n, 100), 1) for n in (125, 124, 100_049)] == ["1.3", "1.2", "1,000.5"]
