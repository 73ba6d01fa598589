"""Two tenders of the same words, one with bids and one with none: whatever anybody but the bidders opens is the same, headers and refusals
included, but for the tenders' names, until the bids are opened: in a first round, by 指名, in a second round.

The addresses are the service's own list: a new page is looked at without anybody adding it here."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import RouteContext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from libs.common import access, audit
from libs.common.actor import Actor
from libs.common.jobs.table import JobRow
from libs.common.notices.table import NoticeRow
from libs.common.outbox import OutboxRow
from services.ebid.db import LetterRow, SubmissionRow
from services.ebid.tests.people import Browser, Company, Town
from services.ebid.tests.test_companies_join_for_a_tender import RULE, joined
from services.ebid.tests.test_odd_stories_end_well import again
from services.ebid.use_cases import participation

pytestmark = pytest.mark.any_store

Seen = dict[str, tuple[int, dict[str, str], bytes | str]]
RIVAL = "person-77"
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
OWN = {"x-request-id"}
"""Headers that differ by themselves."""
COUNTED_AT_THE_OPENING = {"trustee /t/{code}/ebid/desk/trustees/{tender_id}/opening.json"}
"""From the hour of the opening on a trustee's tool is given the envelopes."""


def people_of(town: Town) -> dict[str, Browser]:
    """Everybody who might want to count, each with every right of their kind. The rival has not bid."""
    operator = Actor(
        "operator", "operator-1", "運用 担当", town.code, town.code, frozenset({"operator"}), "two-factor", "o"
    )
    registry = Actor("service", "tenants", tenant=town.code, code=town.code)
    return {
        "guest": town.guest(),
        "rival": town.company(77, "株式会社競争相手"),
        "officer": town.officer,
        "manager": town.manager,
        "trustee": town.trustee("trustee-1"),
        "watcher": town.staff("watcher", "監視 委員", frozenset({"ebid.watcher"})),
        "administrator": town.staff("admin", "管理 者", frozenset({"portal.admin"})),
        "operator": Browser(town, operator),
        "registry": Browser(town, registry),
    }


def pages(town: Town) -> list[RouteContext]:
    """Every GET of the service, without those of files that stay as they are."""
    found = [each for each in access.routes_of(town.app) if "GET" in each.methods and "/static/" not in each.path]
    assert len(found) > 80
    ready = ("/health/", ".pyz", "openapi", "/ebid/tools", ".xlsx", "extension", "instances", "certificates")
    return [each for each in found if not any(part in each.path for part in ready)]


def opened_by_all(town: Town, people: dict[str, Browser], tender: str, company_id: str) -> Seen:
    """What everybody gets at every address, with the ids of this tender and of a company that may have bid."""
    told = next(each["data"] for each in town.events("ebid.tender.published.v1") if each["data"]["tender_id"] == tender)
    values = {"code": town.code, "tender_id": tender, "ocid": told["ocid"], "company_id": company_id}
    seen: Seen = {}
    for route in pages(town):
        path = re.sub(r"{(\w+)[^}]*}", lambda name: values.get(name[1], "none"), route.path)
        for who, browser in people.items():
            if may(route, browser.actor):
                answer = browser.get(path, follow_redirects=False)
                headers = {name: value for name, value in answer.headers.items() if name not in OWN}
                seen[f"{who} {route.path}"] = answer.status_code, headers, answer.content
    return seen


def may(route: RouteContext, actor: Actor) -> bool:
    """Whether the route is for this actor; what is for everybody is opened by a guest and by the rival alone."""
    rule = access.rule_of(route)
    if rule is None or (rule.name == "public" and actor.kind != "guest" and actor.subject != RIVAL):
        return False
    known = rule.role is None or actor.has(rule.role)
    return actor.kind in rule.kinds and known and rule.caller in (None, actor.subject)


def without_names(town: Town, seen: Seen) -> Seen:
    """Without what names a tender or one of its log entries: ids, numbers, digests. Without papers, whose lines break by those: they are
    looked at byte by byte before and after the bids."""
    known = [each["data"] for each in town.events("ebid.tender.published.v1")]
    names = "|".join(re.escape(each[name]) for each in known for name in ("tender_id", "number", "ocid"))
    named = re.compile(f"({names})(-[0-9]{{6}})?|[0-9a-f]{{64}}|{UUID}")
    return {
        place: (
            status,
            {name: named.sub("-", value) for name, value in headers.items()},
            named.sub("-", words(content)),
        )
        for place, (status, headers, content) in seen.items()
        if isinstance(content, bytes) and not content.startswith(b"%PDF")
    }


