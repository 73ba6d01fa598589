"""The counting of `make chaos` sees what is lost and what is doubled: a zero in docs/chaos.md could be something else."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration import test_kill_anything as story
from tests.unbroken.chaos import __main__ as chaos


def test_what_is_lost_or_doubled_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    closing = SimpleNamespace(close=lambda: None)
    stored = {story.TOWNS[0]: {"a", "b", "unknown"}, story.TOWNS[1]: {"c"}}
    counted: dict[str, list[str]] = {story.TOWNS[0]: ["a", "b", "b", "unknown"], story.TOWNS[1]: []}
    monkeypatch.setattr(story, "databases", lambda running: (closing, closing))
    monkeypatch.setattr(story, "_waiting", lambda *stores: 0)
    monkeypatch.setattr(story, "_all_counted", lambda *stores: True)
    monkeypatch.setattr(story, "_stored", lambda store, town: stored[town])
    monkeypatch.setattr(story, "_counted", lambda store, town: counted[town])
    first, second = chaos.Fault("first", keys={"k-a", "k-b", "k-gone"}), chaos.Fault("second", keys={"k-c"})
    acknowledged = {"k-a": ("t", "a"), "k-b": ("t", "b"), "k-gone": ("t", "gone"), "k-c": ("t", "c")}
    made: Any = SimpleNamespace(
        running=None,
        people=SimpleNamespace(acknowledged=acknowledged),
        backing_up=SimpleNamespace(lost=lambda: ["0123"]),
        done=[first, second],
    )
    lost, doubled, problems = chaos.verdict(made)
    assert lost == {"first": {"k-gone"}, "second": {"k-c"}}, "not stored; stored and never counted"
    assert doubled == {"first": 1, "second": 0}
    assert problems == ["stored and acknowledged to nobody: unknown", "object acknowledged and lost: 0123"]
