"""Two clerks publish at the same moment: both files are whole, versions have no gap and no double, and one form is one publication."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import select

from services.opendata.db import VersionRow
from services.opendata.tests.people import AED, Browser, Town, visible
from services.opendata.use_cases import programs

HALL = "名称,町名\n{}公民館,大角\n"


def together(*works: tuple[Browser, str]) -> list[int]:
    """Statuses of forms that are sent in the same moment."""
    begin = threading.Barrier(len(works))

    def send(work: tuple[Browser, str]) -> int:
        who, draft = work
        begin.wait()
        return who.publish(draft).status_code

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(send, works))


def versions(town: Town, resource: str) -> list[int]:
    with town.service.database.reading(tenant=town.code) as session:
        query = select(VersionRow.number).where(VersionRow.resource_id == resource).order_by(VersionRow.number)
        return list(session.scalars(query))


def test_new_versions_of_one_file_by_two_clerks_at_once_are_two_versions_or_one_is_told(town: Town):
    dataset = town.publish(HALL.format("第一").encode(), "hall.csv", title="公民館")
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    for turn in range(4):
        clerks = [town.staff(f"staff-{n}") for n in range(2)]
        before = versions(town, resource)
        works = [
            (who, who.send(HALL.format(f"{turn}の{n}").encode(), "hall.csv", dataset=dataset, resource=resource))
            for n, who in enumerate(clerks)
        ]
        statuses = together(*works)
        assert set(statuses) <= {303, 409} and 303 in statuses, statuses
        after = versions(town, resource)
        assert after == list(range(1, len(before) + statuses.count(303) + 1)), "no gap, no double"
        rows = town.visitor().get(f"/opendata/data/{resource}.json", page=False).json()
        told = town.visitor().result("resource_show", id=resource)
        file = town.visitor().get(told["url"].removeprefix("http://127.0.0.1:8080"), page=False).text
        assert rows["total"] == 1 and rows["rows"][0]["名称"] in file, "rows and file are of one version"


def test_one_form_sent_twice_at_once_is_one_data_set(town: Town):
    staff = town.staff()
    draft = staff.send(HALL.format("第一").encode(), "hall.csv")
    statuses = together((staff, draft), (staff, draft))
    assert 303 in statuses and set(statuses) <= {303, 404, 409}, statuses
    assert len(town.service.extras["catalogue"].refresh().entries) == 1
    assert len(town.events("opendata.dataset.published.v1")) == 1


def test_two_lists_of_one_kind_would_have_the_same_address_and_both_data_sets_are_there(town: Town, neighbour: Town):
    works = []
    for each in (town, neighbour, town):
        who = each.staff()
        works.append((who, who.send(AED, "aed.csv")))
    assert together(*works) == [303, 303, 303], [visible(town.staff().get("desk/").text)]
    names = [entry.name for entry in town.service.extras["catalogue"].refresh().entries.values()]
    assert len(names) == len(set(names)) == 3, names


def test_two_programs_make_a_data_set_of_one_name_and_one_is_told_in_ckans_words(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    """Both have looked whether the name is free before either has it."""
    looked, real = threading.Barrier(2), programs._check_name

    def check(*given: Any) -> None:
        real(*given)
        with suppress(threading.BrokenBarrierError):  # where one transaction waits for the other they do not meet
            looked.wait(2)

    monkeypatch.setattr(programs, "_check_name", check)

    def make(_: int) -> tuple[int, str]:
        answer = town.machine().act("package_create", name="hall", title="公民館")
        return answer.status_code, answer.text

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(make, range(2)))
    assert [status for status, _ in answers] == [200, 409], answers
    assert "That URL is already in use" in answers[1][1]
