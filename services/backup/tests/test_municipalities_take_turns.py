"""One municipality with many connections does not make another wait: blocks are taken in a circle of municipalities."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.local.processes import wait_until
from services.backup.api.exchange import SLOTS, Exchange
from services.backup.api.turns import Turns
from services.backup.tests.town import HOME, OTHER, Cloud, Machine, named


def order_of(turns: Turns, wanted: list[str]) -> list[str]:
    """In which order blocks of these municipalities were worked on, when all wait behind one that is being worked on."""
    served: list[str] = []

    async def work(tenant: str) -> None:
        served.append(tenant)
        await asyncio.sleep(0)

    async def main() -> None:
        free = asyncio.Event()
        first = asyncio.create_task(turns.take("first", 1, free.wait))
        await asyncio.sleep(0)
        tasks = [asyncio.create_task(turns.take(tenant, 1, work, tenant)) for tenant in wanted]
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(first, *tasks)

    asyncio.run(main())
    return served


@pytest.mark.parametrize("turns", [Turns(1), Turns(4, rate=10**9)], ids=["one slot", "a line of a rate"])
def test_a_small_town_s_block_comes_second_behind_fifty_of_a_city(turns: Turns) -> None:
    served = order_of(turns, ["city"] * 50 + ["town"] * 2)
    assert served[:4] == ["city", "town", "city", "town"]
    assert served[4:] == ["city"] * 48


def test_who_leaves_while_waiting_and_who_fails_give_their_turn_on() -> None:
    async def fail() -> None:
        raise OSError("the disk")

    async def ok() -> str:
        return "done"

    async def main() -> Any:
        turns, free = Turns(1), asyncio.Event()
        first = asyncio.create_task(turns.take("a", 1, free.wait))
        await asyncio.sleep(0)
        leaving = [asyncio.create_task(turns.take("b", 1, ok)) for _ in range(3)]
        failing = asyncio.create_task(turns.take("c", 1, fail))
        last = asyncio.create_task(turns.take("b", 1, ok))
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        free.set()
        with pytest.raises(OSError, match="the disk"):
            await failing
        return await first, await last, await turns.take("d", 1, ok)

    assert asyncio.run(main()) == (True, "done", "done")


def test_a_line_of_a_rate_is_shared_evenly_in_bytes() -> None:
    """Whoever has more connections gets no more of the line: after the same number of turns both have moved as much."""
    moved = {"city": 0, "town": 0}

    async def main() -> None:
        turns = Turns(4, rate=10**10)

        async def pump(tenant: str) -> None:
            while moved["town"] < 40_000:
                await turns.take(tenant, 1000, count, tenant)

        async def count(tenant: str) -> None:
            moved[tenant] += 1000

        await asyncio.gather(*(pump("city") for _ in range(20)), *(pump("town") for _ in range(5)))

    asyncio.run(main())
    assert moved["city"] <= moved["town"] * 1.5


def test_a_thousand_small_uploads_of_a_city_hold_a_town_up_for_one(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They all wait for the city's own lock, each in a thread; the town must not wait for the last of them."""
    city, town = (small_cloud.machine(small_cloud.repository("juki", tenant), "append") for tenant in (HOME, OTHER))
    locked, begun = threading.Event(), list[str]()
    finish = Exchange._finish

    def when_unlocked(self: Exchange, *arguments: Any) -> None:
        begun.append(self._tenant)
        locked.wait(60)
        finish(self, *arguments)

    monkeypatch.setattr(Exchange, "_finish", when_unlocked)

    def send(machine: Machine, number: int) -> int:
        content = f"{machine.tenant} {number}".encode()
        with machine.client as client:
            return client.post(f"data/{named(content)}", content=content).status_code

    waiting = small_cloud.app.state.turns._waiting
    with ThreadPoolExecutor(61) as pool:
        sent = [pool.submit(send, city, number) for number in range(60)]
        assert wait_until(lambda: len(waiting.get(HOME, ())) == 60 - SLOTS, seconds=60), "planted"
        sent.append(pool.submit(send, town, 0))
        assert wait_until(lambda: OTHER in waiting, seconds=60)
        locked.set()
        assert {future.result() for future in sent} == {200}
    assert begun.index(OTHER) < 2 * SLOTS, begun
