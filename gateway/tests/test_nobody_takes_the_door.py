"""Rates, quotas, shares, breaker, waiting room, maintenance: one tenant's storm or one sick service does not reach the others."""

import asyncio
import json
import re
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from gateway import db
from gateway.fairness.breaker import FIRST_REST, LEAST, Breaker
from gateway.fairness.closures import Closures
from gateway.fairness.quotas import Quotas
from gateway.fairness.rates import Buckets, Limits, Rate
from gateway.fairness.refusals import APART, LONGEST, Paced
from gateway.fairness.waiting_room import WaitingRoom
from gateway.pages.app import create_own_app
from gateway.tests.conftest import CODE, OTHER, PREFECTURE
from gateway.tests.inside import Given, echo, inside
from gateway.upstream import UpstreamBusy, UpstreamRefused
from gateway.use_cases import accounts, machine_tokens
from libs.common import keys
from libs.common.db import Database
from libs.common.inner_token import TokenSigner
from libs.common.testing.service import NOW

HTML = {"accept": "text/html"}
HERE, THERE = f"/t/{CODE}/eapply/", f"/t/{OTHER}/eapply/"


# ---- the rules themselves --------------------------------------------------------------------------------------------


def test_a_rate_lets_a_window_through_at_once_and_then_one_at_a_time() -> None:
    buckets, rate = Buckets(), Rate.of("60/minute")
    assert [buckets.take("a", rate, 100.0) for _ in range(60)] == [0.0] * 60
    assert buckets.take("a", rate, 100.0) == pytest.approx(1.0), "it says when to come back"
    assert buckets.take("b", rate, 100.0) == 0.0, "everybody has their own"
    assert buckets.take("a", rate, 101.0) == 0.0
    assert buckets.take("a", rate, 101.0) > 0.0
    refused = [buckets.take("a", rate, 101.0) for _ in range(1000)]
    assert refused[0] == refused[-1], "who is refused does not have to wait longer for having asked"


def test_what_one_is_refused_uses_up_nothing_of_what_all_may() -> None:
    buckets, own, of_all = Buckets(), Rate.of("2/minute"), Rate.of("5/minute")
    asked = [buckets.take_all([("all", of_all), ("noisy", own)], 100.0) for _ in range(50)]
    assert [wait == 0.0 for wait in asked] == [True] * 2 + [False] * 48
    assert [buckets.take_all([("all", of_all), (n, own)], 100.0) == 0.0 for n in range(4)] == [True] * 3 + [False]


def test_a_crowd_of_newcomers_does_not_wipe_out_what_a_storm_has_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.fairness.rates._MANY", 100)
    buckets, rate = Buckets(), Rate.of("10/minute")
    for _ in range(10):
        assert buckets.take("storm", rate, 100.0) == 0.0
    for n in range(1000):
        assert buckets.take(n, rate, 100.0) == 0.0
    assert buckets.take("storm", rate, 100.0) > 0.0
    assert len(buckets._next) <= 100, "and memory stays bounded"


def test_several_gateways_share_a_rate() -> None:
    rate = Rate.of("100/second", replicas=4)
    buckets = Buckets()
    assert sum(buckets.take("a", rate, 5.0) == 0.0 for _ in range(200)) == 25


def test_one_refusal_leaves_at_once_and_a_storm_of_them_one_after_another() -> None:
    paced = Paced()
    assert paced.wait(100.0) == 0.0
    assert [paced.wait(100.0) for _ in range(3)] == pytest.approx([APART, 2 * APART, 3 * APART])
    assert paced.wait(200.0) == 0.0, "when the storm is over, so is its line"
    assert max(paced.wait(200.0) for _ in range(5000)) == LONGEST, "nobody is held for long"


def test_a_rate_that_cannot_be_read_stops_the_start() -> None:
    with pytest.raises(ValueError):
        Limits({"tenant": "many"}, {})


