"""The wall between municipalities, walked route by route; and what lies behind it in drafts is nobody's to read."""

from libs.common.testing.matrix import Matrix
from libs.common.testing.matrix import Town as MatrixTown
from services.opendata.tests.people import AED, Town

CANARY = "カナリア公民館"


def test_no_route_lets_another_municipality_or_role_through(town: Town, neighbour: Town, issuers):
    public = town.publish()
    staff = town.staff()
    draft = staff.send(AED.replace("大溝小学校".encode("cp932"), CANARY.encode("cp932")), "canary-list.csv")
    assert CANARY in staff.get(draft).text, "the canary can be seen by its owner"
    resource = town.visitor().result("package_show", id=public)["resources"][0]["id"]
    values = {
        "draft_id": draft.rpartition("/")[2],
        "dataset_id": public,
        "resource_id": resource,
        "name": town.name_of(public),
        "kind": "dataset",
        "filename": "aed.csv",
        "format": "json",
        "view": "table",
        "action": "package_list",
        "stream_id": "0198f0a0-0000-7000-8000-000000000001",
        "path": "Things",
        "harvest_id": "0198f0a0-0000-7000-8000-000000000002",
        "request_id": "0198f0a0-0000-7000-8000-000000000003",
        "app_id": "0198f0a0-0000-7000-8000-000000000004",
        "webhook_id": "0198f0a0-0000-7000-8000-000000000005",
        "delivery_id": "0198f0a0-0000-7000-8000-000000000006",
        "act": "pause",
        "event_id": "none",
        "job_id": "none",
        "notice_id": "none",
        "token": "none",
    }
    matrix = Matrix(
        town.app, "opendata", issuers, home=MatrixTown(town.code, town.code), other=MatrixTown(neighbour.code, neighbour.code),
        values=values, canaries=[CANARY, "canary-list"],
    )  # fmt: skip
    assert matrix.count() > 300
    assert [str(finding) for finding in matrix.walk()] == []


def test_another_towns_staff_and_programs_change_nothing_of_ours(town: Town, neighbour: Town):
    dataset = town.publish()
    stranger, program = neighbour.staff(), neighbour.machine()
    assert stranger.get(f"desk/datasets/{dataset}").status_code == 404
    assert stranger.post(f"desk/datasets/{dataset}/withdraw", {"reason": "ほかの町のデータです"}).status_code == 404
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    for action, given in (
        ("package_patch", {"id": dataset, "title": "奪った"}),
        ("package_delete", {"id": dataset}),
        ("resource_delete", {"id": resource}),
        ("resource_patch", {"id": resource, "name": "奪った"}),
        ("resource_create", {"package_id": dataset, "url": "http://example.com/"}),
    ):
        assert program.act(action, **given).status_code == 404, action
    assert town.visitor().result("package_show", id=dataset)["title"] == "AED設置箇所一覧"


def test_a_key_without_the_scope_and_nobody_at_all_write_nothing(town: Town):
    for who in (town.machine("eapply.read"), town.visitor(), town.staff()):
        answer = who.act("package_create", name="stolen", owner_org=town.code)
        assert answer.status_code == 403
        assert answer.json()["error"]["__type"] == "Authorization Error"
    assert town.visitor().result("package_list") == []


def test_a_draft_is_seen_by_nobody_outside(town: Town):
    staff = town.staff()
    staff.send()
    assert town.visitor().result("package_list") == []
    with town.service.database.reading(tenant=town.code) as session:
        from services.opendata.db import datasets

        table = datasets.drafts(session)[0].repaired_table
    assert town.visitor().get(f"/opendata/data/{table}.json").status_code == 404
