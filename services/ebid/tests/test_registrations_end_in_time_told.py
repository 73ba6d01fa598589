"""A company learns in time that its registration ends: by notice, on its page, and at the desk."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from libs.common.clock import local_date
from libs.common.notices import NoticeRow
from services.ebid.db import CompanyRow
from services.ebid.domain import company as rules
from services.ebid.tests.people import Company, Town, visible
from services.ebid.use_cases import endings

pytestmark = pytest.mark.any_store

END = date(2028, 3, 31)


@pytest.mark.parametrize(
    ("left", "due"),
    [(91, None), (90, 90), (89, 90), (31, 90), (30, 30), (1, 30), (0, 30), (-1, -1), (-30, -1), (-31, None)],
)
def test_which_alert_is_due(left: int, due: int | None):
    assert rules.alert(END, END - timedelta(days=left)) == due


def told(town: Town) -> list[tuple[str, str]]:
    with town.service.database.reading() as session:
        found = select(NoticeRow).where(NoticeRow.template == endings.MAIL.name).order_by(NoticeRow.id)
        return [(row.person or "", row.subject) for row in session.scalars(found)]


def ends_in(town: Town, company: Company, days: int) -> None:
    """As if it had been registered long ago."""
    with town.service.database.transaction() as session:
        row = session.scalars(select(CompanyRow).where(CompanyRow.corporate_number == company.number)).one()
        row.valid_until = local_date(town.service.clock.now()) + timedelta(days=days)


def test_it_is_told_90_and_30_days_before_and_on_the_day_after_each_once(town: Town):
    company, other = town.company(1), town.company(2)
    ends_in(town, company, 91)
    town.work()
    assert told(town) == []
    said = []
    for days in (1, 1, 59, 1, 29, 1, 1, 1):  # 90, 89, 30, 29, 0, -1, -2, -3 days are left
        town.advance(days=days)
        town.work()
        said.append(len(told(town)))
    assert said == [1, 1, 2, 2, 2, 3, 3, 3]
    assert {person for person, _ in told(town)} == {company.actor.subject}
    assert "あと90日" in told(town)[0][1] and "あと30日" in told(town)[1][1] and "終わりました" in told(town)[2][1]
    page = visible(company.get("/ebid/company").text)
    assert "登録の期限が切れています" in page and "あと90日" in page, "the notices stand on the page, too"
    company.post("/ebid/company", company.form())
    town.work()
    assert len(told(town)) == 3, "renewed"
    assert "期限が切れています" not in company.get("/ebid/company").text
    assert "まで有効です" in visible(other.get("/ebid/company").text)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_that_stood_still_tells_the_latest_only_and_all_of_a_day_in_portions(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(endings, "PORTION", 2)
    for serial in (1, 2, 3):
        ends_in(town, town.company(serial), 5)
    town.work()
    assert len(told(town)) == 3 and all("あと5日" in subject for _, subject in told(town))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_page_and_the_desk_say_when_it_ends_soon(town: Town):
    tender = town.publish(method="selective")
    company = town.company(1)
    town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": company.number})
    ends_in(town, company, 40)
    desk = visible(town.officer.get(f"desk/tenders/{tender}").text)
    for page in (desk, visible(company.get("mine").text)):
        assert "登録はあと40日" in page
    assert "もうすぐ終わります" in visible(company.get("/ebid/company").text)
