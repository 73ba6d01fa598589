"""Every route of the registry, walked with identities that must not get through (the cross-tenant matrix)."""

from datetime import date

from libs.common.actor import Actor
from libs.common.testing.matrix import Matrix, Town
from libs.common.testing.service import NOW
from services.tenants.tests.cloud import Cloud
from services.tenants.use_cases import members, subscribe, support

HOME, OTHER = Town("402036", "402036"), Town("402044", "402044")
PERSON = "01900000-0000-7000-8000-00000000beef"
CANARY = "かなりあの鳴く理由"
OPERATOR = Actor("operator", "operator-1", tenant="400009", code="400009", roles=frozenset({"operator"}))
ADMIN = Actor("staff", PERSON, "見本", HOME.tenant, HOME.code, frozenset({"portal.admin"}), "password", "s-1")


def test_no_route_lets_another_municipality_or_role_through(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=HOME.tenant) as session:
        members.grant(session, ADMIN, HOME.tenant, PERSON, {"portal.admin"}, NOW)
        asked = subscribe.request(
            session, ADMIN, HOME.tenant, "eapply", "join", effective_from=date(2027, 4, 1), now=NOW
        ).id
        subscribe.refuse(session, OPERATOR, asked, CANARY, NOW)
        told = support.Told("400009", "久留米市", HOME.code, "http://cloud.test")
        thread = support.ask(session, ADMIN, CANARY, "", CANARY, [], told, NOW).id
    values = {
        "request_id": asked,
        "tenant": HOME.tenant,
        "person_id": PERSON,
        "service": "eapply",
        "action": "join",
        "town": HOME.tenant,
        "drill_id": "none",
        "kind": "dead",
        "ident": "none",
        "event_id": "none",
        "step": "redrive",
        "thread_id": thread,
        "import_id": "none",
        "file_id": "none",
        "department_id": "none",
        "delegation_id": "none",
        "name": "none",
        "invoice_id": "none",
        "plan_id": "none",
        "takeout_id": "none",
        "reservation_id": "none",
        "decision": "approve",
        "indicator_id": "none",
        "year": "2018",
        "key": "none",
    }
    assert CANARY in cloud.get(f"/portal/{HOME.code}/support/{thread}", ADMIN).text
    matrix = Matrix(
        cloud.client.app,  # type: ignore[arg-type]
        "tenants",
        cloud.issuers,
        home=HOME,
        other=OTHER,
        values=values,
        canaries=[CANARY],
    )
    page = cloud.get(f"/portal/{HOME.code}/requests/{asked}", ADMIN)
    assert page.status_code == 200 and CANARY in page.text, "the canary can be seen by those it belongs to"
    assert matrix.count() > 300
    found = [str(finding) for finding in matrix.walk()]
    # The catalogue's services are everybody's: another town's staff see their own page of the same service.
    # An empty form about somebody who is not a member there is refused before anybody is looked for (400).
    there = [f for f in found if "another town's staff with this town's ids: answered" in f]
    own = [f for f in there if "/services/{service}" in f or "answered 400" in f]
    assert own, "planted: an answer that is not a refusal is found"
    assert not set(found) - set(own), "\n".join(found)
