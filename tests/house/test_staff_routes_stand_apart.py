"""Where staff have a door of their own (STAFF_URL), the other one hides every route for staff: by its path, whatever service it is."""

import importlib
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI

from gateway.hygiene import canonical_target
from gateway.routes import decide, is_for_staff
from gateway.snapshot import parse
from gateway.tests.conftest import CODE, snapshot_document
from libs.common import access, keys
from libs.common.migrate import migrate
from libs.common.service import build
from libs.common.settings import Settings
from libs.common.two_doors import with_staff_links
from services.__main__ import DEPLOYABLES

NAMES = [deployable.name for deployable in DEPLOYABLES]


def app_of(name: str, folder: Path) -> FastAPI:
    """The service as it starts, in a new store in `folder`."""
    keys.ensure(folder / "keys", ["gateway", *NAMES])
    settings = importlib.import_module(f"services.{name}.settings")
    told = settings.Settings(data_dir=folder, keys_dir=folder / "keys", database_url=None, sample=True)
    migrate(told, name, f"services.{name}")  # backup looks at its sites when it starts
    service = build(name, told)
    getattr(settings, "furnish", lambda _: None)(service)
    return importlib.import_module(f"services.{name}.api").create_app(service)


def routes(name: str, folder: Path) -> Iterator[tuple[str, str]]:
    """(kind of caller, an address) for every route that a service declares for staff or operators."""
    for route in access.routes_of(app_of(name, folder)):
        rule = access.rule_of(route)
        if rule is not None and rule.name in ("staff", "operator"):
            path = route.path.replace("{code}", CODE)
            yield rule.name, re.sub(r"\{[^}]*\}", "x", path)


@pytest.mark.parametrize("name", NAMES)
def test_every_route_for_staff_is_one_the_other_door_hides(name: str, tmp_path: Path) -> None:
    document = snapshot_document()
    active = {"status": "active", "from": "2018-04-01", "until": None}
    document["tenants"][0]["services"] = dict.fromkeys(NAMES, active)
    snapshot, found = parse(document), list(routes(name, tmp_path))
    assert found, "every service has pages for staff: none found means that this test sees nothing"
    shown = [
        path
        for _, path in found
        if not path.startswith("/internal/")
        and not is_for_staff(decide(canonical_target(path.encode(), b""), snapshot, NAMES, date(2026, 11, 26)))
    ]
    assert shown == [], "staff's routes outside `desk/`, /portal, /council, /operator would be on the Internet"
    two = Settings(public_url="https://people.example", staff_url="https://staff.example")
    led_astray = [
        path
        for _, path in found
        if not path.startswith("/internal/")
        and with_staff_links(f"https://people.example{path}", two) != f"https://staff.example{path}"
    ]
    assert led_astray == [], "a mail's link to these would open nothing"


def test_a_route_for_everybody_is_not_taken_for_staff_s() -> None:
    snapshot = parse(snapshot_document())
    for path in (f"/t/{CODE}/eapply/", "/", "/opendata/datasets", "/sign-in", f"/t/{CODE}/"):
        assert not is_for_staff(decide(canonical_target(path.encode(), b""), snapshot, NAMES, date(2026, 11, 26)))
        two = Settings(public_url="https://people.example", staff_url="https://staff.example")
        assert with_staff_links(f"https://people.example{path}", two) == f"https://people.example{path}"
