"""No day ever has more reserved than there is; what a reservation costs; what the cluster is told."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import Conflict, Invalid
from services.tenants.domain.capacity import Held, Pool, calendar, charge, check, check_fits, manifest, node_days

DAY = date(2027, 4, 1)
wishes = st.builds(
    lambda start, days, nodes, storage: Held(DAY + timedelta(start), DAY + timedelta(start + days), nodes, storage),
    st.integers(0, 20), st.integers(1, 12), st.integers(1, 5), st.integers(0, 400),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(wishes, max_size=25), st.integers(1, 8), st.integers(0, 800))
def test_whatever_is_asked_for_no_day_is_overbooked_and_nothing_that_fits_is_refused(
    asked: list[Held], nodes: int, storage: int
) -> None:
    pool, held = Pool(nodes, storage), []
    for wanted in asked:
        days = [DAY + timedelta(n) for n in range(40) if wanted.first <= DAY + timedelta(n) < wanted.until]
        used = [[h for h in held if h.first <= day < h.until] for day in days]
        fits = all(
            sum(h.nodes for h in own) + wanted.nodes <= nodes
            and sum(h.storage for h in own) + wanted.storage <= storage
            for own in used
        )
        try:
            check_fits(pool, held, wanted)
        except Conflict:
            assert not fits
        else:
            assert fits
            held.append(wanted)
    assert all(free.nodes >= 0 and free.storage >= 0 for free in calendar(pool, held, DAY, 40))


def test_the_first_day_without_enough_is_named() -> None:
    held = [Held(DAY + timedelta(1), DAY + timedelta(2), 3, 0)]
    with pytest.raises(Conflict, match="4月2日は、サーバー1台"):
        check_fits(Pool(4, 100), held, Held(DAY, DAY + timedelta(3), 2, 0))
    check_fits(Pool(4, 100), held, Held(DAY + timedelta(2), DAY + timedelta(3), 4, 0))


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Held(DAY - timedelta(1), DAY, 1, 0), "first"),
        (Held(DAY, DAY, 1, 0), "last"),
        (Held(DAY, DAY + timedelta(367), 1, 0), "last"),
        (Held(DAY, DAY + timedelta(1), 0, 0), "nodes"),
    ],
)
def test_what_nobody_can_mean_is_refused_beside_its_field(wanted: Held, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(wanted, DAY)
    assert field in refused.value.fields


def test_the_bill() -> None:
    """Election night: 4 nodes and 150 GB for 3 days."""
    held = Held(DAY, DAY + timedelta(3), 4, 150)
    assert node_days(held) == 12 and node_days(held, DAY + timedelta(1)) == 4
    assert charge(held, node_day=1_000, storage_day=33) == 12_000 + 149, "148.5 yen are rounded up"


def test_what_the_cluster_is_told() -> None:
    ident = "01a215c0-11ac-7636-9a6a-178ece2d5e55"
    namespace, quota, limits = manifest("402036", ident, Held(DAY, DAY + timedelta(3), 4, 150), Pool(10, 1000, 4, 16))
    assert namespace["metadata"]["name"] == "kyodo-402036-178ece2d5e55"  # type: ignore[index]
    assert namespace["metadata"]["annotations"]["kyodo/expires"] == "2027-04-04"  # type: ignore[index]
    hard = quota["spec"]["hard"]  # type: ignore[index]
    assert hard["requests.cpu"] == "16" and hard["limits.memory"] == "64Gi" and hard["requests.storage"] == "150Gi"
    assert limits["metadata"]["namespace"] == "kyodo-402036-178ece2d5e55"  # type: ignore[index]
