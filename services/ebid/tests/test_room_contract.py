"""The room of e-bidding keeps the contract of rooms."""

from typing import Any

import pytest
from sqlalchemy import select

from libs.common.errors import Conflict
from libs.common.files import Store
from libs.common.room import Room, RoomRequest, drain
from libs.common.room.rows import dumped
from libs.common.service import Service
from libs.common.testing.room_contract import RoomContract
from libs.common.testing.service import NOW, Issuers
from services.ebid.db import Base
from services.ebid.rooms import EbidRoom, rows
from services.ebid.tests.people import PDF, Town, open_room


def fill(town: Town) -> str:
    """A concluded tender with a paper, a question, an applicant, bids and notices, and a draft."""
    town.register_trustees()
    tender = town.draft(method="open", apply_until=town.form()["questions_until"])
    files = {"document": ("図面.pdf", PDF, "application/pdf")}
    town.officer.post(f"desk/tenders/{tender}/documents", {"version": town.version(tender)}, files=files)
    town.seal_limits(tender)
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    page = town.manager.get(f"desk/approvals/{tender}").text
    version = page.split('name="version" value="')[1].split('"')[0]
    town.manager.post(f"desk/approvals/{tender}/publish", {"version": version})
    company = town.company(int(town.code))
    company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "許可あり"})
    company.post(f"tenders/{tender}/send", {"act": "ask", "question": "工期は？"})
    page = town.officer.get(f"desk/tenders/{tender}").text
    applicant = page.split("/applications/")[1].split('"')[0]
    town.officer.post(f"desk/tenders/{tender}/applications/{applicant}", {"decision": "confirmed"})
    company.bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    assert town.conclude(tender).status_code == 200
    town.draft(title="書きかけ")
    return tender


class TestEbidRoom(RoomContract):
    metadata = Base.metadata

    def make_room(self, service: Service) -> Room:
        return EbidRoom(service)

    def store(self, service: Service) -> Store:
        return service.extras["files"]

    def furnish(self, service: Service, tenant: str) -> None:
        issuers = Issuers("ebid", "tenants")
        service.verifier = issuers.verifier("ebid")
        open_room(service, tenant, "試験市")
        service.clock._at = NOW  # type: ignore[attr-defined]
        fill(Town(service, issuers, tenant))

    def contents(self, service: Service, tenant: str) -> Any:
        """Every row that is carried, and the bytes of every paper."""
        with service.database.reading(tenant=tenant) as session:
            held: dict[str, Any] = {name: list(dumped(session, model)) for name, model in rows.CARRIED.items()}
            ids = session.scalars(select(rows.CARRIED["documents"].id)).all()  # type: ignore[attr-defined]
        return {**held, "files": sorted(service.extras["files"].read(tenant, file_id) for file_id in ids)}


def test_every_table_of_a_municipality_is_carried():
    from libs.common.tenancy import TenantTable

    own = {mapper.class_ for mapper in Base.registry.mappers if mapper.class_.metadata is Base.metadata}
    assert {each for each in own if issubclass(each, TenantTable)} == set(rows.CARRIED.values())


def test_nothing_is_exported_while_bids_lie_unopened(town: Town):
    town.publish()
    with pytest.raises(Conflict) as refused:
        drain(EbidRoom(town.service).export(RoomRequest("r", town.code, "export")))
    assert refused.value.code == "sealed-bids"
