"""Election night: a town reserves servers, an operator approves, the cluster gets them and loses them again, the bill comes."""

import json
import re
import stat
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kubernetes_validate import validate
from sqlalchemy import delete

from libs.common.db import Database
from libs.common.errors import Conflict
from libs.common.testing.service import NOW
from services.tenants import cluster
from services.tenants.db import capacity as capacity_db
from services.tenants.db import invoices as invoices_db
from services.tenants.domain.capacity import Held, calendar
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR, PREFECTURE, load_fukuoka
from services.tenants.use_cases import capacity, merging, registry, subscribe

POOL = {"nodes": "8", "storage": "1000", "cpu": "4", "memory": "16", "node_day": "1000", "storage_day": "33"}
NIGHT = {"first": "2026-11-22", "last": "2026-11-24", "nodes": "4", "storage": "150", "purpose": "町長選挙の開票速報"}


def joins(database: Database) -> None:
    with database.transaction(tenant=OOKI) as session:
        found = [Interval(OOKI, "cloud", "joined", date(2018, 4, 1), None, NOW)]
        subscribe.correct_history(session, ADMIN, OOKI, "cloud", found, "検査", NOW)


@pytest.fixture
def town(cloud: Cloud) -> Cloud:
    """大木町 takes part, and there are eight servers."""
    joins(cloud.database)
    assert cloud.post("/operator/capacity/pool", OPERATOR, POOL).status_code == 303
    return cloud


def reserve(cloud: Cloud, **changes: str) -> tuple[int, str]:
    answer = cloud.post(f"/portal/{OOKI}/capacity/", ADMIN, NIGHT | changes)
    return answer.status_code, answer.text


def only(cloud: Cloud) -> capacity_db.ReservationRow:
    with cloud.database.reading() as session:
        [row] = capacity_db.of_tenant(session, OOKI)
        return row


def test_operators_let_reserving_rest_for_one_municipality_what_is_reserved_stays(town: Cloud) -> None:
    assert reserve(town)[0] == 303
    rest = {"function": "cloud/reservations", "tenant": OOKI, "reason": "機器の故障。明日の朝に戻す見込み"}
    assert "サーバーの予約" in town.get("/operator/switches", OPERATOR).text
    assert town.post("/operator/switches", OPERATOR, rest).status_code == 303
    page = town.get(f"/portal/{OOKI}/capacity/", ADMIN).text
    assert "機器の故障" in page and "予約を申し込む" not in page and "町長選挙の開票速報" in page
    assert "サーバーの予約" in town.get(f"/portal/{OOKI}/services/cloud", ADMIN).text
    status, refused = reserve(town, purpose="もう一つ")
    assert status == 403 and "いま止めています" in refused
    assert only(town).state == "requested"
    back = town.post(f"/operator/switches/{OOKI}/cloud/reservations/on", OPERATOR, {"reason": "直った"})
    assert back.status_code == 303 and reserve(town, purpose="もう一つ")[0] == 303


def test_reserved_approved_made_taken_away_and_billed(town: Cloud, tmp_path: Path) -> None:
    assert reserve(town)[0] == 303
    page = town.get(f"/portal/{OOKI}/capacity/", ADMIN).text
    assert "承認を待っています" in page and "町長選挙の開票速報" in page
    waiting = town.get("/operator/capacity", OPERATOR).text
    assert "大木町" in waiting and "4台、150GB" in waiting
    assert town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR).status_code == 303
    assert town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR).status_code == 409
    calls = fake_kubectl(town, tmp_path)
    assert cluster.keep_up(town.service) == 0, "not before the first day"
    town.clock.advance(days=2)
    assert cluster.keep_up(town.service) == 1 and cluster.keep_up(town.service) == 0
    [applied] = calls()
    assert applied["command"] == "apply -f -" and "kyodo-405221-" in applied["given"]
    town.clock.advance(days=2)
    assert cluster.keep_up(town.service) == 0, "the last day can still be used"
    town.clock.advance(days=1)
    assert cluster.keep_up(town.service) == 1
    assert calls()[-1]["command"].startswith("delete namespace kyodo-405221-")
    assert town.post("/operator/capacity/bill", OPERATOR, {"due_on": "2026-12-31"}).status_code == 303
    assert town.post("/operator/capacity/bill", OPERATOR, {"due_on": "2026-12-31"}).status_code == 303
    with town.database.reading() as session:
        [invoice] = invoices_db.invoices(session, tenant=OOKI)
        assert invoice.amount == 4 * 3 * 1000 + 149
        assert capacity.node_days(session, 2026) == {OOKI: 12}
    assert "12,149円" in town.get(f"/portal/{OOKI}/invoices/", ADMIN).text


