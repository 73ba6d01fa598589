"""A field that an answer for programs begins to carry is allowed on purpose, or this fails (docs/security.md, check 3)."""

import json

import pytest

from libs.common import access
from tests.unbroken import fields
from tests.unbroken.fuzz.towns import MAKERS, installed

ALLOWED = fields.allowed()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("service", sorted(MAKERS))
def test_nobody_reads_a_field_that_is_not_allowed(service: str) -> None:
    with installed(service) as made:
        there = {route.path for route in access.routes_of(made.app)}
        assert set(ALLOWED[service]) <= there, "the list names routes that are gone: python -m tests.unbroken.fields"
        seen = fields.told(service, made)
    assert len(seen) >= len(ALLOWED[service]) * 0.8, "hardly anything was read"
    assert fields.not_allowed(seen, ALLOWED[service]) == []


def test_a_field_that_leaks_is_found_in_every_format() -> None:
    allowed = {"/cases": {"guest": ["title"], "staff eapply.reviewer": ["name"]}}
    planted = [
        ("application/json", json.dumps({"title": "", "name": ""}).encode()),
        ("application/x-ndjson; charset=utf-8", b'{"title": 1}\n{"name": 2}\n'),
        ("text/csv; charset=utf-8", "\ufefftitle,name\r\n1,2\r\n".encode()),
    ]
    for kind, content in planted:
        names = sorted(fields.names_in(kind, content))
        assert fields.not_allowed({"/cases": {"guest": names}}, allowed) == ["/cases: guest reads name"], kind
        assert fields.not_allowed({"/cases": {"staff eapply.reviewer": names}}, allowed) == []
    assert fields.not_allowed({"/new": {"guest": ["title"]}}, allowed) == ["/new: guest reads title"]


def test_what_somebody_typed_is_no_name_of_a_field() -> None:
    names = fields.names_in("application/json", b'{"2026-11-27": {"0193e0a0-0000-7000-8000-000000000000": [{"x": 1}]}}')
    assert names == {"*", "*.*", "*.*[].x"}
