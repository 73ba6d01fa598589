"""Departments; one service's or one department's rights in a colleague's hands until a day, lost at once when ended."""

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from libs.common.actor import Actor
from libs.common.testing.service import NOW
from services.tenants.db import departments as db
from services.tenants.db import members as members_db
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI, OPERATOR
from services.tenants.use_cases import members

pytestmark = pytest.mark.any_store

GATEWAY = Actor("service", "gateway")
HOME = f"/portal/{OOKI}/"
CHIEF = Actor(
    "staff", "p-chief", "係長 一郎", OOKI, OOKI, frozenset({"eapply.reviewer", "portal.delegate"}), "password", "sid-5"
)
ELSEWHERE = Actor(
    "staff", "p-k", "久留米 太郎", KURUME, KURUME, frozenset({"portal.admin", "portal.delegate"}), "password", "sid-k"
)
TODAY = date(2026, 11, 20)
LAST = date(2026, 12, 31)


@pytest.fixture(autouse=True)
def people(cloud: Cloud) -> None:
    for tenant, person, role in (
        (OOKI, ADMIN.subject, "portal.admin"), (OOKI, CHIEF.subject, "eapply.reviewer"), (OOKI, "p-clerk", "opendata.publisher"),
        (OOKI, "p-other", "backup.manager"), (KURUME, ELSEWHERE.subject, "portal.admin"),
    ):  # fmt: skip
        with cloud.database.transaction(tenant=tenant) as session:
            members.grant(session, OPERATOR, tenant, person, {role}, NOW)


def delegate(cloud: Cloud, what: str = "service:eapply", until: date = LAST, person: str = CHIEF.subject) -> str:
    sent = cloud.post(f"{HOME}delegations/", ADMIN, {"person": person, "what": what, "until": until.isoformat()})
    assert sent.status_code == 303, sent.text
    with cloud.database.reading() as session:
        return next(r.id for r in db.holding(session, TODAY, OOKI) if f"{r.kind}:{r.subject}" == what)


def department(
    cloud: Cloud, name: str = "総務課", services: tuple[str, ...] = ("opendata",), people: tuple[str, ...] = ()
) -> str:
    assert cloud.post(f"{HOME}departments/", ADMIN, {"name": name, "services": list(services)}).status_code == 303
    with cloud.database.reading(tenant=OOKI) as session:
        ident = next(row.id for row in db.departments(session) if row.name == name)
    form = {"name": name, "services": list(services), "people": list(people)}
    assert cloud.post(f"{HOME}departments/{ident}", ADMIN, form).status_code == 303
    return ident


def told_to_gateway(cloud: Cloud, person: str = CHIEF.subject) -> list[str]:
    return cloud.get("/internal/tenants/snapshot", GATEWAY).json()["members"].get(person, {}).get(OOKI, [])


def roles(cloud: Cloud, person: str) -> set[str]:
    with cloud.database.reading() as session:
        return members_db.roles_of(session, OOKI).get(person, set())


def test_one_service_is_administered_and_nothing_beside_it(cloud: Cloud) -> None:
    assert "portal.delegate" not in told_to_gateway(cloud)
    ident = delegate(cloud)
    assert "portal.delegate" in told_to_gateway(cloud), "the gateway asks every second"
    page = cloud.get(f"{HOME}delegated/", CHIEF).text
    assert 'value="eapply.manager"' in page and "portal.admin" not in page and "opendata.publisher" not in page
    given = cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, {"roles": ["eapply.reviewer", "eapply.manager"]})
    assert given.status_code == 303
    assert roles(cloud, "p-clerk") == {"eapply.reviewer", "eapply.manager", "opendata.publisher"}, "other rights stay"
    for person, wanted in (
        ("p-clerk", ["portal.admin"]), ("p-clerk", ["ebid.trustee"]), (CHIEF.subject, ["eapply.manager"]), ("nobody", ["eapply.manager"]),
    ):  # fmt: skip
        assert cloud.post(f"{HOME}delegated/{ident}/{person}", CHIEF, {"roles": wanted}).status_code == 403
    assert roles(cloud, CHIEF.subject) == {"eapply.reviewer"}
    assert cloud.get(f"{HOME}members/", CHIEF).status_code == 403


def test_what_is_ended_is_lost_at_once_even_with_an_old_token(cloud: Cloud) -> None:
    ident = delegate(cloud)
    assert cloud.post(f"{HOME}delegations/{ident}/end", ADMIN).status_code == 303
    assert cloud.post(f"{HOME}delegations/{ident}/end", ADMIN).status_code == 303, "twice is once"
    assert cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, {"roles": ["eapply.manager"]}).status_code == 403
    assert "いま委任されていることはありません" in cloud.get(f"{HOME}delegated/", CHIEF).text
    assert told_to_gateway(cloud) == ["eapply.reviewer"]


def test_it_holds_to_the_end_of_its_last_day(cloud: Cloud) -> None:
    ident = delegate(cloud, until=TODAY)
    etag = cloud.get("/internal/tenants/snapshot", GATEWAY).headers["etag"]
    cloud.clock.advance(hours=12)
    assert cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, {"roles": ["eapply.manager"]}).status_code == 303
    cloud.clock.advance(hours=2)
    again = cloud.get("/internal/tenants/snapshot", GATEWAY, **{"if-none-match": etag})
    assert again.status_code == 200 and told_to_gateway(cloud) == ["eapply.reviewer"], "midnight needs nobody"
    assert cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, {"roles": []}).status_code == 403