def fake_kubectl(cloud: Cloud, folder: Path, *, fails: bool = False) -> Callable[[], list[dict[str, str]]]:
    """A program in the place of kubectl that keeps what it was told; what it was told so far."""
    log, program = folder / "calls.jsonl", folder / "kubectl"
    program.write_text(
        "#!/usr/bin/env python3\nimport json, sys\n"
        f"open({str(log)!r}, 'a').write(json.dumps({{'command': ' '.join(sys.argv[1:]), 'given': sys.stdin.read()}}) + '\\n')\n"
        + ("sys.exit('quota exceeded')\n" if fails else "print('done')\n")
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    cloud.service.settings.kubectl = str(program)
    return lambda: [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_without_a_cluster_what_would_be_done_is_recorded(town: Cloud) -> None:
    reserve(town, first="2026-11-20", last="2026-11-20")
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    assert cluster.keep_up(town.service) == 1
    assert only(town).outcome == cluster.DRY and only(town).applied_at is not None
    assert "クラスターには触れません" in town.get("/operator/capacity", OPERATOR).text


def test_a_cluster_that_refuses_is_asked_again_and_the_operator_reads_why(town: Cloud, tmp_path: Path) -> None:
    reserve(town, first="2026-11-20", last="2026-11-20")
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    fake_kubectl(town, tmp_path, fails=True)
    cluster.keep_up(town.service)
    assert only(town).applied_at is None
    assert "quota exceeded" in town.get("/operator/capacity", OPERATOR).text
    fake_kubectl(town, tmp_path)
    cluster.keep_up(town.service)
    assert only(town).applied_at is not None


def test_a_kubectl_that_is_not_there_is_said_and_asked_again(town: Cloud, tmp_path: Path) -> None:
    """Not the dry mode: somebody set KUBECTL and believes that the cluster is reached."""
    reserve(town, first="2026-11-20", last="2026-11-20")
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    town.service.settings.kubectl = str(tmp_path / "nowhere" / "kubectl")
    cluster.keep_up(town.service)
    page = town.get("/operator/capacity", OPERATOR).text
    assert (
        only(town).applied_at is None
        and "クラスターに届きませんでした" in page
        and "クラスターには触れません" not in page
    )
    fake_kubectl(town, tmp_path)
    assert cluster.keep_up(town.service) == 1 and only(town).applied_at is not None


def test_a_reservation_begins_and_ends_at_midnight_in_japan_to_the_second(town: Cloud, tmp_path: Path) -> None:
    reserve(town)
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    calls = fake_kubectl(town, tmp_path)
    for midnight, command in (
        (datetime(2026, 11, 21, 15, tzinfo=UTC), "apply"),
        (datetime(2026, 11, 24, 15, tzinfo=UTC), "delete"),
    ):
        before = len(calls())
        town.clock.advance(seconds=(midnight - town.clock.now()).total_seconds() - 1)
        assert cluster.keep_up(town.service) == 0 and len(calls()) == before, "23:59:59"
        town.clock.advance(seconds=1)
        assert cluster.keep_up(town.service) == 1 and calls()[-1]["command"].startswith(command), "0:00:00"


def test_a_full_day_ends_where_the_next_begins(town: Cloud) -> None:
    """Exactly all that there is, for one day too; what shares a single day with it does not fit, what adjoins it does."""
    assert reserve(town, nodes="8", storage="1000")[0] == 303
    for days in (("2026-11-24", "2026-11-24"), ("2026-11-21", "2026-11-22"), ("2026-11-20", "2026-11-30")):
        assert reserve(town, first=days[0], last=days[1], nodes="1", storage="0")[0] == 409, days
    assert reserve(town, first="2026-11-23", last="2026-11-23", nodes="1", storage="0")[0] == 409
    for day in ("2026-11-21", "2026-11-25"):
        assert reserve(town, first=day, last=day, nodes="8", storage="1000")[0] == 303, day
        assert reserve(town, first=day, last=day, nodes="1", storage="0")[0] == 409, day


def test_fifty_forms_at_once_get_what_there_is_and_not_one_server_more(town: Cloud) -> None:
    start = Barrier(50)

    def ask(number: int) -> int:
        start.wait(60)
        return reserve(town, nodes="1", storage="0", purpose=f"検査{number}")[0]

    with ThreadPoolExecutor(50) as several:
        answers = Counter(several.map(ask, range(50)))
    assert answers == {303: 8, 409: 42}
    with town.database.reading() as session:
        assert sum(row.nodes for row in capacity_db.of_tenant(session, OOKI)) == 8


def test_the_manifest_is_what_kubernetes_takes(town: Cloud) -> None:
    reserve(town)
    text = town.get(f"/operator/capacity/{only(town).id}/manifest.json", OPERATOR).text
    items = json.loads(text)["items"]
    assert [item["kind"] for item in items] == ["Namespace", "ResourceQuota", "LimitRange"]
    for item in items:
        validate(item, "1.30", strict=True)


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"nodes": "9"}, 409, "サーバー8台、保存領域1000GBまで空いています"),
        ({"storage": "1001"}, 409, "保存領域1000GBまで空いています"),
        ({"first": "2026-11-19"}, 422, "始まる日は、今日か"),
        ({"last": "2026-11-21"}, 422, "終わる日は"),
        ({"purpose": " "}, 422, "何に使うか"),
        ({"purpose": "長" * 201}, 422, "200文字まで"),
        ({"nodes": "たくさん"}, 422, "数字だけで"),
        ({"first": "あした"}, 422, "日付として読めません"),
        ({"first": "0001-01-01"}, 422, "日付として読めません"),
        ({"first": "9999-12-31", "last": "9999-12-31"}, 422, "日付として読めません"),
    ],
)
def test_what_cannot_be_reserved_comes_back_with_the_form(
    town: Cloud, changes: dict[str, str], status: int, told: str
) -> None:
    got, page = reserve(town, **changes)
    assert got == status and told in page
    assert f'value="{(NIGHT | changes)["nodes"]}"' in page, "what was typed is still there"