def test_a_breaker_opens_tries_once_and_closes() -> None:
    breaker = Breaker()
    for _ in range(LEAST - 1):
        breaker.note(0.0, failed=True)
    assert breaker.wait(0.0) == 0.0
    breaker.note(0.0, failed=True)
    assert breaker.wait(0.5) == pytest.approx(FIRST_REST - 0.5)
    assert breaker.wait(FIRST_REST) == 0.0, "one trial"
    assert breaker.wait(FIRST_REST) > 0.0, "and one only"
    breaker.note(FIRST_REST, failed=True)
    assert breaker.wait(FIRST_REST + 1) > 0.0
    later = FIRST_REST * 3 + 1
    assert breaker.wait(later) == 0.0
    breaker.let_go()  # its client has left
    assert breaker.wait(later) == 0.0, "the next one is the trial"
    breaker.note(later, failed=False)
    assert [breaker.wait(later) for _ in range(3)] == [0.0] * 3


def test_a_breaker_ignores_a_few_failures_among_many_answers() -> None:
    breaker = Breaker()
    for n in range(400):
        breaker.note(0.01 * n, failed=n % 4 == 3)
    assert breaker.opened == 0 and breaker.wait(4.0) == 0.0


def test_who_came_first_goes_in_first_and_no_faster_than_the_rate() -> None:
    room = WaitingRoom(10.0)
    arrivals = [1000.0 + n / 500 for n in range(1000)]  # two seconds of 500 a second
    inside_at_once = [at for at in arrivals if room.arrive(at)]
    waiting = [at for at in arrivals if at not in inside_at_once]
    assert len(inside_at_once) <= 30
    entered: list[tuple[float, float]] = []
    now = 1002.0
    while waiting and now < 1300.0:
        now += 1.0
        going = [at for at in waiting if room.serves(at, now)]
        entered += [(at, now) for at in going]
        waiting = [at for at in waiting if at not in going]
        assert len(going) <= 35, "about ten a second (and what became due while the line was still filling)"
    assert not waiting and [at for at, _ in entered] == sorted(at for at, _ in entered)
    assert 90 <= now - 1002.0 <= 110
    assert room.arrive(now + 5), "afterwards nobody waits"


def test_quotas_are_those_of_all_gateways_together(database: Database) -> None:
    clock = type("Clock", (), {"now": staticmethod(lambda: moment[0])})
    moment = [NOW]
    one, two = Quotas({"machine": 10}, clock), Quotas({"machine": 10}, clock)  # type: ignore[arg-type]
    assert [one.take(machine="a") for _ in range(6)] == [True] * 6
    assert two.take(machine="a")
    one.settle(database)
    two.settle(database)
    assert [two.take(machine="a") for _ in range(6)] == [True] * 3 + [False] * 3
    assert two.take(machine="b"), "another's is untouched"
    assert 0 < two.seconds_left() <= 86_400
    moment[0] += timedelta(days=1)
    two.settle(database)
    assert two.take(machine="a"), "the next day"
    with database.reading() as session:
        assert db.counts_of(session, NOW.date())["machine:a"] == 10


def test_closures_are_read_from_the_store(database: Database) -> None:
    with database.transaction() as session:
        session.add(
            db.ClosureRow(
                id="1", for_tenant=CODE, service="eapply", mode="read-only", sentence="", begins_at=NOW, made_by="o"
            )
        )
        ended = {"ends_at": NOW - timedelta(hours=1), "begins_at": NOW - timedelta(hours=2)}
        session.add(db.ClosureRow(id="2", mode="maintenance", sentence="", made_by="o", **ended))
    known = Closures()
    known.read(database, NOW)
    assert [(one.tenant, one.mode) for one in known.known] == [(CODE, "read-only")]


