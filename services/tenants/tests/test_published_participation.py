"""The sample reproduces the plan's table for 2018-09; imports name every wrong line and load nothing then."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.testing.service import NOW
from services.tenants import reference, sample
from services.tenants.db import IntervalRow, RequestRow
from services.tenants.domain import catalogue, mergers
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.people import NAKAGAWA, OOKI, OPERATOR, load_fukuoka
from services.tenants.use_cases import count, import_history, registry, subscribe

PUBLISHED = {"center": 27, "eapply": 50, "backup": 19, "ebid": 3, "cloud": 17}


@pytest.fixture
def loaded(database: Database) -> Database:
    assert sample.load(database, NOW, say=lambda _: None)
    return database


def on(database: Database, day: date, known_on: date | None = None) -> count.Participation:
    with database.reading() as session:
        return count.on(session, day, known_on)


def test_every_day_of_september_2018_counts_as_published(loaded: Database) -> None:
    names = {catalogue.service(key).name: number for key, number in PUBLISHED.items()}
    assert {name: n for name, (_, n) in reference.published_participation().items()} == names
    for n in range(30):
        found = on(loaded, date(2018, 9, 1) + timedelta(days=n))
        assert {key: found.count(key) for key in PUBLISHED} == PUBLISHED
        assert len(found.municipalities) == 60


def test_the_town_that_became_a_city_is_counted_once_before_and_after(loaded: Database) -> None:
    before, after = on(loaded, date(2018, 9, 30)), on(loaded, date(2018, 10, 1))
    assert before.municipalities[NAKAGAWA].name == "那珂川町" and NAKAGAWA in before.joined["eapply"]
    assert after.municipalities[NAKAGAWA].name == "那珂川市" and NAKAGAWA in after.joined["eapply"]
    assert before.count("eapply") == after.count("eapply") == 50


def test_open_data_has_24_bodies_from_october_2018(loaded: Database) -> None:
    assert on(loaded, date(2018, 10, 1)).count("opendata") == 24


def test_no_service_is_older_than_its_first_fiscal_year(loaded: Database) -> None:
    for service in catalogue.SERVICES:
        assert on(loaded, date(service.since, 3, 31)).count(service.key) == 0
        assert on(loaded, date(service.since + 1, 3, 31)).count(service.key) > 0


def test_e_application_had_27_in_the_years_the_plan_names(loaded: Database) -> None:
    with loaded.reading() as session:
        years = count.years(session, date(2026, 11, 20))["eapply"]
    at_end = {y.fiscal_year: y.at_end for y in years}
    published = {r.fiscal_year: r.municipalities for r in reference.published_applications() if r.scope == "municipal"}
    assert published == {2016: 27, 2017: 27, 2018: 50}
    assert {year: at_end[year] for year in published} == published


def test_regions_add_up(loaded: Database) -> None:
    found = on(loaded, date(2018, 9, 30))
    assert sum(found.regions("eapply").values()) == 50
    assert len({m.region for m in found.municipalities.values()}) == 15


def test_the_sample_is_the_same_on_every_load(loaded: Database) -> None:
    towns = list(on(loaded, date(2026, 11, 20)).municipalities.values())
    assert sample.participation_csv(towns) == sample.participation_csv(list(reversed(towns)))
    assert not sample.load(loaded, NOW), "a filled registry is left alone"


def test_rooms_are_asked_for_where_the_service_is_ours(loaded: Database) -> None:
    with loaded.reading() as session:
        asked = session.execute(select(RequestRow.service, func.count()).group_by(RequestRow.service)).all()
    kept = PUBLISHED["backup"] + 1  # and the prefecture, which keeps the cloud itself
    assert sorted(tuple(row) for row in asked) == [("backup", kept), ("eapply", 50), ("ebid", 3), ("opendata", 24)]


def test_opting_in_moves_the_count_from_50_to_51_on_its_day(loaded: Database) -> None:
    from services.tenants.tests.test_joining_a_service import answer, approve, ask_to_join

    request_id = ask_to_join(loaded, effective_from=date(2027, 4, 1))
    approve(loaded, request_id)
    answer(loaded, request_id, "provisioned")
    assert on(loaded, date(2027, 3, 31)).count("eapply") == 50
    assert on(loaded, date(2027, 4, 1)).count("eapply") == 51
    assert OOKI in on(loaded, date(2027, 4, 1)).joined["eapply"]


@pytest.mark.parametrize("number", [1, 46])
def test_another_prefecture_by_one_setting(database: Database, number: int) -> None:
    sample.load(database, NOW, prefecture=number, say=lambda _: None)
    found = on(database, date(2018, 9, 30))
    assert len(found.municipalities) == {1: 185, 46: 43}[number]


# ---- import ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fukuoka(database: Database) -> Database:
    load_fukuoka(database)
    return database


def load_csv(database: Database, text: str) -> int:
    with database.transaction() as session:
        return len(import_history.import_history(session, text, "test", NOW))


def test_history_in_codes_of_five_or_six_digits_and_names_of_services(fukuoka: Database) -> None:
    text = (
        "\ufeffcode,service,from,until\n40522,電子申請サービス,2010-04-01,2012-04-01\n４０３０５９,eapply,2010-04-01,\n"
    )
    assert load_csv(fukuoka, text) == 2
    assert on(fukuoka, date(2011, 1, 1)).joined["eapply"] == {OOKI, NAKAGAWA}
    assert on(fukuoka, date(2012, 4, 1)).joined["eapply"] == {NAKAGAWA}


def test_every_wrong_line_is_named_and_nothing_is_loaded(fukuoka: Database) -> None:
    lines = [
        "code,service,from,until",
        "405221,eapply,2010-04-01,",  # right
        "405222,eapply,2010-04-01,",  # check digit
        "011002,eapply,2010-04-01,",  # another prefecture
        "402036,nothing,2010-04-01,",
        "402036,eapply,soon,",
        "402036,eapply,2010-04-01,2010-04-01",
        "402036,eapply,2005-04-01,",  # before the service began
        "405221,eapply,2012-04-01,",  # overlaps line 2
        "402036,eapply,,",
    ]
    with pytest.raises(Invalid) as refused:
        load_csv(fukuoka, "\n".join(lines))
    assert [bad["line"] for bad in refused.value.details["lines"]] == [3, 4, 5, 6, 7, 8, 9, 10]
    with fukuoka.reading() as session:
        assert session.scalar(select(func.count()).select_from(IntervalRow)) == 0


def test_a_file_without_the_right_header_is_refused(fukuoka: Database) -> None:
    with pytest.raises(Invalid, match="見出し"):
        load_csv(fukuoka, "団体,サービス\n1,2\n")


def test_importing_the_same_file_twice_is_refused_as_overlap(fukuoka: Database) -> None:
    text = "code,service,from,until\n405221,eapply,2010-04-01,\n"
    load_csv(fukuoka, text)
    with pytest.raises(Invalid, match="重なって"):
        load_csv(fukuoka, text)


# ---- corrections and changes of municipalities -------------------------------------------------------------------------


def test_a_correction_of_history_keeps_what_was_reported(fukuoka: Database) -> None:
    load_csv(fukuoka, "code,service,from,until\n405221,eapply,2018-04-01,\n")
    corrected = NOW + timedelta(days=30)
    right = [Interval(OOKI, "eapply", "joined", date(2018, 10, 1), None, corrected)]
    with fukuoka.transaction(tenant=OOKI) as session:
        subscribe.correct_history(session, OPERATOR, OOKI, "eapply", right, "届出の日付の誤り", corrected)
    day = date(2018, 9, 30)
    assert on(fukuoka, day).count("eapply") == 0
    assert on(fukuoka, day, known_on=date(2026, 11, 30)).count("eapply") == 1
    assert on(fukuoka, day, known_on=date(2026, 12, 20)).count("eapply") == 0


def test_a_rename_recorded_now_is_seen_from_its_date(fukuoka: Database) -> None:
    with fukuoka.transaction(tenant=OOKI) as session:
        registry.rename(
            session, OPERATOR, OOKI, code="405221", name="大木市", kana="おおきし", on=date(2027, 4, 1), now=NOW
        )
    assert on(fukuoka, date(2027, 3, 31)).municipalities[OOKI].name == "大木町"
    assert on(fukuoka, date(2027, 4, 1)).municipalities[OOKI].kind == "市"
    assert len(on(fukuoka, date(2027, 4, 1)).municipalities) == 60
    assert on(fukuoka, date(2027, 4, 1), known_on=date(2026, 11, 19)).municipalities == {}, "loaded a day later"


def test_a_merger_counts_two_until_the_day_and_one_from_it(fukuoka: Database) -> None:
    load_csv(
        fukuoka,
        "code,service,from,until\n405221,eapply,2010-04-01,\n405035,eapply,2012-04-01,\n405035,center,2012-04-01,\n",
    )
    day = date(2027, 4, 1)
    ended: list[Interval] = []
    for tenant in (OOKI, "405035"):
        with fukuoka.transaction(tenant=tenant) as session:
            ended += registry.end(session, OPERATOR, tenant, day, NOW, successor="405248")
    with fukuoka.reading() as session:
        pattern = registry.present(session, OOKI, date(2026, 11, 20))
    from dataclasses import replace

    new = replace(pattern, tenant_id="405248", code="405248", name="大木大刀洗町", valid_from=day)
    with fukuoka.transaction(tenant="405248") as session:
        registry.establish(session, OPERATOR, new, carried=mergers.carried(ended, "405248", day, NOW), now=NOW)
    before, after = on(fukuoka, date(2027, 3, 31)), on(fukuoka, day)
    assert (len(before.municipalities), len(after.municipalities)) == (60, 59)
    assert (before.joined["eapply"], after.joined["eapply"]) == ({OOKI, "405035"}, {"405248"})
    assert after.joined["center"] == {"405248"}


def test_unknown_and_wrong_codes_are_told_apart(fukuoka: Database) -> None:
    from libs.common.errors import NotFound

    today = date(2026, 11, 20)
    with fukuoka.reading() as session:
        assert registry.find(session, "４０２３１", today).tenant_id == NAKAGAWA
        assert registry.find(session, "403059", today).code == "402311"
        with pytest.raises(Invalid, match="検査数字"):
            registry.find(session, "402037", today)
        with pytest.raises(NotFound, match="011002"):
            registry.find(session, "011002", today)


def test_what_is_known_follows_the_moment_of_recording(fukuoka: Database) -> None:
    assert datetime(2026, 11, 20, 1, 52, 7, tzinfo=UTC) == NOW
    assert len(on(fukuoka, date(2018, 9, 1), known_on=date(2026, 11, 20)).municipalities) == 60
    assert len(on(fukuoka, date(2018, 9, 1), known_on=date(2026, 11, 19)).municipalities) == 0