def test_a_pool_nobody_can_have_is_refused_and_breaks_no_page(town: Cloud) -> None:
    refused = town.post("/operator/capacity/pool", OPERATOR, POOL | {"storage": "9,999,999,999,999"})
    assert refused.status_code == 422 and "0から10億まで" in refused.text


def test_only_while_taking_part(cloud: Cloud) -> None:
    assert "まだ登録されていません" in cloud.get(f"/portal/{OOKI}/capacity/", ADMIN).text
    cloud.post("/operator/capacity/pool", OPERATOR, POOL)
    got, page = reserve(cloud)
    assert got == 403 and "参加している期間だけ" in page


def test_days_that_passed_while_it_waited_are_not_billed_and_what_is_over_is_not_approved(town: Cloud) -> None:
    reserve(town, first="2026-11-20", last="2026-11-22", storage="0")
    town.clock.advance(days=2)
    assert town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR).status_code == 303
    town.clock.advance(days=1)
    town.post("/operator/capacity/bill", OPERATOR, {"due_on": "2026-12-31"})
    with town.database.reading() as session:
        [invoice] = invoices_db.invoices(session, tenant=OOKI)
        assert invoice.amount == 4000, "one day was left"
        assert capacity.node_days(session, 2026) == {OOKI: 4}
    reserve(town, first="2026-11-24", last="2026-11-24")
    with town.database.reading() as session:
        [late] = capacity_db.in_state(session, "requested")
    town.clock.advance(days=3)
    refused = town.post(f"/operator/capacity/{late.id}/approve", OPERATOR)
    assert refused.status_code == 422 and "承認を待つ間に終わりました" in refused.text