def test_the_registry_hears_what_is_closed_to_everybody_now(tmp_path: Path) -> None:
    """For the public status page; what one municipality has closed is said on its own pages."""
    hour = timedelta(hours=1)
    rows = [
        (None, "ebid", "maintenance", NOW),
        (CODE, "eapply", "maintenance", NOW),
        (None, "backup", "maintenance", NOW + hour),
        (None, None, "read-only", NOW - hour),
    ]

    async def asked() -> dict[str, httpx.Response]:
        transport = httpx.ASGITransport(create_own_app(made.parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
            found = {}
            for name in ("tenants", "eapply"):
                signer = TokenSigner(name, keys.private_key(tmp_path / "keys", name))
                said = {"authorization": f"Bearer {signer.sign_as_service('gateway')}"}
                found[name] = await client.get("/internal/gateway/closures", headers=said)
            return found

    with inside(tmp_path) as made:
        with made.parts.service.database.transaction(PREFECTURE) as session:
            for number, (tenant, service, mode, begins) in enumerate(rows):
                closed = db.ClosureRow(id=str(number), for_tenant=tenant, service=service, mode=mode, begins_at=begins)
                closed.sentence, closed.made_by = "", "o"
                session.add(closed)
        answers = asyncio.run(asked())
    assert answers["tenants"].json() == [
        {"service": None, "mode": "read-only"},
        {"service": "ebid", "mode": "maintenance"},
    ]
    assert answers["eapply"].status_code == 403


# ---- at the door -----------------------------------------------------------------------------------------------------


def test_a_storm_of_one_tenant_is_refused_and_the_other_tenant_notices_nothing(tmp_path: Path) -> None:
    async def storm() -> tuple[list, list]:
        async with made.client("10.0.0.1") as noisy, made.client("10.0.0.2") as quiet:
            await noisy.get(HERE)  # both are known guests from now on
            await quiet.get(THERE)
            ours: list = []
            for n in range(100):
                if n % 10 == 0:
                    ours.append(await quiet.get(THERE))
                theirs.append(await noisy.get(HERE))
            return ours, theirs

    theirs: list = []
    with inside(tmp_path, limits={"tenant": "20/minute", "subject": "1000/minute"}) as made:
        ours, theirs = asyncio.run(storm())
    assert {answer.status_code for answer in ours} == {200}
    refused = [answer for answer in theirs if answer.status_code == 429]
    assert len(refused) >= 80
    assert refused[0].json()["code"] == "rate-limited" and int(refused[0].headers["retry-after"]) >= 1
    assert len(made.upstreams.seen) < 40, "what was refused did not reach the service"


def test_while_a_storm_waits_for_its_refusals_the_others_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.fairness.refusals.APART", 0.05)

    async def go() -> tuple[set[int], int]:
        async with made.client("10.0.0.1") as noisy, made.client("10.0.0.2") as quiet:
            while (await noisy.get(HERE)).status_code == 200:
                pass  # until the tenant's hour is used up
            storm = [asyncio.create_task(noisy.get(HERE)) for _ in range(20)]
            answers = [await quiet.get(THERE) for _ in range(10)]
            heard = sum(one.done() for one in storm)
            assert {one.status_code for one in await asyncio.gather(*storm)} == {429}
            return {answer.status_code for answer in answers}, heard

    with inside(tmp_path, limits={"tenant": "10/hour"}) as made:
        statuses, heard = asyncio.run(go())
    assert statuses == {200} and heard < 20, f"all {heard} refusals left before the others' answers"


def test_one_person_who_asks_too_often_leaves_the_municipality_s_limit_to_the_others(tmp_path: Path) -> None:
    """From many addresses at once, so that no network's limit stops them before."""

    async def go() -> tuple[list[int], list[int]]:
        refused = []
        for n in range(40):
            async with made.client(f"10.1.{n}.1") as client:
                client.cookies.update(cookies["noisy"])
                refused.append((await client.get(HERE)).status_code)
        async with made.client("10.2.0.1") as client:
            client.cookies.update(cookies["fair"])
            return refused, [(await client.get(HERE)).status_code for _ in range(5)]

    with inside(tmp_path, limits={"tenant": "20/hour", "subject": "5/hour"}) as made:
        with made.parts.service.database.transaction(PREFECTURE) as session:
            ids = {n: accounts.add_person(session, f"{n}@example.jp", n, NOW).id for n in ("noisy", "fair")}
        cookies = {name: made.session(ident) for name, ident in ids.items()}
        refused, fair = asyncio.run(go())
    assert refused.count(429) == 35
    assert fair == [200] * 5


def test_a_key_that_has_used_up_its_day_does_not_use_up_the_municipality_s(tmp_path: Path) -> None:
    with inside(tmp_path, daily_quotas={"tenant": 10, "machine": 3}) as made:
        quotas = made.parts.fairness.quotas
        assert [quotas.take(tenant=CODE, machine="a") for _ in range(50)].count(True) == 3
        assert [quotas.take(tenant=CODE) for _ in range(10)].count(True) == 7


def test_a_key_of_one_municipality_uses_up_nothing_of_another(tmp_path: Path) -> None:
    async def go() -> tuple[set[int], list[int]]:
        async with made.client(authorization=f"Bearer {token}") as program, made.client() as guest:
            refused = {(await program.get(THERE)).status_code for _ in range(20)}
            return refused, [(await guest.get(THERE)).status_code for _ in range(4)]

    with inside(tmp_path, limits={"tenant": "4/hour"}, daily_quotas={"tenant": 4}) as made:
        with made.parts.service.database.transaction(PREFECTURE) as session:
            maker = accounts.add_person(session, "maker@example.jp", "作る人", NOW).id
        with made.parts.service.database.transaction(CODE) as session:
            wish = machine_tokens.Wish(CODE, "連携", ("eapply.read",), 30)
            token = machine_tokens.make(session, wish, by=maker, tenants={CODE}, now=NOW)
        refused, open_to_others = asyncio.run(go())
    assert (refused, open_to_others) == ({404}, [200] * 4)


def test_each_has_a_limit_of_their_own(tmp_path: Path) -> None:
    async def go() -> list[int]:
        statuses: list[int] = []
        for whose in ("first", "first", "first", "second"):
            async with made.client() as client:
                client.cookies.update(cookies[whose])
                statuses.append((await client.get(HERE)).status_code)
        return statuses

    with inside(tmp_path, limits={"subject": "2/minute"}) as made:
        with made.parts.service.database.transaction(PREFECTURE) as session:
            ids = {n: accounts.add_person(session, f"{n}@example.jp", n, NOW).id for n in ("first", "second")}
        cookies = {name: made.session(ident) for name, ident in ids.items()}
        assert asyncio.run(go()) == [200, 200, 429, 200]


def test_a_class_of_route_has_its_own_limit(tmp_path: Path) -> None:
    async def go() -> list[int]:
        async with made.client() as client:
            await client.get(f"/t/{CODE}/")  # begins nothing at the service
            return [
                (await client.get(path)).status_code for path in (HERE, HERE, HERE, f"/t/{CODE}/backup/", f"/t/{CODE}/")
            ]

    with inside(tmp_path, class_limits={"eapply": {"tenant": "2/minute"}}) as made:
        assert asyncio.run(go()) == [200, 200, 429, 200, 200]


def test_a_browser_gets_a_page_and_a_storm_gets_the_same_page_again(tmp_path: Path) -> None:
    async def go() -> list:
        async with made.client(**HTML) as client:
            return [await client.get(HERE) for _ in range(4)]

    with inside(tmp_path, limits={"tenant": "1/hour"}) as made:
        answers = asyncio.run(go())
    pages = [answer for answer in answers if answer.status_code == 429]
    assert len({answer.content for answer in pages}) == 1 and "少しお待ち" in pages[0].text
    assert int(pages[0].headers["retry-after"]) > 60


def test_one_network_without_cookies_cannot_take_it_all(tmp_path: Path) -> None:
    async def go() -> list[int]:
        statuses = []
        for _ in range(5):
            async with made.client("203.0.113.9") as client:  # always a new guest
                statuses.append((await client.get(HERE)).status_code)
        async with made.client("198.51.100.1") as other:
            return [*statuses, (await other.get(HERE)).status_code]

    with inside(tmp_path, limits={"network": "3/minute"}) as made:
        assert asyncio.run(go()) == [200, 200, 200, 429, 429, 200]


def test_a_tenant_s_slow_requests_leave_places_for_others(tmp_path: Path) -> None:
    async def go() -> tuple[list[int], int]:
        gate = asyncio.Event()
        made.upstreams.play = lambda s, m, target: Given(wait=None if OTHER.encode() in target else gate)
        async with made.client() as client:
            slow = [asyncio.create_task(client.get(HERE)) for _ in range(8)]
            for _ in range(200):
                await asyncio.sleep(0)
            assert len(made.upstreams.seen) == 4, "the fifth place of the share is for those who are inside"
            other = (await client.get(THERE)).status_code
            gate.set()
            return sorted([(await one).status_code for one in slow]), other

    with inside(tmp_path, upstream_pool=10, tenant_share=0.5) as made:
        slow, other = asyncio.run(go())
    assert (slow, other) == ([200] * 4 + [503] * 4, 200)


def test_those_who_are_inside_hold_no_more_than_the_share_either(tmp_path: Path) -> None:
    async def go() -> list[tuple[int, str]]:
        gate = asyncio.Event()
        async with made.client() as client:
            await client.get(HERE)  # from now on this guest is inside
            made.upstreams.seen.clear()
            made.upstreams.play = lambda s, m, target: Given(wait=None if OTHER.encode() in target else gate)
            slow = [asyncio.create_task(client.get(HERE)) for _ in range(8)]
            for _ in range(200):
                await asyncio.sleep(0)
            asked = len(made.upstreams.seen)
            other = (await client.get(THERE)).status_code
            gate.set()
            answers = [await one for one in slow]
            again = (await client.get(HERE)).status_code
        told = [(a.status_code, a.json().get("code", "")) for a in answers if a.status_code != 200]
        assert (asked, other, again) == (5, 200, 200), "the share, the neighbour, and the places are given back"
        return told

    with inside(tmp_path, upstream_pool=10, tenant_share=0.5) as made:
        assert asyncio.run(go()) == [(503, "tenant-busy")] * 3


def test_a_service_that_is_away_is_left_alone_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("gateway.fairness.door.time.monotonic", lambda: now[0])

    async def go() -> None:
        async with made.client() as client:
            made.upstreams.play = lambda s, *_: UpstreamRefused() if s == "eapply" else echo(s, *_)
            assert {(await client.get(HERE)).status_code for _ in range(LEAST)} == {502}
            asked = len(made.upstreams.seen)
            resting = await client.get(HERE)
            assert (resting.status_code, resting.json()["code"]) == (503, "service-resting")
            assert resting.headers["retry-after"] == str(int(FIRST_REST) + 1)
            assert len(made.upstreams.seen) == asked, "it is not asked"
            assert (await client.get(f"/t/{CODE}/backup/")).status_code == 200, "the others work"
            made.upstreams.play = echo
            now[0] += FIRST_REST + 0.1
            assert [(await client.get(HERE)).status_code for _ in range(3)] == [200] * 3

    with inside(tmp_path) as made:
        asyncio.run(go())


def test_a_trial_of_which_nothing_is_learnt_does_not_shut_the_service_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one request that tries whether the service is back finds no free connection, or its client leaves: the next one tries."""
    now = [1000.0]
    monkeypatch.setattr("gateway.fairness.door.time.monotonic", lambda: now[0])

    async def go() -> None:
        async with made.client() as client:
            made.upstreams.play = lambda *_: UpstreamRefused()
            for _ in range(LEAST):
                await client.get(HERE)
            now[0] += FIRST_REST + 0.1
            made.upstreams.play = lambda *_: UpstreamBusy()
            assert (await client.get(HERE)).json()["code"] == "service-busy"
            never = asyncio.Event()
            made.upstreams.play = lambda *_: Given(wait=never)
            left = asyncio.create_task(client.get(HERE))
            for _ in range(200):
                await asyncio.sleep(0)
            assert len(made.upstreams.seen) == LEAST + 2, "it is the next trial"
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)
            made.upstreams.play = echo
            assert (await client.get(HERE)).status_code == 200

    with inside(tmp_path) as made:
        asyncio.run(go())


def test_a_storm_of_503_opens_the_breaker_and_faults_of_one_page_do_not(tmp_path: Path) -> None:
    async def go(status: int) -> int:
        made.upstreams.play = lambda *_: Given(status=status)
        async with made.client() as client:
            for _ in range(LEAST * 2):
                await client.get(HERE)
        return len(made.upstreams.seen)

    with inside(tmp_path / "a") as made:
        assert asyncio.run(go(500)) == LEAST * 2
    with inside(tmp_path / "b") as made:
        assert asyncio.run(go(503)) == LEAST


def test_newcomers_wait_in_their_order_and_those_inside_go_on(tmp_path: Path) -> None:
    async def go() -> None:
        early, late, inside_already = made.client(**HTML), made.client(**HTML), made.client(**HTML)
        assert (await inside_already.get(HERE)).status_code == 200
        first = await early.get(HERE)
        assert first.status_code == 503 and "順番" in first.text
        assert first.headers["refresh"] == first.headers["retry-after"]
        made.clock.advance(seconds=1.1)
        assert (await late.get(HERE)).status_code == 503
        assert (await inside_already.get(HERE)).status_code == 200, "who is inside comes and goes"
        assert (await late.post(HERE, content=b"x")).status_code == 200, "a form is not kept waiting"
        assert (await made.client().get(HERE)).status_code == 200, "nor is a program"
        assert (await late.get(f"/t/{CODE}/backup/")).status_code == 200, "nor another service"
        made.clock.advance(seconds=1.0)
        assert (await early.get(HERE)).status_code == 200
        assert (await late.get(HERE)).status_code == 503
        made.clock.advance(seconds=2.5)
        assert (await late.get(HERE)).status_code == 200
        for client in (early, late, inside_already):
            await client.aclose()

    with inside(tmp_path, waiting_rooms={"eapply": 0.5}) as made:
        asyncio.run(go())


def test_an_operator_closes_a_service_for_a_while(tmp_path: Path) -> None:
    async def go() -> None:
        async with made.client(**HTML) as client:
            client.cookies.update(cookie)
            form = {
                "tenant": CODE,
                "service": "eapply",
                "mode": "read-only",
                "sentence": "年次の切り替え中です。",
                "hours": "2",
            }
            assert (await client.post("/door/closures/", data=form)).status_code == 303
            made.parts.fairness.settle(made.parts.service.database)
            assert (await client.get(HERE)).status_code == 200, "reading is open"
            closed = await client.post(HERE, content=b"x")
            assert closed.status_code == 503 and "年次の切り替え中です。" in closed.text
            assert closed.headers["retry-after"] == "7200"
            assert (await client.post(THERE, content=b"x")).status_code == 200, "only this municipality"
            assert (await client.post(f"/t/{CODE}/backup/", content=b"x")).status_code == 200, "only this service"
            page = (await client.get("/door/closures/")).text
            assert "年次の切り替え中です。" in page
            ident = re.findall(r"/door/closures/([0-9a-f-]+)/end", page)[0]
            assert (await client.post(f"/door/closures/{ident}/end")).status_code == 303
            made.parts.fairness.settle(made.parts.service.database)
            assert (await client.post(HERE, content=b"x")).status_code == 200
            everything = {"mode": "maintenance", "sentence": "", "hours": ""}
            await client.post("/door/closures/", data=everything)
            made.parts.fairness.settle(made.parts.service.database)
            assert (await client.get(HERE)).status_code == 503
            assert (await client.get("/operator/")).status_code == 200, "whoever closed it can open it again"
        async with made.client() as guest:
            assert (await guest.get("/door/closures/")).status_code == 401
            assert (await guest.get(HERE)).json()["code"] == "maintenance"

    with inside(tmp_path) as made:
        with made.parts.service.database.transaction(PREFECTURE) as session:
            person = accounts.add_person(session, "o@example.jp", "運用", NOW).id
        made.publish(**{person: {PREFECTURE: ["operator"]}})
        cookie = made.session(person)
        asyncio.run(go())


def test_what_is_used_up_today_is_there_again_tomorrow(tmp_path: Path) -> None:
    async def go() -> list:
        async with made.client() as client:
            return [await client.get(HERE) for _ in range(4)]

    with inside(tmp_path, daily_quotas={"tenant": 3}) as made:
        answers = asyncio.run(go())
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert json.loads(answers[-1].content)["code"] == "quota-used-up"
        made.clock.advance(seconds=86_400)
        made.parts.fairness.settle(made.parts.service.database)
        assert asyncio.run(go())[0].status_code == 200
