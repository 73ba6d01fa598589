"""From a terminal, before anybody can sign in: `appoint` and `take-in` refuse what is a slip of the pen."""

from pathlib import Path

import pytest

from services.tenants import commands
from services.tenants.db import members as members_db
from services.tenants.tests.cloud import Cloud

PERSON = "0197a000-0000-7000-8000-000000000011"
KNOWN = {"id": PERSON, "display_name": "運用 花子", "email": "hanako@cloud.example", "active": False}


def roles(cloud: Cloud, person: str) -> set[str]:
    with cloud.service.database.reading() as session:
        return {role for found in members_db.tenants_of(session, person).values() for role in found}


def test_an_id_that_the_gateway_does_not_know_is_refused(cloud: Cloud) -> None:
    cloud.others.answers["GET", "/internal/gateway/persons"] = (200, [KNOWN])
    with pytest.raises(SystemExit, match="0199: the gateway knows nobody"):
        commands.appoint(cloud.service, "0199", "operator")
    assert not roles(cloud, "0199")
    assert "operator" in commands.appoint(cloud.service, PERSON, "operator")
    assert roles(cloud, PERSON) == {"operator"}


def test_where_the_gateway_does_not_run_yet_the_word_of_the_terminal_is_taken(cloud: Cloud) -> None:
    commands.appoint(cloud.service, PERSON, "operator")
    assert roles(cloud, PERSON) == {"operator"}


def test_a_file_that_is_not_there_is_said(cloud: Cloud, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there is no such file"):
        commands.take_in(cloud.service, tmp_path / "town.zip")
