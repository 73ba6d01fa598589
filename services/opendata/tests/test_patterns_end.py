"""No pattern of this service takes more than its share of time, whatever people write (ReDoS, CWE-1333).

What each pattern repeats is written out for it, a thousand times and more, with an end that does not fit: a text four times as long may
take four times as long, not sixteen. The texts are made from the patterns themselves, so a new pattern is looked at without being named.
"""

import ast
import importlib
import pkgutil
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import services.opendata

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from re import _parser as parser  # type: ignore[attr-defined] the tree of a pattern has no public door

HERE = Path(services.opendata.__file__).parent
LENGTHS = (*(round(12 * 1.2**step) for step in range(18)), 1_000, 3_000, 12_000)
UNBOUNDED = 1_000
NOTICED = 0.03
"""Seconds of processor: what takes less at 12,000 characters does no harm at a hundred thousand."""
ENDS = ("\x00", " ", "")
WHOLE = {"match", "fullmatch"}
ANYWHERE = {"search", "sub", "split", "findall", "finditer"}
Way = Callable[[str], object]


def own_modules() -> Iterator[str]:
    for found in pkgutil.walk_packages([str(HERE)], "services.opendata."):
        if not {"tests", "migrations", "__main__"} & set(found.name.split(".")):
            yield found.name


def patterns() -> dict[tuple[str, str, int], set[str]]:
    """(where, pattern, flags) → the ways in which it is used: whole, or looked for anywhere."""
    found: dict[tuple[str, str, int], set[str]] = {}
    for name in own_modules():
        module = importlib.import_module(name)
        written = Path(module.__file__ or "").read_text(encoding="utf-8")
        for label, value in vars(module).items():
            for each in compiled_in(value):
                ways = set(re.findall(rf"\b{label}(?:\[\w+\])?\.(\w+)\b", written)) & (ANYWHERE | WHOLE | {"pattern"})
                if ways == {"pattern"}:
                    continue  # a part of others, which are looked at as wholes
                found.setdefault((name, each.pattern, each.flags), set()).update(ways or {"search"})
        for call in ast.walk(ast.parse(written)):
            if told := literal(call):
                found.setdefault((name, told[1], 0), set()).add(told[0])
    return found


def compiled_in(value: Any) -> list[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        return [value] if isinstance(value.pattern, str) else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return [found for part in parts for found in compiled_in(part)]


def literal(node: ast.AST) -> tuple[str, str] | None:
    """(function, pattern) of a call like `re.sub("…", …)`."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="re"), attr=way), args=[ast.Constant(value=str(text)), *_]
        ) if way != "compile":
            return way, text
    return None


# ---- texts that a pattern repeats


def fitting(tree: Any) -> str:
    """A text that the tree fits: its first choice everywhere, each repetition as often as it must be, once if it need not."""
    return "".join(one(*node) for node in tree)


def one(kind: Any, value: Any) -> str:
    match str(kind):
        case "LITERAL":
            return chr(value)
        case "NOT_LITERAL":
            return "b" if value == ord("a") else "a"
        case "ANY":
            return "a"
        case "IN":
            return member(value)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return fitting(value[2]) * max(1, min(value[0], 3))
        case "SUBPATTERN":
            return fitting(value[-1])
        case "ATOMIC_GROUP":
            return fitting(value)
        case "BRANCH":
            return fitting(value[1][0])
    return ""


def member(choices: Any) -> str:
    """A character of a class: a blank where blanks belong to it, as they are what people and files have most of."""
    text = "".join(f"\\{chr(value)}" if str(kind) == "LITERAL" else "" for kind, value in choices)
    if str(choices[0][0]) == "NEGATE":
        return next(mark for mark in "a.1 あ\x01" if f"\\{mark}" not in text and mark.isprintable())
    for kind, value in choices:
        match str(kind):
            case "LITERAL":
                return chr(value)
            case "RANGE":
                return chr(value[0])
            case "CATEGORY":
                return {"SPACE": " ", "DIGIT": "1"}.get(str(value).rpartition("_")[2], "a")
    return "a"


def attacks(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(what stands before, what is repeated) for every repetition without a bound, however deep."""
    for kind, value in tree:
        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT":
                if value[1] >= UNBOUNDED:
                    yield before, fitting(value[2])
                yield from attacks(value[2], before)
            case "SUBPATTERN":
                yield from attacks(value[-1], before)
            case "BRANCH":
                for choice in value[1]:
                    yield from attacks(choice, before)
        before += one(kind, value)


def ways_of(pattern: str, flags: int, ways: set[str]) -> Way:
    compiled = re.compile(pattern, flags)
    if ways & ANYWHERE:
        return compiled.search if "search" in ways else lambda text: compiled.sub("", text)
    return compiled.fullmatch if "fullmatch" in ways else compiled.match


def spent(way: Way, text: str) -> float:
    started = time.thread_time()
    way(text)
    return time.thread_time() - started


def grows_too_fast(pattern: str, flags: int, ways: set[str]) -> str | None:
    """What it stumbles over."""
    way, tree = ways_of(pattern, flags, ways), parser.parse(pattern, flags)
    marks = {mark for mark in pattern if mark in " 　.,:;-/_@'\"("}
    found = {("", fitting(tree) or "a")}
    for before, repeated in attacks(tree):
        found |= {(before, each) for each in {repeated, *marks} if each}
    for before, repeated in found:
        for end in ENDS:
            if blows_up(way, before, repeated, end):
                return f"{before + repeated!r} … {end!r}"
    return None


def blows_up(way: Way, before: str, repeated: str, end: str) -> bool:
    """From few characters to many, in small steps: a pattern that doubles its time with each few would not come back from a jump."""
    taken, length = 0.0, 1
    for following in LENGTHS:
        earlier, times = taken, following / length
        length, taken = following, spent(way, before + repeated * (following // len(repeated)) + end)
        if taken > NOTICED and (length <= 1_000 or taken > 2 * times * earlier):
            return True
    return False


def test_no_pattern_takes_more_than_its_share_of_time():
    found = patterns()
    assert len(found) > 100, "the patterns of the service are found"
    slow = {
        f"{where}: {pattern}": stumbled
        for (where, pattern, flags), ways in found.items()
        if (stumbled := grows_too_fast(pattern, flags, ways))
    }
    assert slow == {}


@pytest.mark.parametrize("pattern", [r"\s+and\s+", r"^(?:\w+\.?)*b$", r"(?P<name>.+?)(?:\s+(?:asc|desc))?!", r"x*x*y"])
def test_patterns_that_take_too_long_are_found(pattern: str):
    assert grows_too_fast(pattern, 0, {"search"})
