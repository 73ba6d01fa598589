"""那珂川町 became a city; others merge or are corrected. Each past date sees what then was, once."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.tenants import reference
from services.tenants.domain import mergers
from services.tenants.domain.history import end_of_day
from services.tenants.domain.municipality import Municipality, by_code, counted_on, existing_on

LOADED = datetime(2018, 4, 1, tzinfo=UTC)
FUKUOKA = reference.states(40, LOADED)


def town(tenant: str, name: str, since: date | None = None, until: date | None = None) -> Municipality:
    return Municipality(tenant, tenant, name, "かな", "町", "東", since, until, LOADED)


def test_the_town_before_and_the_city_after() -> None:
    before, after = counted_on(FUKUOKA, date(2018, 9, 30)), counted_on(FUKUOKA, date(2018, 10, 1))
    assert (before["403059"].name, before["403059"].code, before["403059"].kind) == ("那珂川町", "403059", "町")
    assert (after["403059"].name, after["403059"].code, after["403059"].kind) == ("那珂川市", "402311", "市")
    assert len(before) == len(after) == 60


def test_old_code_leads_to_the_present_one() -> None:
    assert by_code(FUKUOKA, "403059") == by_code(FUKUOKA, "402311") == "403059"
    leading = mergers.codes(FUKUOKA, date(2026, 11, 20))
    assert leading["403059"] == ["403059", "402311"] and leading["402036"] == ["402036"]


def test_the_prefecture_takes_part_but_is_not_counted() -> None:
    assert existing_on(FUKUOKA, date(2026, 1, 1))["400009"].name == "福岡県"
    assert "400009" not in counted_on(FUKUOKA, date(2026, 1, 1))


@pytest.mark.parametrize(("number", "municipalities"), [(1, 185), (13, 62), (40, 60), (46, 43), (47, 41)])
def test_any_prefecture_by_its_number(number: int, municipalities: int) -> None:
    assert len(counted_on(reference.states(number, LOADED), date(2026, 1, 1))) == municipalities


def test_an_unknown_prefecture_is_refused() -> None:
    with pytest.raises(ValueError, match="PREFECTURE=48"):
        reference.prefecture(48)


def test_a_merger_counts_two_before_and_one_after() -> None:
    merged_on = date(2010, 1, 1)
    states = [
        town("404000", "東町", until=merged_on), town("404001", "西町", until=merged_on),
        town("404002", "東西町", since=merged_on),
    ]  # fmt: skip
    assert set(counted_on(states, date(2009, 12, 31))) == {"404000", "404001"}
    assert set(counted_on(states, merged_on)) == {"404002"}


def test_a_correction_is_seen_only_from_when_it_was_recorded() -> None:
    corrected = datetime(2019, 2, 1, tzinfo=UTC)
    wrong = replace(town("404000", "東町", until=date(2018, 12, 1)), superseded_at=corrected)
    right = replace(town("404000", "東町", until=date(2018, 6, 1)), recorded_at=corrected)
    day = date(2018, 7, 1)
    assert "404000" in counted_on([wrong, right], day, end_of_day(date(2019, 1, 31)))
    assert "404000" not in counted_on([wrong, right], day, end_of_day(date(2019, 2, 1)))
    assert "404000" not in counted_on([wrong, right], day)


def test_tile_maps_place_every_municipality_once() -> None:
    for number in range(1, 48):
        table = reference.tile_table(number)
        present = {s.code for s in counted_on(reference.states(number, LOADED), date(2026, 1, 1)).values()}
        assert set(table) == present
        assert len(set(table.values())) == len(table), f"two tiles in one place in prefecture {number}"
    assert reference.tile_table(40)["401307"] == (1, 5)


def test_computed_tiles_keep_north_above_south_and_west_left_of_east() -> None:
    for number in (1, 20, 46):
        table = reference.tile_table(number)
        centre = {s.code: s for s in reference.states(number, LOADED) if s.counted}
        far_apart = [
            (a, b) for a in table for b in table
            if centre[a].latitude - centre[b].latitude > 0.8  # degrees: about 90 km
        ]  # fmt: skip
        wrong = [pair for pair in far_apart if table[pair[0]][1] >= table[pair[1]][1]]
        assert far_apart
        assert len(wrong) <= len(far_apart) * 0.05
