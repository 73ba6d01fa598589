"""A large file is read by a job: its page says how far that is, and when it was given up; nobody waits before a bar that never moves."""

import re
from typing import Any

import pytest

from libs.common import jobs
from libs.common.jobs import JobRow
from services.opendata import worker
from services.opendata.domain import personal
from services.opendata.tests.people import AED, Town, visible
from services.opendata.use_cases import drafts, examine


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is."""
    monkeypatch.setattr(drafts, "AT_ONCE", 0)


def bar(text: str) -> tuple[int, int]:
    found = re.search(r'<progress max="(\d+)" value="(\d+)"', text)
    assert found, visible(text)
    return int(found[2]), int(found[1])


@pytest.mark.usefixtures("large")
def test_the_page_says_what_is_being_done_and_how_much_is(town: Town, monkeypatch: pytest.MonkeyPatch):
    draft = town.staff().send(AED)
    assert bar(town.staff().get(draft).text) == (0, examine.STEPS), "not begun"
    seen: list[str] = []
    inspect = personal.inspect

    def looked_at(*given: Any) -> Any:
        seen.append(town.staff().get(draft).text)
        return inspect(*given)

    monkeypatch.setattr(jobs.registry, "PROGRESS_EVERY", 0)
    monkeypatch.setattr(personal, "inspect", looked_at)
    assert jobs.run_next(town.service, worker.jobs)
    done, all_of_it = bar(seen[0])
    assert 0 < done < all_of_it == examine.STEPS
    assert "個人情報" in visible(seen[0])
    assert "読み取った内容" in visible(town.staff().get(draft).text)


@pytest.mark.usefixtures("large")
def test_every_step_is_told_once(town: Town, monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[int, int, str]] = []
    monkeypatch.setattr(jobs.registry.Job, "progress", lambda _, *given: told.append(given))
    town.staff().send(AED)
    assert jobs.run_next(town.service, worker.jobs)
    assert [done for done, _, _ in told] == list(range(examine.STEPS))
    assert len({label for _, _, label in told}) == examine.STEPS


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("gone", [False, True])
def test_a_reading_that_was_given_up_says_so_and_what_to_do(town: Town, gone: bool):
    """`gone`: the municipality moved here with the draft; jobs do not move."""
    draft = town.staff().send(AED)
    with town.service.database.transaction() as session:
        for row in session.query(JobRow).filter_by(job_kind=drafts.READ):
            row.status = "dead"
            if gone:
                session.delete(row)
    text = town.staff().get(draft).text
    assert "<progress" not in text and "読み取れませんでした" in visible(text)
    assert f'action="{draft}/discard"' in text
    assert town.staff().post(f"{draft}/again").status_code == 303
    assert bar(town.staff().get(draft).text) == (0, examine.STEPS)
    while jobs.run_next(town.service, worker.jobs):
        pass
    assert "読み取った内容" in visible(town.staff().get(draft).text)


def test_a_reading_that_goes_on_is_not_begun_a_second_time(town: Town, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(drafts, "AT_ONCE", 0)
    draft = town.staff().send(AED)
    town.staff().post(f"{draft}/again")
    with town.service.database.reading() as session:
        assert session.query(JobRow).filter_by(job_kind=drafts.READ).count() == 1
