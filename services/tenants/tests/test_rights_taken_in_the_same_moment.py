"""A right that an administrator takes while somebody else changes the same person's rights stays taken."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import text

from infra.local.processes import wait_until
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants.db import members as members_db
from services.tenants.tests.people import ADMIN, OOKI, OPERATOR, load_fukuoka
from services.tenants.use_cases import departments, members

CHIEF = Actor("staff", "p-chief", "係長 一郎", OOKI, OOKI, frozenset({"portal.delegate"}), "password", "sid-5")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_right_taken_while_a_delegate_writes_does_not_come_back(database: Database) -> None:
    """SQLite lets one write after the other from the beginning on."""
    load_fukuoka(database)
    with database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, {"portal.admin"}, NOW)
        members.grant(session, OPERATOR, OOKI, CHIEF.subject, {"eapply.reviewer"}, NOW)
        members.grant(session, OPERATOR, OOKI, "p-clerk", {"portal.admin", "opendata.publisher"}, NOW)
        ident = departments.delegate(session, ADMIN, CHIEF.subject, "service", "eapply", date(2026, 12, 31), NOW).id

    def write() -> None:
        with database.transaction(tenant=OOKI) as session:
            departments.change_roles(session, CHIEF, ident, "p-clerk", {"eapply.reviewer"}, NOW)

    with ThreadPoolExecutor(1) as pool:
        with database.transaction(tenant=OOKI) as session:
            members.change(session, ADMIN, OOKI, "p-clerk", {"opendata.publisher"}, NOW)
            written = pool.submit(write)
            assert wait_until(lambda: written.done() or waits(database), seconds=60)
        written.result()
    with database.reading() as session:
        assert members_db.roles_of(session, OOKI)["p-clerk"] == {"opendata.publisher", "eapply.reviewer"}


def waits(database: Database) -> bool:
    """Whether somebody waits for a lock in the store."""
    with database.reading() as session:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(session.scalar(text(asked).execution_options(raw_sql="the store itself is asked")))
