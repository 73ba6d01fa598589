"""What is remembered for a moment is believed no longer, and held no longer."""

import weakref

from libs.common.remembered import Remembered

SECONDS = 2.0


class Registry:
    """Stands for one of its states."""


def test_what_is_remembered_is_let_go_once_it_is_too_old() -> None:
    now = [100.0]
    remembered = Remembered[str, Registry](SECONDS, 2, lambda: now[0])
    states = [Registry() for _ in range(3)]
    held = [weakref.ref(state) for state in states]
    for number, state in enumerate(states):
        remembered.put(f"caller {number}", state)
        assert remembered.get(f"caller {number}") is state, "planted: it is remembered at first"
        now[0] += SECONDS / 2
    del state
    states.clear()
    assert [ref() is None for ref in held] == [True, False, False], "the oldest went when another came"
    assert remembered.get("caller 1") is None, "two seconds old: not believed any more"
    remembered.put("caller 2", Registry())
    assert [ref() is None for ref in held] == [True, True, True]
    remembered.forget()
    assert remembered.get("caller 2") is None


def test_only_so_much_is_remembered_and_the_oldest_goes_first() -> None:
    remembered = Remembered[int, int](SECONDS, 2)
    for number in range(4):
        remembered.put(number, number)
    assert [remembered.get(number) for number in range(4)] == [None, None, 2, 3]
    remembered.drop(2)
    assert [remembered.get(number) for number in range(4)] == [None, None, None, 3]


def test_a_look_lets_go_of_what_is_too_old_though_nothing_comes() -> None:
    now = [100.0]
    remembered = Remembered[str, Registry](SECONDS, 2, lambda: now[0])
    state = Registry()
    held = weakref.ref(state)
    remembered.put("caller", state)
    del state
    remembered.sweep()
    assert held() is not None, "planted: it is held at first"
    now[0] += SECONDS
    remembered.sweep()
    assert held() is None
