"""Events between an outbox and two inboxes, in hundreds of schedules that a seed decides: programs overtake each other and die
between any two transactions, copies come late and in any order, stores are out of reach, the clock jumps.

Nothing told is lost, nothing is applied twice, each subject keeps its order, a poison event holds up only its own subject.
`make simulate` runs thousands more; `make simulate SEED=…` shows one again, step by step.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from libs.common.relay import relay_once
from tests.unbroken.simulation import __main__ as command
from tests.unbroken.simulation import faults
from tests.unbroken.simulation.world import Broken, Stores, World, check

BLOCK = 25
"""Schedules in one test."""
# Which promise is seen broken first: what is lost or doubled leaves a gap or a repetition in its subject's order, too.
LOST = "nothing told is lost|holds up only|in its order"
TWICE = "applied twice|in its order"
OVERTAKEN = "overtakes its poison|in its order"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    made = Stores(tmp_path_factory.mktemp("simulated"))
    logging.disable(logging.ERROR)  # thousands of planned failures
    yield made
    logging.disable(logging.NOTSET)
    made.close()


@pytest.mark.parametrize("first", range(0, 150, BLOCK))
def test_no_schedule_breaks_a_promise(stores: Stores, first: int) -> None:
    told = 0
    for seed in range(first, first + BLOCK):
        world = World(stores, seed)
        check(world)
        told += len(world.told)
    assert told > BLOCK, "hardly anything was told: the schedules would show nothing"


def test_the_same_seed_is_the_same_schedule(stores: Stores) -> None:
    ends = []
    for _ in range(2):
        world = World(stores, 11)
        world.run(120)
        ends.append((world.trace, sorted(world.told), [world.effects(reader) for reader in world.readers]))
    assert ends[0] == ends[1]
    assert any("dies" in step for step in ends[0][0]), "nobody died: the seed shows too little"


@pytest.mark.parametrize(
    ("relay", "planted", "promise"),
    [
        (faults.marks_before_it_delivers, nullcontext, LOST),
        (faults.marks_all_of_a_batch, nullcontext, LOST),
        (relay_once, faults.an_inbox_that_knows_nothing_again, TWICE),
        (relay_once, faults.an_inbox_that_overtakes, OVERTAKEN),
        (relay_once, faults.an_inbox_that_marks_apart, TWICE),
    ],
    ids=["marks before it delivers", "marks all of a batch", "knows nothing again", "overtakes", "marks apart"],
)
def test_a_planted_fault_is_found(
    stores: Stores, relay: Callable[..., int], planted: Callable[[], AbstractContextManager[None]], promise: str
) -> None:
    with planted(), pytest.raises(Broken, match=promise) as found:
        for seed in range(200):
            check(World(stores, seed, relay_once=relay))
    assert "make simulate SEED=" in str(found.value)


def test_a_run_writes_its_one_line_into_the_page_and_a_short_one_only_what_broke(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "failures.md"
    before = command.PAGE.read_text("utf-8")
    page.write_text(before, "utf-8")
    command.write(7, 5000, 70_123, page=page)
    told = page.read_text("utf-8").splitlines()
    assert len(told) == len(before.splitlines()) and sum("結果: " in line for line in told) == 1
    assert any("種 7 から 5,000通り、70,123の出来事。破れはありません。" in line for line in told)

    written: list[tuple[int | None, ...]] = []
    monkeypatch.setattr(command, "write", lambda *told, broken_at=None: written.append((*told[:2], broken_at)))

    def run(schedules: int) -> int:
        seeds = range(schedules)
        return command.report((command.one(stores, seed) for seed in seeds), seeds)

    assert run(3) == 0 and written == []
    monkeypatch.setattr(command, "USUAL", 3)
    assert run(3) == 0 and written == [(0, 3, None)]
    planted = partial(World, relay_once=faults.marks_all_of_a_batch)
    monkeypatch.setattr(command, "World", planted)
    assert run(200) == 1
    first, number, seed = written[1]
    assert first == 0 and number and seed == number - 1, "the seed is told by which it is seen again"