def test_a_reservation_costs_what_the_town_read_when_it_asked(town: Cloud) -> None:
    reserve(town)
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    assert town.post("/operator/capacity/pool", OPERATOR, POOL | {"node_day": "9000"}).status_code == 303
    assert "費用 12,149円" in town.get(f"/portal/{OOKI}/capacity/", ADMIN).text
    town.clock.advance(days=5)
    town.post("/operator/capacity/bill", OPERATOR, {"due_on": "2026-12-31"})
    with town.database.reading() as session:
        assert [row.amount for row in invoices_db.invoices(session, tenant=OOKI)] == [12_149]


def test_whoever_leaves_the_cloud_gives_back_what_it_reserved_for_later(town: Cloud, tmp_path: Path) -> None:
    reserve(town, first="2026-11-20", last="2026-11-30")
    reserve(town, first="2026-12-20", last="2026-12-21")
    with town.database.reading() as session:
        for row in capacity_db.in_state(session, "requested"):
            town.post(f"/operator/capacity/{row.id}/approve", OPERATOR)
    town.clock.advance(days=2)
    fake_kubectl(town, tmp_path)
    cluster.keep_up(town.service)
    assert town.post(f"/portal/{OOKI}/services/cloud/leave", ADMIN, {"when": "now"}).status_code == 303
    with town.database.reading() as session:
        later, begun = capacity_db.of_tenant(session, OOKI)
    assert (later.state, begun.state, begun.until) == ("cancelled", "approved", date(2026, 11, 22))
    assert cluster.keep_up(town.service) == 1, "its namespace goes at once"
    assert "利用が終わるため" in town.get(f"/portal/{OOKI}/capacity/", ADMIN).text
    with town.database.reading() as session:
        assert capacity.node_days(session, 2026) == {OOKI: 8}


def test_nothing_is_reserved_for_days_after_the_agreed_end(town: Cloud) -> None:
    town.post(f"/portal/{OOKI}/services/cloud/leave", ADMIN, {"when": "day", "day": "2026-11-23"})
    got, page = reserve(town)
    assert got == 403 and "参加している期間だけ" in page
    assert reserve(town, last="2026-11-23")[0] == 303


def test_a_town_that_ends_by_a_merger_stops_nobody_elses_servers(town: Cloud, tmp_path: Path) -> None:
    """The cluster is kept up for all in one look: one reservation without a town held up everybody's."""
    reserve(town, first="2026-12-20", last="2026-12-21")
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    with town.database.transaction(tenant=OOKI) as session:
        registry.end(session, OPERATOR, OOKI, date(2026, 12, 1), NOW, successor=KURUME)
    assert only(town).state == "cancelled"
    town.clock.advance(days=31)
    fake_kubectl(town, tmp_path)
    assert cluster.keep_up(town.service) == 0


