"""The one document the gateway polls."""

from datetime import date

import pytest

from libs.common.actor import Actor
from libs.common.testing.service import NOW
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, NAKAGAWA, OOKI, OPERATOR, PREFECTURE
from services.tenants.use_cases import members, merging

GATEWAY = Actor("service", "gateway")


def test_its_shape_is_what_the_gateway_reads(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, "p-1", {"portal.admin", "eapply.reviewer"}, NOW)
    document = cloud.get("/internal/tenants/snapshot", GATEWAY).json()
    assert document["prefecture"] == PREFECTURE
    assert document["members"] == {"p-1": {OOKI: ["eapply.reviewer", "portal.admin"]}}
    assert document["labels"]["eapply"] == "電子申請"
    by_code = {tenant["code"]: tenant for tenant in document["tenants"]}
    assert len(by_code) == 61
    assert by_code["402311"] == {
        "id": NAKAGAWA,
        "code": "402311",
        "aliases": ["403059"],
        "name": "那珂川市",
        "kana": "なかがわし",
        "services": {},
        "off": [],
    }


def test_addresses_of_a_town_that_merged_lead_to_the_new_one_from_its_first_day_on(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=PREFECTURE) as session:
        made = merging.Merger([OOKI, NAKAGAWA], "405248", "大木那珂川市", "おおきなかがわし", "", date(2026, 11, 22))
        merging.merge(session, OPERATOR, made, "告示", NOW)

    def leading() -> dict[str, list[str]]:
        document = cloud.get("/internal/tenants/snapshot", GATEWAY).json()
        return {tenant["code"]: tenant["aliases"] for tenant in document["tenants"]}

    assert leading()["402311"] == ["403059"] and leading()[OOKI] == []
    cloud.clock.advance(days=2)
    assert sorted(leading()["405248"]) == ["402311", "403059", OOKI]


def test_unchanged_costs_one_number(cloud: Cloud) -> None:
    first = cloud.get("/internal/tenants/snapshot", GATEWAY)
    etag = first.headers["etag"]
    again = cloud.get("/internal/tenants/snapshot", GATEWAY, **{"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("change", ["member", "rule-less join", "day"])
def test_every_change_gives_a_new_one(cloud: Cloud, change: str) -> None:
    etag = cloud.get("/internal/tenants/snapshot", GATEWAY).headers["etag"]
    if change == "member":
        with cloud.database.transaction(tenant=OOKI) as session:
            members.grant(session, OPERATOR, OOKI, "p-1", {"portal.admin"}, NOW)
    elif change == "day":
        cloud.clock.advance(days=1)
    else:
        answer = cloud.post(f"/portal/{OOKI}/services/center/join", ADMIN, {"when": "now"})
        cloud.post(f"/operator/requests/{answer.headers['location'].rsplit('/', 1)[1]}/approve", OPERATOR)
    again = cloud.get("/internal/tenants/snapshot", GATEWAY, **{"if-none-match": etag})
    assert again.status_code == 200
    assert again.headers["etag"] != etag


def test_only_the_gateway_may_read_it(cloud: Cloud) -> None:
    for actor in (Actor("service", "eapply"), OPERATOR, ADMIN, Actor("guest", "g")):
        assert cloud.get("/internal/tenants/snapshot", actor, html=False).status_code in (401, 403)


def test_a_scheduled_service_is_told_with_its_dates(cloud: Cloud) -> None:
    answer = cloud.post(f"/portal/{OOKI}/services/center/join", ADMIN, {"when": "april"})
    cloud.post(f"/operator/requests/{answer.headers['location'].rsplit('/', 1)[1]}/approve", OPERATOR)
    document = cloud.get("/internal/tenants/snapshot", GATEWAY).json()
    town = next(tenant for tenant in document["tenants"] if tenant["id"] == OOKI)
    assert town["services"] == {"center": {"status": "scheduled", "from": "2027-04-01", "until": None}}
