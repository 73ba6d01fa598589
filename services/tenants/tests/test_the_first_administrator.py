"""An operator lets the first administrator of a municipality in, from the browser; whom that one lets in is the town's own matter."""

import pytest

from services.tenants.db import members as members_db
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_pages_in_other_languages import japanese_in

PAGE = f"/operator/registry/{OOKI}/admins"
FORM = {"email": "jouhou@town.example", "name": "梅野 節子"}
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def known(cloud: Cloud, *, active: bool) -> None:
    person = {"id": "person-new", "display_name": "梅野 節子", "email": FORM["email"], "active": active}
    cloud.others.answers["GET", "/internal/gateway/persons"] = (200, [person])


def invite(cloud: Cloud, **form: str) -> int:
    cloud.others.answers["POST", "/internal/gateway/invitations"] = (201, {"person_id": "person-new"})
    return cloud.post(PAGE, OPERATOR, FORM | form).status_code


def admins(cloud: Cloud) -> dict[str, set[str]]:
    with cloud.database.reading() as session:
        return members_db.roles_of(session, OOKI)


def test_a_municipality_nobody_can_enter_gets_its_first_administrator(cloud: Cloud) -> None:
    assert "まだいません" in cloud.get("/operator/registry", OPERATOR).text
    assert PAGE in cloud.get(f"/operator/registry/{OOKI}", OPERATOR).text
    assert "まだ、だれもいません" in cloud.get(PAGE, OPERATOR).text
    assert invite(cloud) == 303
    assert admins(cloud) == {"person-new": {"portal.admin"}}
    known(cloud, active=False)
    page = cloud.get(PAGE, OPERATOR)
    assert "梅野 節子" in page.text and "招待中" in page.text
    assert not japanese_in(
        cloud.get(PAGE, OPERATOR, cookie="lang=en").text.replace("梅野 節子", "").replace("大木町", "")
    )
    assert "職員を招待しました" in cloud.get(f"/portal/{OOKI}/records/", ADMIN).text, "in the municipality's own record"


def test_a_mistyped_address_does_not_lock_the_municipality_out(cloud: Cloud) -> None:
    invite(cloud)
    known(cloud, active=False)
    cloud.others.answers["POST", "/internal/gateway/invitations"] = (201, {"person_id": "person-right"})
    assert cloud.post(PAGE, OPERATOR, FORM).status_code == 303
    assert set(admins(cloud)) == {"person-new", "person-right"}


def test_operators_add_nobody_to_a_municipality_that_has_an_administrator(cloud: Cloud) -> None:
    invite(cloud)
    known(cloud, active=True)
    assert "招待のメールを送る" not in cloud.get(PAGE, OPERATOR).text
    refused = cloud.post(PAGE, OPERATOR, {"email": "operator@cloud.example", "name": "運用"})
    assert refused.status_code == 409 and "もう管理者がいます" in refused.text
    del cloud.others.answers["GET", "/internal/gateway/persons"]
    assert invite(cloud) == 409, "nobody knows whether the one there is can sign in"
    assert set(admins(cloud)) == {"person-new"}


@pytest.mark.parametrize("wrong", [{"email": "jouhou"}, {"name": " "}, {"email": "a@" + "x" * 400}])
def test_a_wrong_form_comes_back_with_what_was_typed(cloud: Cloud, wrong: dict[str, str]) -> None:
    cloud.others.answers["POST", "/internal/gateway/invitations"] = (201, {"person_id": "person-new"})
    refused = cloud.post(PAGE, OPERATOR, FORM | wrong)
    assert refused.status_code == 422 and (FORM | wrong)["email"] in refused.text
    assert admins(cloud) == {}


def test_only_operators_and_only_for_a_municipality_that_exists(cloud: Cloud) -> None:
    for actor in (ADMIN, MEMBER):
        assert cloud.get(PAGE, actor).status_code in (403, 404)
        assert cloud.post(PAGE, actor, FORM).status_code in (403, 404)
    assert cloud.get("/operator/registry/403059x/admins", OPERATOR).status_code == 404
    assert cloud.post("/operator/registry/123456/admins", OPERATOR, FORM).status_code == 404
