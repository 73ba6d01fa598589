"""Passwords are computed by a process of their own: the same hashes as everybody's argon2, and it comes back when it is killed."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import Parameters, PasswordHasher
from argon2.profiles import RFC_9106_LOW_MEMORY

from gateway import hashing, passwords
from libs.common.errors import TooMany

LATIN, JAPANESE = "tsukushi no asa wa shiroi", "あさやけにつるがまいおりる"


@pytest.fixture(scope="module")
def checker() -> Iterator[passwords.Passwords]:
    made = passwords.Passwords()
    yield made
    made.close()


@pytest.mark.parametrize("password", [LATIN, JAPANESE])
def test_a_hash_of_ours_is_one_that_argon2_itself_makes(password: str) -> None:
    salt = b"0123456789abcdef"
    assert hashing.made(password.encode(), salt) == PasswordHasher().hash(password, salt=salt)


@pytest.mark.parametrize(
    "costs",
    [{"time_cost": 1, "memory_cost": 8, "parallelism": 1}, {"time_cost": 2, "memory_cost": 4096, "parallelism": 8}],
)
def test_hashes_of_other_costs_still_open(checker: passwords.Passwords, costs: dict[str, int]) -> None:
    kept = PasswordHasher(**costs).hash(JAPANESE)
    assert checker.matches(kept, JAPANESE)
    assert not checker.matches(kept, JAPANESE + "。")
    assert checker.outdated(kept)


def test_what_is_kept_now_is_not_outdated(checker: passwords.Passwords) -> None:
    assert not checker.outdated(checker.hash(LATIN))


@pytest.mark.parametrize(
    "kept", ["", "$argon2id$", "$argon2id$v=19$m=65536,t=3,p=4$*$*", "$argon2id$v=19$m=1,t=0,p=4$c2FsdHNhbHQ$AAAA"]
)
def test_what_is_no_hash_opens_nothing(checker: passwords.Passwords, kept: str) -> None:
    assert not checker.matches(kept, LATIN)


def test_letters_that_are_half_of_a_pair_are_only_wrong(checker: passwords.Passwords) -> None:
    assert not checker.matches(checker.hash(LATIN), "\ud83c" * 12)


def test_nobody_takes_as_long_as_somebody(checker: passwords.Passwords) -> None:
    """By the time alone nobody learns whether an address is known: the same costs, so the same work."""
    seen: list[Parameters] = []
    computed = hashing.computed
    try:
        hashing.computed = lambda password, salt, cost: seen.append(cost) or computed(password, salt, cost)
        assert not hashing.matches(b"x", None)
        assert not hashing.matches(b"x", PasswordHasher().hash(LATIN))
    finally:
        hashing.computed = computed
    assert seen == [RFC_9106_LOW_MEMORY] * 2


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="read from /proc")
def test_the_process_yields_to_everybody_else_and_comes_back_when_it_is_killed(checker: passwords.Passwords) -> None:
    kept = checker.hash(LATIN)
    first = _pids_of_children()
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in first} == {
        min(19, os.getpriority(os.PRIO_PROCESS, 0) + hashing.YIELDING)
    }
    for pid in first:
        os.kill(pid, signal.SIGKILL)
    assert checker.matches(kept, LATIN)
    assert not set(first) & set(_pids_of_children())


def test_whoever_comes_when_the_line_is_full_is_asked_to_come_back() -> None:
    checker = passwords.Passwords()
    too_many = 20  # some are computed while the last of them are still beginning
    many = passwords.AT_ONCE + passwords.WAITING + too_many
    try:
        with ThreadPoolExecutor(many) as threads:
            answers = [threads.submit(checker.matches, None, LATIN) for _ in range(many)]
        refused = [one for one in answers if isinstance(one.exception(), TooMany)]
        assert 0 < len(refused) <= too_many
        assert all(one.result() is False for one in answers if one not in refused)
    finally:
        checker.close()


def test_when_the_gateway_is_killed_the_process_ends_with_it(checker: passwords.Passwords) -> None:
    """Its input ends, and so does it: nothing is left behind on the machine."""
    other = passwords.Computing()
    other.ask({"password": LATIN, "kept": None})
    process = other._process
    assert process is not None and process.stdin is not None
    process.stdin.close()
    end = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    assert process.returncode == 0
    process.stdout.close()  # type: ignore[union-attr]


def _pids_of_children() -> list[int]:
    here = Path(f"/proc/{os.getpid()}/task")
    pids = {int(pid) for task in here.iterdir() for pid in (task / "children").read_text().split()}
    return sorted(pid for pid in pids if "hashing.py" in Path(f"/proc/{pid}/cmdline").read_text())
