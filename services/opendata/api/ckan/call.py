"""One call of an action, and how actions refuse."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from libs.common.actor import Actor
from services.opendata.api import shell
from services.opendata.catalogue import Catalogue

Given = dict[str, Any]


class Refused(Exception):
    """An answer with `success: false`. `error` is its body."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(error.get("__type"))
        self.status, self.error = status, error


class Bad(Exception):
    """An answer without envelope: a bare JSON string, status 400."""


def not_found(message: str = "Not found") -> Refused:
    return Refused(404, {"message": message, "__type": "Not Found Error"})


def not_allowed(message: str) -> Refused:
    return Refused(403, {"message": f"Access denied: {message}", "__type": "Authorization Error"})


def invalid(**fields: list[Any]) -> Refused:
    return Refused(409, {**fields, "__type": "Validation Error"})


def bad_search(message: str) -> Refused:
    return Refused(400, {"message": message, "__type": "Search Query Error"})


@dataclass(frozen=True, slots=True)
class Written:
    """A result as the JSON it is sent as, where it was kept."""

    json: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.json)


def written(value: Any) -> bytes:
    """As JSON. Half a character (a lone surrogate that came in an address) cannot be sent back: "?" stands for it."""
    return json.dumps(value, ensure_ascii=False, default=str).encode(errors="replace")


@dataclass(frozen=True)
class Call:
    """`given`: the parameters, as they came (from a query string: text or lists of text). `upload`: a file sent along.
    `name`: the action's."""

    request: Request
    actor: Actor
    given: Given
    upload: UploadFile | None = None
    name: str = ""

    @property
    def site(self) -> str:
        return shell.site(self.request)

    @property
    def catalogue(self) -> Catalogue:
        return shell.catalogue_in(self.request).refresh()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with shell.public(self.request) as session:
            yield session

    @property
    def identified(self) -> bool:
        """Whether the caller may see what only those who write see."""
        return self.actor.kind == "machine" and bool(self.actor.roles & {"opendata.write"})

    def need(self, *names: str) -> str:
        """The first of these parameters that was given. A validation error names the first where none was."""
        for name in names:
            value = self.given.get(name)
            if value not in (None, ""):
                return str(value)
        raise invalid(**{names[0]: ["Missing value"]})

    def number(self, name: str, usual: int, most: int | None = None) -> int:
        value = self.given.get(name)
        try:
            number = int(usual if value in (None, "") else value)
        except (TypeError, ValueError, OverflowError):
            raise invalid(**{name: ["Invalid integer"]}) from None
        if number < 0:
            raise invalid(**{name: ["Must be a natural number"]})
        return min(number, most) if most is not None else number

    def flag(self, name: str, usual: bool = False) -> bool:
        value = self.given.get(name, usual)
        return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "t", "y", "1", "on")


Action = Callable[[Call], Any]


class Actions:
    """Actions by name. Those that change something do not answer to GET."""

    def __init__(self) -> None:
        self.all: dict[str, Action] = {}
        self.writing: set[str] = set()

    def reads(self, action: Action) -> Action:
        self.all[action.__name__] = action
        return action

    def writes(self, action: Action) -> Action:
        self.writing.add(action.__name__)
        return self.reads(action)


actions = Actions()
