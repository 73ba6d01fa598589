"""What every service owes whoever asks: a declared type and charset, no debugging, no files of the workshop.

ASVS 5.0, 4.1.1, 13.4.1, 13.4.2."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from libs.common import access
from libs.common.actor import Actor
from libs.common.inner_token import TokenSigner
from libs.common.keys import private_key
from tests.house.test_staff_routes_stand_apart import CODE, NAMES, app_of

WORKSHOP = (
    "/.git/config",
    "/.git/HEAD",
    "/.svn/entries",
    "/.env",
    "/pyproject.toml",
    "/static/../pyproject.toml",
    "/Makefile",
)
TEXTS = re.compile(r"text/|application/(?:json|problem\+json|xml|javascript)")


@pytest.fixture(params=NAMES)
def asked(request: pytest.FixtureRequest, tmp_path: Path):
    """(the app, a client that asks as a guest of a municipality)."""
    app = app_of(request.param, tmp_path)
    signer = TokenSigner("gateway", private_key(tmp_path / "keys", "gateway"))
    token = signer.sign(Actor("guest", "guest-1", tenant=CODE, code=CODE), request.param)
    client = TestClient(
        app, headers={"authorization": f"Bearer {token}"}, follow_redirects=False, raise_server_exceptions=False
    )
    with client:
        yield app, client


def test_every_answer_says_what_it_is_and_texts_their_charset(asked) -> None:
    app, client = asked
    seen, bad = 0, []
    for path in sorted({route.path for route in access.routes_of(app) if "GET" in (route.methods or ())}):
        address = re.sub(r"\{[^}]*\}", "x", path.replace("{code}", CODE))
        for accept in ("text/html", "application/json"):
            answer = client.get(address, headers={"accept": accept})
            if not answer.content:
                continue
            seen += 1
            kind = answer.headers.get("content-type", "")
            charset_needed = kind.startswith("text/")
            if not kind or (charset_needed and "charset=utf-8" not in kind.lower().replace('"', "")):
                bad.append(f"{address} {answer.status_code} {kind!r}")
    assert seen > 20 and bad == []


def test_nothing_of_the_workshop_is_served_and_nothing_debugs(asked) -> None:
    app, client = asked
    assert app.debug is False
    assert [path for path in WORKSHOP if client.get(path).status_code not in (401, 404)] == []


def test_every_role_that_a_route_demands_is_in_the_rules_that_people_read(asked) -> None:
    """ASVS 5.0, 8.1.1."""
    app, _ = asked
    rules = (Path(__file__).parents[2] / "docs/security-rules.md").read_text("utf-8")
    demanded = {rule.role for route in access.routes_of(app) if (rule := access.rule_of(route)) and rule.role}
    assert demanded and [role for role in demanded if f"| `{role}` |" not in rules] == []


def test_the_image_is_built_without_the_history_of_the_code() -> None:
    taken = (Path(__file__).parents[2] / ".dockerignore").read_text("utf-8").split()
    assert taken[0] == "*", "nothing goes into an image that is not named"
    assert not any(".git" in line for line in taken if line.startswith("!"))