def test_what_was_reserved_for_after_a_merger_is_the_new_municipality_s_and_comes_back_with_a_correction(
    town: Cloud,
) -> None:
    """Each day holds as many servers as before, whatever is recorded."""
    reserve(town, first="2026-11-30", last="2026-12-02")
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    merger = merging.Merger(
        [OOKI, "405035"], "405248", "大木大刀洗町", "おおきたちあらいまち", "筑後", date(2026, 12, 1)
    )

    def days(tenant: str) -> list[tuple[str, date, date, int | None]]:
        with town.database.reading() as session:
            return [(r.state, r.first, r.until, r.node_day) for r in capacity_db.of_tenant(session, tenant)]

    with town.database.transaction(tenant=PREFECTURE) as session:
        merging.merge(session, OPERATOR, merger, "告示", NOW + timedelta(hours=1))
    assert days(OOKI) == [("approved", date(2026, 11, 30), date(2026, 12, 1), 1000)]
    assert days("405248") == [("approved", date(2026, 12, 1), date(2026, 12, 3), 1000)]
    with town.database.transaction(tenant=PREFECTURE) as session:
        merging.correct(session, OPERATOR, "405248", date(2026, 12, 2), "告示の誤り", NOW + timedelta(hours=2))
    assert days(OOKI) == [("approved", date(2026, 11, 30), date(2026, 12, 2), 1000)]
    assert sorted(days("405248"))[0] == ("approved", date(2026, 12, 2), date(2026, 12, 3), 1000)
    with town.database.transaction(tenant=PREFECTURE) as session:
        merging.correct(session, OPERATOR, "405248", None, "合併なし", NOW + timedelta(hours=3))
    assert days(OOKI) == [("approved", date(2026, 11, 30), date(2026, 12, 3), 1000)]
    assert {state for state, *_ in days("405248")} == {"cancelled"}


def test_what_is_cancelled_or_refused_is_free_again(town: Cloud) -> None:
    reserve(town, nodes="8")
    assert reserve(town, nodes="1")[0] == 409
    refused = town.post(f"/operator/capacity/{only(town).id}/refuse", OPERATOR, {"reason": ""})
    assert refused.status_code == 422 and "見送る理由" in refused.text
    town.post(f"/operator/capacity/{only(town).id}/refuse", OPERATOR, {"reason": "点検の日です"})
    assert "点検の日です" in town.get(f"/portal/{OOKI}/capacity/", ADMIN).text
    assert reserve(town, nodes="8")[0] == 303
    with town.database.reading() as session:
        last = capacity_db.in_state(session, "requested")[0].id
    assert town.post(f"/portal/{OOKI}/capacity/{last}/cancel", ADMIN).status_code == 303
    assert reserve(town, nodes="8")[0] == 303


def test_the_pool_is_never_made_smaller_than_what_is_reserved(town: Cloud) -> None:
    reserve(town)
    answer = town.post("/operator/capacity/pool", OPERATOR, POOL | {"nodes": "3"})
    assert answer.status_code == 409 and "予約されている数より少なくは" in answer.text


def test_many_at_once_never_overbook(database: Database) -> None:
    """Ten ask at the same time for two of five servers: exactly two get them."""
    load_fukuoka(database)
    joins(database)
    with database.transaction(tenant="400009") as session:
        capacity.set_pool(session, OPERATOR, {name: int(value) for name, value in POOL.items()} | {"nodes": 5}, NOW)
    first = NOW.date() + timedelta(days=3)

    def ask(number: int) -> bool:
        try:
            with database.transaction(tenant=OOKI) as session:
                wanted = Held(first, first + timedelta(days=1 + number % 3), 2, 0)
                capacity.reserve(session, ADMIN, OOKI, wanted, f"検査{number}", NOW)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(10) as several:
        assert sum(several.map(ask, range(10))) == 2
    with database.reading() as session:
        pool = capacity_db.pool(session)
        assert pool is not None
        held = [row.held for row in capacity_db.holding(session, first, first + timedelta(days=9))]
        assert min(free.nodes for free in calendar(capacity_db.as_pool(pool), held, first, 9)) == 1


@pytest.fixture
def taking_part(database: Database) -> Database:
    load_fukuoka(database)
    joins(database)
    return database


