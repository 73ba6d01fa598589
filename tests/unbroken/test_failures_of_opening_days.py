"""Everybody on the first day: 戸籍の広域交付 2024, e-Tax 2022 (docs/failures.md). What a page asks of the database does not grow."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from libs.common.db import Database
from services.eapply.tests.people import Town

PAGES = {"": "guest", "event-moushikomi/": "guest", "desk/": "staff", "mine": "person"}


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def questions(town: Town, page: str) -> list[str]:
    browser = getattr(town, PAGES[page])()
    browser.get(page)  # the first time fills what is kept in memory
    with counted(town.service.database) as statements:
        assert browser.get(page).status_code == 200
    return statements


@pytest.mark.parametrize("page", PAGES)
def test_koseki_2024_a_page_asks_no_more_when_many_have_applied(town: Town, page: str) -> None:
    town.person().apply_for_event()
    few = questions(town, page)
    for number in range(8):
        town.person().apply_for_event(name=f"見本 {number}")
    many = questions(town, page)
    assert few, "nothing was counted"
    assert len(many) <= len(few) + 1, f"{len(few)} → {len(many)}: {many}"
    assert len(many) <= 25, many
