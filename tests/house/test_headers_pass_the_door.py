"""A header that a service's route asks for is one that the gateway lets through: else the route works in its own tests only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Header
from fastapi.dependencies.models import Dependant

from gateway.hygiene import FORWARDED
from libs.common import access
from tests.house.test_staff_routes_stand_apart import NAMES, app_of

SAID_BY_THE_DOOR = {"authorization"}


def asked(app: FastAPI) -> Iterator[tuple[str, str]]:
    """(path, header in small letters) for every declared header of every route that people's requests reach."""
    for route in access.routes_of(app):
        dependant = getattr(route, "dependant", None)
        if dependant is None or route.path.startswith("/internal/"):
            continue
        yield from ((route.path, name) for name in named(dependant))


def named(dependant: Dependant) -> Iterator[str]:
    yield from (each.alias.lower() for each in dependant.header_params)
    for inner in dependant.dependencies:
        yield from named(inner)


def kept_back(app: FastAPI) -> list[tuple[str, str]]:
    passed = {name.decode() for name in FORWARDED} | SAID_BY_THE_DOOR
    return [(path, name) for path, name in asked(app) if name not in passed]


@pytest.mark.parametrize("name", NAMES)
def test_every_header_that_a_route_asks_for_reaches_it(name: str, tmp_path: Path) -> None:
    app = app_of(name, tmp_path)
    assert kept_back(app) == [], "the gateway takes these headers away (gateway/hygiene.py)"
    if name == "eapply":
        assert {"applicant-key", "idempotency-key", "x-signature"} <= {header for _, header in asked(app)}

    @app.get("/t/{code}/planted")
    def planted(x_planted: str = Header("")) -> None: ...

    assert kept_back(app) == [("/t/{code}/planted", "x-planted")]