WISHES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 4), st.integers(1, 4), st.integers(0, 60)), min_size=2, max_size=10
)
"""(days until the first, days, servers, GB) of each request."""


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(WISHES, st.integers(2, 6), st.integers(30, 120))
def test_no_day_has_more_reserved_than_there_is_whatever_is_asked_for_at_once(
    taking_part: Database, wishes: list[tuple[int, int, int, int]], nodes: int, storage: int
) -> None:
    """Every request in a thread of its own, begun together: whoever is refused would really not have fitted any more."""
    database, first = taking_part, NOW.date() + timedelta(days=3)
    with database.transaction(tenant="400009") as session:
        session.execute(delete(capacity_db.ReservationRow))
        numbers = {name: int(value) for name, value in POOL.items()} | {"nodes": nodes, "storage": storage}
        capacity.set_pool(session, OPERATOR, numbers, NOW)
    start = Barrier(len(wishes))

    def ask(wish: tuple[int, int, int, int]) -> Held | None:
        after, days, servers, gigabytes = wish
        wanted = Held(first + timedelta(days=after), first + timedelta(days=after + days), servers, gigabytes)
        start.wait(30)
        try:
            with database.transaction(tenant=OOKI) as session:
                capacity.reserve(session, ADMIN, OOKI, wanted, "検査", NOW)
        except Conflict:
            return wanted
        return None

    with ThreadPoolExecutor(len(wishes)) as several:
        refused = [wanted for wanted in several.map(ask, wishes) if wanted is not None]
    with database.reading() as session:
        pool = capacity_db.pool(session)
        held = [row.held for row in capacity_db.holding(session, first, first + timedelta(days=20))]
    assert pool is not None and len(held) + len(refused) == len(wishes)
    for day in (first + timedelta(days=n) for n in range(12)):
        on_day = [one for one in held if one.first <= day < one.until]
        assert sum(one.nodes for one in on_day) <= nodes and sum(one.storage for one in on_day) <= storage
    for wanted in refused:
        days = [
            first + timedelta(days=n) for n in range(12) if wanted.first <= first + timedelta(days=n) < wanted.until
        ]
        taken = [[one for one in held if one.first <= day < one.until] for day in days]
        assert any(
            sum(one.nodes for one in each) + wanted.nodes > nodes
            or sum(one.storage for one in each) + wanted.storage > storage
            for each in taken
        )


def test_the_look_at_a_merger_shows_what_becomes_of_the_servers(town: Cloud) -> None:
    reserve(town, first="2026-11-30", last="2026-12-02")
    form = {
        "parts": ["405035"], "new_code": "405248", "name": "大木大刀洗町", "kana": "おおきたちあらいまち",
        "on": "2026-12-01", "reason": "告示", "step": "look",
    }  # fmt: skip
    page = town.post(f"/operator/registry/{OOKI}/merge", OPERATOR, form).text
    told = page.split('id="servers"')[1].split("</section>")[0]
    assert re.findall(r'<th scope="row">(.*?)</th>', told) == ["大木町", "大木大刀洗町"]
    assert "11月30日（月）から令和8年12月2日（水）まで、4台</del>" in told
    assert "11月30日（月）から令和8年11月30日（月）まで、4台</ins>" in told
    assert "12月1日（火）から令和8年12月2日（水）まで、4台</ins>" in told
    assert only(town).until == date(2026, 12, 3), "nothing is kept"


def test_the_days_before_a_merger_are_billed_to_whom_it_made(town: Cloud) -> None:
    """Nobody can sign in for the town that ended: a bill to it is read and paid by nobody."""
    reserve(town, first="2026-11-30", last="2026-12-02")
    town.post(f"/operator/capacity/{only(town).id}/approve", OPERATOR)
    merger = merging.Merger(
        [OOKI, "405035"], "405248", "大木大刀洗町", "おおきたちあらいまち", "筑後", date(2026, 12, 1)
    )
    with town.database.transaction(tenant=PREFECTURE) as session:
        merging.merge(session, OPERATOR, merger, "告示", NOW + timedelta(hours=1))
    with town.database.transaction(tenant=PREFECTURE) as session:
        rows = capacity.bill(session, OPERATOR, date(2027, 1, 31), NOW + timedelta(days=30))
        assert [(row.tenant, row.amount) for row in rows] == [("405248", 4_050), ("405248", 8_099)]
