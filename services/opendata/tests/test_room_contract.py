"""The room of open data keeps the contract of rooms; a suspended municipality's data is not shown and not lost."""

from typing import Any

from libs.common.files import Store
from libs.common.room import Room, RoomRequest, drain
from libs.common.room.rows import dumped
from libs.common.service import Service
from libs.common.testing.room_contract import RoomContract
from libs.common.testing.service import Issuers
from services.opendata.db import Base, published
from services.opendata.rooms import OpendataRoom, rows
from services.opendata.rooms.room import files_of
from services.opendata.tests.people import AED, Town, open_room


class TestOpendataRoom(RoomContract):
    metadata = Base.metadata

    def make_room(self, service: Service) -> Room:
        return OpendataRoom(service)

    def store(self, service: Service) -> Store:
        return service.extras["files"]

    def furnish(self, service: Service, tenant: str) -> None:
        """A published data set with two versions, a withdrawn one, a draft, made as people make them."""
        issuers = Issuers("opendata", "tenants")
        service.verifier = issuers.verifier("opendata")
        open_room(service, tenant, "試験市")
        town = Town(service, issuers, tenant)
        dataset = town.publish(title=f"AED {tenant}")
        resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
        staff = town.staff()
        staff.publish(staff.send(AED.replace(b"H31", b"H30"), dataset=dataset, resource=resource))
        gone = town.publish(b"a,b\r\n1,2\r\n", "numbers.csv", title="数の表")
        staff.post(f"desk/datasets/{gone}/withdraw", {"reason": "まちがえて公開しました。"})
        staff.send(AED, "later.csv")

    def contents(self, service: Service, tenant: str) -> Any:
        """Every row that is carried, the bytes of every file, and what the public sees."""
        store = self.store(service)
        with service.database.reading(tenant=tenant) as session:
            held: dict[str, Any] = {name: list(dumped(session, model)) for name, model in rows.CARRIED.items()}
            held["files"] = sorted(store.read(tenant, file_id) for file_id in files_of(session))
            held["public"] = sorted(
                (row.name, row.state) for row in published.of_tenant(session, tenant) if row.state != "deleted"
            )
        return held

    # While a room is suspended its data is not public: that is the promise, so the public part is compared afterwards.
    def test_content_survives_preparing_suspending_and_resuming(self, service: Service) -> None:
        self.carry_out(service, "provision")
        self.furnish(service, "402036")
        before = self.contents(service, "402036")
        for action in ("provision", "suspend", "suspend"):
            self.carry_out(service, action)
            now = self.contents(service, "402036")
            assert now | {"public": 0} == before | {"public": 0}, action
        assert sorted(state for _, state in now["public"]) == ["closed", "withdrawn"]
        for _ in range(2):
            self.carry_out(service, "resume")
            assert self.contents(service, "402036") == before


def test_nobody_reads_the_data_of_a_suspended_municipality_until_it_is_resumed(town: Town, neighbour: Town):
    name, visitor = town.name_of(town.publish()), town.visitor()
    theirs = neighbour.name_of(neighbour.publish())
    resource = visitor.result("package_show", id=name)["resources"][0]["id"]
    addresses = [
        f"/opendata/datasets/{name}",
        f"/opendata/data/{resource}.csv",
        f"/opendata/datasets/files/{resource}/aed.csv",
    ]
    assert [visitor.get(address).status_code for address in addresses] == [200, 200, 200]
    drain(OpendataRoom(town.service).suspend(RoomRequest("r", town.code, "suspend")))
    town.service.extras["catalogue"].look_again()
    assert [visitor.get(address).status_code for address in addresses] == [404, 404, 404]
    assert visitor.result("package_list") == [theirs]
    drain(OpendataRoom(town.service).resume(RoomRequest("r", town.code, "resume")))
    town.service.extras["catalogue"].look_again()
    assert [visitor.get(address).status_code for address in addresses] == [200, 200, 200]


def test_a_deleted_municipality_vanishes_from_every_process_catalogue(town: Town):
    town.publish()
    catalogue = town.service.extras["catalogue"]
    assert len(catalogue.refresh().entries) == 1
    drain(OpendataRoom(town.service).delete(RoomRequest("r", town.code, "delete")))
    catalogue.look_again()
    assert catalogue.refresh().entries == {}
    assert "AED" not in str(town.visitor().get("/opendata/data.json").json()["dataset"])
