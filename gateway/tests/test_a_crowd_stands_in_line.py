"""More people come than a service can bear: newcomers get a place in line by itself, those inside go on, programs come again later."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from gateway.fairness.crowds import CALM, Crowds, Visitors
from gateway.fairness.shares import Shares
from gateway.tests.conftest import CODE, OTHER, Running, running, until
from gateway.tests.inside import Given, echo, inside
from gateway.upstream.places import Places
from gateway.upstream.words import UpstreamBusy

HTML = {"accept": "text/html"}
HERE, THERE = f"/t/{CODE}/eapply/", f"/t/{OTHER}/eapply/"
POOL = 4


# ---- the rules themselves --------------------------------------------------------------------------------------------


def test_those_inside_get_the_next_place_and_the_others_in_their_order() -> None:
    async def go() -> list[str]:
        places, got = Places(1), []

        async def ask(name: str, *, first: bool) -> None:
            await places.take(30, first=first)
            got.append(name)
            places.give()

        await places.take(1, first=False)
        asking = [
            asyncio.create_task(ask(n, first=f)) for n, f in (("new 1", False), ("new 2", False), ("inside", True))
        ]
        await asyncio.sleep(0)
        assert places.waited(asyncio.get_running_loop().time() + 5) >= 5
        places.give()
        await asyncio.gather(*asking)
        assert places.free == 1
        return got

    assert asyncio.run(go()) == ["inside", "new 1", "new 2"]


def test_whoever_leaves_the_line_or_waits_too_long_takes_no_place_along() -> None:
    async def go() -> None:
        places = Places(1)
        await places.take(1, first=False)
        leaving = asyncio.create_task(places.take(30, first=False))
        late = asyncio.create_task(places.take(0.01, first=True))
        with pytest.raises(UpstreamBusy):
            await late
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        given = asyncio.create_task(places.take(30, first=False))
        await asyncio.sleep(0)
        places.give()
        given.cancel()  # its turn and its leaving come in the same moment
        await asyncio.gather(given, return_exceptions=True)
        assert places.free == 1 and places.waited(1e9) == 0.0

    asyncio.run(go())


def test_the_pace_falls_while_it_is_full_rises_while_it_is_not_and_the_line_ends_when_it_is_calm() -> None:
    waited, now = [2.0], [1000.0]
    crowds = Crowds(Shares(10), 1.0, 500, lambda _: waited[0])
    look = lambda: crowds.line("eapply", CODE, lambda: now[0])  # noqa: E731
    room = look()
    assert room is not None and not room.arrive(now[0]), "full: nobody new goes in"
    begun = room.rate
    for _ in range(5):
        now[0] += 1
        look()
        assert not room.serves(1000.0, now[0])
    slowest = room.rate
    assert slowest < begun
    waited[0] = 0.0
    for _ in range(10):
        now[0] += 1
        look()
    assert room.rate > slowest and room.serves(1000.0, now[0])
    now[0] += CALM
    assert look() is None, "nobody stands in line, and it has not been full for a while"


def test_two_municipalities_have_two_lines() -> None:
    shares = Shares(5)
    crowds = Crowds(shares, 1.0, 500)
    for _ in range(4):
        shares.take("eapply", CODE)
    assert crowds.line("eapply", CODE, lambda: 1.0) is not None
    assert crowds.line("eapply", OTHER, lambda: 1.0) is None


def test_the_door_as_a_whole_has_a_limit_and_lines_can_be_switched_off() -> None:
    shares = Shares(100)
    for n in range(9):
        shares.take(f"service {n}", "")
    assert Crowds(shares, 1.0, 9).full("eapply", CODE)
    assert not Crowds(shares, 1.0, 10).full("eapply", CODE)
    assert not Crowds(shares, 0.0, 9).full("eapply", CODE)


def test_visitors_are_known_for_a_quarter_of_an_hour_at_least_and_not_for_ever() -> None:
    visitors = Visitors()
    visitors.keep(1000.0)
    visitors.note("eapply", "a")
    visitors.keep(1899.0)
    assert visitors.known("eapply", "a") and not visitors.known("ebid", "a")
    visitors.keep(1900.0)
    assert visitors.known("eapply", "a")
    visitors.keep(2801.0)
    assert not visitors.known("eapply", "a")
    for n in range(100_000):
        visitors.note("eapply", str(n))
    assert len(visitors._now) + len(visitors._before) <= 40_000  # pyright: ignore[reportPrivateUsage]


# ---- at the door -----------------------------------------------------------------------------------------------------


def test_newcomers_wait_programs_come_again_and_whoever_is_inside_goes_on(tmp_path: Path) -> None:
    async def go() -> None:
        inside_already, early, late = (made.client(**HTML) for _ in range(3))
        program = made.client()
        assert (await inside_already.get(HERE)).status_code == 200
        made.upstreams.waiting_for = 1.5
        first = await early.get(HERE)
        assert first.status_code == 503 and "順番" in first.text
        assert first.headers["refresh"] == first.headers["retry-after"]
        refused = await program.get(HERE)
        assert (refused.status_code, refused.json()["code"]) == (503, "service-busy")
        assert refused.headers["content-type"] == "application/problem+json" and refused.headers["retry-after"] == "5"
        assert (await inside_already.get(HERE)).status_code == 200, "who was here before comes and goes"
        assert (await inside_already.post(HERE, content=b"x")).status_code == 200
        assert (await made.client(**HTML).post(HERE, content=b"x")).status_code == 200, "no form is kept waiting"
        assert (await early.get(f"/t/{CODE}/backup/")).status_code == 503, "that one is full, too"
        for _ in range(3):
            made.clock.advance(seconds=1.1)
            assert (await late.get(HERE)).status_code == 503
            assert (await early.get(HERE)).status_code == 503, "as long as it is full"
        made.upstreams.waiting_for = 0.0
        made.clock.advance(seconds=1.1)
        assert (await early.get(HERE)).status_code == 200, "who came first goes in first"
        assert (await program.get(HERE)).status_code == 200
        made.clock.advance(seconds=30)
        assert (await late.get(HERE)).status_code == 200
        made.clock.advance(seconds=30)
        assert (await made.client(**HTML).get(HERE)).status_code == 200, "the line is no more"

    with inside(tmp_path) as made:
        asyncio.run(go())


def test_the_one_who_came_first_goes_in_first_however_often_others_ask(tmp_path: Path) -> None:
    """Sixty come within ten seconds and are let in by time of coming, some asking every second, some every five."""

    async def go() -> list[int]:
        people = [(made.client(**HTML), 1 + n % 5) for n in range(60)]
        went_in: dict[int, float] = {}
        for second in range(200):
            made.upstreams.waiting_for = 2.0 if second < 12 else 0.0
            here = [n for n in range(min(60, (second + 1) * 6)) if n not in went_in]
            for n in here:
                if (second - n // 6) % people[n][1] == 0 and (await people[n][0].get(HERE)).status_code == 200:
                    went_in[n] = second
            made.clock.advance(seconds=1)
            if len(went_in) == 60:
                break
        return [int(went_in[n]) for n in range(60)]

    with inside(tmp_path, limits={}) as made:
        turns = asyncio.run(go())
    assert min(turns) >= 12
    steps = [turns[n : n + 6] for n in range(0, 60, 6)]
    for earlier, later in itertools.pairwise(steps):
        assert min(later) >= min(earlier) and max(later) >= max(earlier) - 5, "but for the pause between two looks"
    assert max(turns[:6]) < max(turns[-6:])


@pytest.mark.parametrize(
    ("language", "words"),
    [("ja", "順番にご案内しています"), ("en", "You are in line"), ("ja-easy", "じゅんばん")],
)
def test_the_page_is_in_the_reader_s_language(tmp_path: Path, language: str, words: str) -> None:
    async def go() -> httpx.Response:
        made.upstreams.waiting_for = 9.0
        async with made.client(**HTML) as client:
            client.cookies.set("lang", language)
            return await client.get(HERE)

    with inside(tmp_path) as made:
        page = asyncio.run(go())
    assert page.status_code == 503 and words in page.text


def test_staff_at_their_desks_and_other_municipalities_wait_for_nobody(tmp_path: Path) -> None:
    async def go() -> list[int]:
        gate = asyncio.Event()
        made.upstreams.play = lambda s, m, target: Given(wait=gate) if b"slow" in target else echo(s, m, target)
        slow = [asyncio.create_task(made.client(**HTML).get(f"{HERE}slow")) for _ in range(4)]
        for _ in range(60):
            await asyncio.sleep(0)
        paths = (HERE, THERE, f"{HERE}desk/")
        statuses = [(await made.client(**HTML).get(path)).status_code for path in paths]
        gate.set()
        assert {(await one).status_code for one in slow} == {200}
        return statuses

    with inside(tmp_path, upstream_pool=10, tenant_share=0.5) as made:
        assert asyncio.run(go()) == [503, 200, 200]


# ---- a real overload -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    wishes = {"TENANT_SHARE": "1", "UPSTREAM_POOL": str(POOL), "WAITING_AFTER_SECONDS": "0.2", "LIMITS": "{}"}
    with running(tmp_path_factory.mktemp("crowd"), **wishes) as made:
        yield made


def test_a_real_overload_draws_a_line_and_it_goes_when_the_load_does(cloud: Running) -> None:
    """Ten times as many slow requests as the service has connections; the service is a process, so is the door."""
    over = threading.Event()
    resident = cloud.client(headers={**HTML, "origin": cloud.url, "sec-fetch-site": "same-origin"})
    assert resident.get(HERE).status_code == 200, "inside before the crowd comes"

    def press(_: int) -> int:
        client, answered = cloud.client(), 0
        client.get(THERE)  # a guest of today, who is known: this load is not newcomers but the service's own weight
        while not over.is_set():
            answered += client.get(f"{THERE}?slowly=0.5").status_code == 200
        return answered

    with ThreadPoolExecutor(POOL * 10) as threads:
        load = [threads.submit(press, n) for n in range(POOL * 10)]
        try:
            newcomer = cloud.client(headers=HTML)
            waiting = until(lambda: (page := newcomer.get(HERE)).status_code == 503 and page, 60)
            assert waiting and "順番" in waiting.text
            assert (
                int(waiting.headers["retry-after"]) >= 1
                and waiting.headers["refresh"] == waiting.headers["retry-after"]
            )
            program = cloud.client().get(HERE)
            assert (program.status_code, program.json()["code"]) == (503, "service-busy")
            assert program.headers["retry-after"] == "5"
            assert resident.get(f"{HERE}step-2").status_code == 200, "who was inside is served in the midst of it"
            assert resident.post(f"{HERE}step-2", content=b"answers").status_code == 200
            assert newcomer.get(f"/t/{CODE}/backup/").status_code == 200, "another service has no line"
        finally:  # else the crowd, and with it this test, would never end
            over.set()
        assert sum(one.result() for one in load) > 0
    assert until(lambda: newcomer.get(HERE).status_code == 200, 60), "their turn has come"