def words(content: bytes | str) -> str:
    assert isinstance(content, bytes)
    return content.decode().replace("\r\n ", "")  # lines of a calendar are folded


def differing(one: Seen, other: Seen) -> set[str]:
    assert one.keys() == other.keys()
    return {place for place in one if one[place] != other[place]}


def told(town: Town) -> tuple[Any, ...]:
    """What was written down for others than the bidders: record of use, events, letters, mails, jobs. Every `look` asks for the opening
    before its hour, which is recorded whatever there is to open."""
    with town.service.database.reading(tenant=town.code) as session:
        kept = (OutboxRow, LetterRow, NoticeRow, JobRow)
        counts = [session.scalar(select(func.count()).select_from(row)) for row in kept]
        actions = [each.action for each in audit.entries(session, limit=500)]
        return [action for action in actions if action != "ebid.opening.too-early"], counts


def first_round(town: Town) -> tuple[str, str, list[Company]]:
    busy, empty = (town.publish(**RULE, paper="1") for _ in range(2))
    companies = [town.company(serial) for serial in range(1, 6)]
    joined(busy, companies[1], companies[2])
    return busy, empty, [companies[0], companies[1], companies[3]]


def by_invitation(town: Town) -> tuple[str, str, list[Company]]:
    companies = [town.company(serial) for serial in range(1, 4)]
    made = [town.publish(method="selective") for _ in range(2)]
    for tender in made:
        for company in companies:
            given = {"corporate_number": company.number}
            assert town.officer.post(f"desk/tenders/{tender}/invitations", given).status_code == 200
    return made[0], made[1], companies


def second_round(town: Town) -> tuple[str, str, list[Company]]:
    company = town.company(1)
    made = [town.publish() for _ in range(2)]
    for tender in made:
        company.bid(tender, 10_500_000)
    town.close()
    for tender in made:
        town.open(tender)
        again(town, tender)
    return made[0], made[1], [company]


SPANS = {first_round: 5, by_invitation: 5, second_round: 3}
"""Days to the deadline."""


@pytest.mark.parametrize("begun", SPANS)
def test_with_bids_and_without_everybody_else_sees_the_same(town: Town, begun: Callable[[Town], Any]):
    people = people_of(town)
    busy, empty, bidders = begun(town)
    settle(town)
    company_id = town.registration(bidders[0].number).rsplit("/", 1)[1]

    def look(tender: str) -> Seen:
        return opened_by_all(town, people, tender, company_id)

    before, was = look(busy), told(town)
    assert before["guest /t/{code}/ebid/tenders/{tender_id}/"][0] == 200
    assert before["officer /t/{code}/ebid/desk/tenders/{tender_id}"][0] == 200
    for serial, company in enumerate(bidders):
        if serial == 2:
            assert company.post(f"tenders/{busy}/send", {"act": "decline"}).status_code == 200
        else:
            company.bid(busy, 9_000_000 + serial)
    assert differing(look(busy), before) == set()
    assert told(town) == was
    town.advance(days=SPANS[begun], minutes=30)
    town.work()
    assert differing(without_names(town, look(busy)), without_names(town, look(empty))) == set()
    town.advance(hours=1)
    seen = without_names(town, look(busy)), without_names(town, look(empty))
    assert differing(*seen) == COUNTED_AT_THE_OPENING


def settle(town: Town) -> None:
    town.advance(seconds=301)
    town.work()


def test_the_look_sees_one_word_more_on_any_page(town: Town, monkeypatch: pytest.MonkeyPatch):
    """Planted: a desk that counts, and a header that does."""
    people, tender, company = people_of(town), town.publish(), town.company(1)
    before = opened_by_all(town, people, tender, "none")
    listed = participation.listed

    def counting(session: Session, row: Any) -> Any:
        row.title += "・" * (session.scalar(select(func.count()).select_from(SubmissionRow)) or 0)
        return listed(session, row)

    monkeypatch.setattr(participation, "listed", counting)
    assert differing(opened_by_all(town, people, tender, "none"), before) == set()
    company.bid(tender, 9_000_000)
    assert "officer /t/{code}/ebid/desk/tenders/{tender_id}" in differing(
        opened_by_all(town, people, tender, "none"), before
    )