def test_a_department_is_administered_for_its_people_and_its_services(cloud: Cloud) -> None:
    office = department(cloud, people=("p-clerk", CHIEF.subject))
    ident = delegate(cloud, f"department:{office}")
    assert "総務課" in cloud.get(f"{HOME}delegated/", CHIEF).text
    allowed = {"roles": ["opendata.publisher", "opendata.manager"]}
    assert cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, allowed).status_code == 303
    assert roles(cloud, "p-clerk") == {"opendata.publisher", "opendata.manager"}
    assert cloud.post(f"{HOME}delegated/{ident}/p-other", CHIEF, allowed).status_code == 403, "of another department"
    assert cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, {"roles": ["eapply.manager"]}).status_code == 403
    last = cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, {"roles": []})
    assert last.status_code == 422 and "管理者に頼んでください" in last.text
    assert cloud.post(f"{HOME}departments/{office}/remove", ADMIN).status_code == 303
    assert told_to_gateway(cloud) == ["eapply.reviewer"] and roles(cloud, "p-clerk"), "its people keep their roles"
    assert cloud.post(f"{HOME}delegated/{ident}/p-clerk", CHIEF, allowed).status_code == 403


def test_who_leaves_the_municipality_administers_nothing(cloud: Cloud) -> None:
    office = department(cloud, people=(CHIEF.subject,))
    delegate(cloud)
    cloud.post(f"{HOME}members/{CHIEF.subject}", ADMIN, {})
    assert told_to_gateway(cloud) == []
    with cloud.database.reading(tenant=OOKI) as session:
        assert db.holding(session, TODAY, OOKI) == [] and office not in db.people(session)
    with cloud.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, CHIEF.subject, {"eapply.reviewer"}, NOW)
    assert told_to_gateway(cloud) == ["eapply.reviewer"], "coming back brings nothing back"


def test_another_municipality_neither_sees_nor_touches_it(cloud: Cloud) -> None:
    office = department(cloud, people=("p-clerk",))
    ident = delegate(cloud)
    there = f"/portal/{KURUME}/"
    assert "総務課" in cloud.get(f"{HOME}departments/", ADMIN).text, "planted"
    assert "総務課" not in cloud.get(f"{there}departments/", ELSEWHERE).text
    assert cloud.post(f"{there}departments/{office}", ELSEWHERE, {"name": "x"}).status_code == 404
    assert cloud.post(f"{there}departments/{office}/remove", ELSEWHERE).status_code == 404
    assert cloud.post(f"{there}delegations/{ident}/end", ELSEWHERE).status_code == 404
    assert cloud.post(f"{there}delegated/{ident}/p-clerk", ELSEWHERE, {"roles": ["eapply.manager"]}).status_code == 404
    taken = cloud.post(
        f"{there}delegations/",
        ELSEWHERE,
        {"person": ELSEWHERE.subject, "what": f"department:{office}", "until": "2026-12-01"},
    )
    assert taken.status_code == 422
    colleague = replace(CHIEF, subject="p-clerk")
    assert cloud.post(f"{HOME}delegated/{ident}/p-other", colleague, {"roles": []}).status_code == 403, "not theirs"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"person": "nobody"}, "person"), ({"what": "service:nothing"}, "what"), ({"what": "service:center"}, "what"),
        ({"what": "department:none"}, "what"), ({"what": ""}, "what"), ({"until": ""}, "until"), ({"until": "soon"}, "until"),
        ({"until": (TODAY - timedelta(days=1)).isoformat()}, "until"), ({"until": "2028-01-01"}, "until"),
    ],
)  # fmt: skip
def test_a_delegation_that_cannot_be_is_said_beside_the_field(cloud: Cloud, form: dict[str, str], field: str) -> None:
    whole = {"person": CHIEF.subject, "what": "service:eapply", "until": LAST.isoformat()}
    answer = cloud.post(f"{HOME}delegations/", ADMIN, whole | form)
    assert answer.status_code == 422 and f'id="{field}-error"' in answer.text
    assert told_to_gateway(cloud) == ["eapply.reviewer"]


def test_departments_that_cannot_be_are_refused(cloud: Cloud) -> None:
    department(cloud)
    for form in ({"name": " "}, {"name": "あ" * 61}, {"name": "総務課"}, {"name": "x", "services": ["center"]}):
        answer = cloud.post(f"{HOME}departments/", ADMIN, form)
        assert answer.status_code == 422 and re.search(r'id="(name|services)-error"', answer.text)
    ident = department(cloud, "税務課")
    twice = cloud.post(f"{HOME}departments/{ident}", ADMIN, {"name": "総務課", "people": ["p-clerk"]})
    assert twice.status_code == 422 and f'id="name-{ident}-error"' in twice.text, (
        "the form is there again, with what was chosen"
    )
    assert re.search(r'name="people" value="p-clerk"[^>]* checked', twice.text)
    stranger = cloud.post(f"{HOME}departments/{ident}", ADMIN, {"name": "税務課", "people": [ELSEWHERE.subject]})
    assert stranger.status_code == 422 and "職員ではない方" in stranger.text


def test_a_new_delegation_of_the_same_takes_the_place_of_the_old(cloud: Cloud) -> None:
    delegate(cloud, until=TODAY)
    delegate(cloud, until=LAST)
    with cloud.database.reading() as session:
        assert [row.until for row in db.holding(session, TODAY, OOKI)] == [LAST]
