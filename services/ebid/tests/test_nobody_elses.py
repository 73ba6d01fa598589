"""The wall between municipalities and between companies, walked route by route."""

from libs.common.testing.matrix import Matrix
from libs.common.testing.matrix import Town as MatrixTown
from services.ebid.tests.people import PDF, Town

CANARY = "カナリア舗装工事"


def prepared(town: Town) -> tuple[str, dict[str, str]]:
    """A draft with a paper, named by the canary, which another town must never see. Its id, and ids of what belongs to it."""
    town.register_trustees()
    tender = town.draft(title=CANARY)
    files = {"document": ("CANARY-plan.pdf", PDF, "application/pdf")}
    town.officer.post(f"desk/tenders/{tender}/documents", {"version": town.version(tender)}, files=files)
    page = town.officer.get(f"desk/tenders/{tender}").text
    return tender, {"file_id": page.split("/documents/")[1].split("/")[0]}


def test_no_route_lets_another_municipality_or_role_through(town: Town, neighbour: Town, issuers):
    tender, ids = prepared(town)
    values = {
        "tender_id": tender,
        **ids,
        "letter_id": "none",
        "company_id": "none",
        "question_id": "none",
        "ocid": "none",
        "name": "none.js",
        "plan_id": "none",
        "delegation_id": "none",
        "suspension_id": "none",
        "outage_id": "none",
        "event_id": "none",
        "job_id": "none",
        "notice_id": "none",
    }
    matrix = Matrix(
        town.app, "ebid", issuers, home=MatrixTown("402036", "402036"), other=MatrixTown("401307", "401307"),
        values=values, canaries=[CANARY, "CANARY-plan"],
    )  # fmt: skip
    assert CANARY in town.officer.get(f"desk/tenders/{tender}").text, "the canary can be seen by its officers"
    assert matrix.count() > 300
    assert [str(finding) for finding in matrix.walk()] == []


def test_a_draft_does_not_exist_for_the_public(town: Town):
    tender, ids = prepared(town)
    for path in ("", "bundle.json", f"documents/{ids['file_id']}"):
        assert town.guest().get(f"tenders/{tender}/{path}").status_code == 404, path
    assert CANARY not in town.guest().get("").text + town.guest().get("/ebid/").text
    assert CANARY not in town.guest().get("ocds/releases").text


def test_a_company_reads_its_own_notices_and_receipts_only(town: Town):
    tender = town.publish()
    one, two = town.company(1), town.company(2)
    one.bid(tender, 9_000_000)
    assert one.get(f"tenders/{tender}/receipt.json", page=False).status_code == 200
    assert two.get(f"tenders/{tender}/receipt.json", page=False).status_code == 409
    town.close()
    town.open(tender)
    letter = one.get("mine").text.split("/letters/")[1].split('"')[0]
    assert one.get(f"letters/{letter}").status_code == 200
    assert two.get(f"letters/{letter}").status_code == 404


def test_each_role_does_its_own_part(town: Town):
    tender = town.draft(**{"trustees": []})
    for path in (f"desk/tenders/{tender}", "desk/new", "desk/suspensions", "fragments/desk"):
        assert town.manager.get(path).status_code == 403, path
        assert town.trustee("trustee-1").get(path).status_code == 403, path
    assert town.officer.get("desk/approvals").status_code == 403
    assert town.officer.get("desk/trustees").status_code == 403
    assert town.manager.get("desk/").url.path.endswith("/approvals"), "the desk leads each to their own room"
    assert town.trustee("trustee-1").get("desk/").url.path.endswith("/trustees")
    assert town.company(1).get("desk/").status_code == 403
