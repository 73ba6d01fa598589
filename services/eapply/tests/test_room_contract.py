"""The room of e-application keeps the contract of rooms."""

from typing import Any

from sqlalchemy import select

from libs.common import inbox
from libs.common.files import Store
from libs.common.room import Room, RoomRow
from libs.common.service import Service
from libs.common.testing.room_contract import RoomContract
from libs.common.testing.service import NOW, Issuers
from services.eapply import worker
from services.eapply.db import Base
from services.eapply.rooms import EapplyRoom, tables
from services.eapply.tests.people import Town, open_room
from services.eapply.tests.test_a_citizen_applies import claim_child_allowance
from services.eapply.tests.test_staff_decide import mended, returned


class TestEapplyRoom(RoomContract):
    metadata = Base.metadata

    def make_room(self, service: Service) -> Room:
        return EapplyRoom(service)

    def store(self, service: Service) -> Store:
        return service.extras["files"]

    def furnish(self, service: Service, tenant: str) -> None:
        """A corrected application, one with an attachment, and a draft, made as people make them."""
        issuers = Issuers("eapply", "tenants")
        service.verifier = issuers.verifier("eapply")
        open_room(service, tenant, "試験市")
        town = Town(service, issuers, tenant)
        guest, _, sent = returned(town)
        mended(guest, sent, people="1", wish="い")
        claim_child_allowance(town.person())
        town.guest("thief").post("enquiry", {"number": sent.number, "key": "2222-3333-4444"})
        guest.post(f"{guest.start('event-moushikomi')}/entry/save", {"name": "𠮷田"})

    def contents(self, service: Service, tenant: str) -> Any:
        """Every row that is carried, and the bytes of every attachment."""
        with service.database.reading(tenant=tenant) as session:
            held: dict[str, Any] = {name: list(tables.dumped(session, name)) for name in tables.CARRIED}
            ids = session.scalars(select(tables.CARRIED["attachments"].id)).all()  # type: ignore[attr-defined]
        return {**held, "files": sorted(service.extras["files"].read(tenant, file_id) for file_id in ids)}


def test_an_archive_of_another_municipality_is_refused(service: Service):
    import pytest

    from libs.common.errors import Invalid
    from libs.common.room import RoomRequest, drain

    room = EapplyRoom(service)
    drain(room.provision(RoomRequest("r", "402036", "provision")))
    facts = drain(room.export(RoomRequest("r", "402036", "export")))
    store: Store = service.extras["files"]
    moved = store.put("401307", [store.read("402036", facts["file"])], limit=10**9)
    with pytest.raises(Invalid) as refused:
        drain(room.import_(RoomRequest("r", "401307", "import", archive=moved.id)))
    assert refused.value.code == "another-tenant"


def test_an_archive_that_was_changed_is_refused(service: Service, elsewhere: Service):
    import io
    import zipfile

    import pytest

    from libs.common.errors import Invalid
    from libs.common.room import RoomRequest, drain

    drain(EapplyRoom(service).provision(RoomRequest("r", "402036", "provision")))
    facts = drain(EapplyRoom(service).export(RoomRequest("r", "402036", "export")))
    original = zipfile.ZipFile(io.BytesIO(service.extras["files"].read("402036", facts["file"])))
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in original.namelist():
            content = original.read(name)
            archive.writestr(
                name,
                content.replace("児童手当".encode(), "児童手富".encode()) if name == "procedures.jsonl" else content,
            )
    stored = elsewhere.extras["files"].put("402036", [forged.getvalue()], limit=10**9)
    with pytest.raises(Invalid) as refused:
        drain(EapplyRoom(elsewhere).import_(RoomRequest("r", "402036", "import", archive=stored.id)))
    assert refused.value.code == "bad-archive"


def test_a_new_name_is_shown_from_its_day_on_not_before(service: Service, town: Town):
    def heard(number: int, day: str) -> str | None:
        change = {"code": "402036", "name": "新久留米市", "from_date": day, "ended": False, "successor": None}
        envelope = {
            "specversion": "1.0", "id": f"e-{number}", "source": "/services/tenants", "type": "tenants.municipality.changed.v1",
            "subject": "402036", "time": NOW.isoformat(), "tenantid": "402036", "sequence": number, "traceparent": None,
            "datacontenttype": "application/json", "data": change,
        }  # fmt: skip
        with service.database.transaction() as session:
            inbox.receive(session, [envelope], NOW)
        while inbox.handle_next(service.database, worker.subscriptions, service.clock):
            pass
        with service.database.reading() as session:
            return session.get_one(RoomRow, "402036").name

    assert heard(1, "2026-11-21") == "久留米市", "tomorrow's name"
    assert heard(2, "2026-11-20") == "新久留米市"
