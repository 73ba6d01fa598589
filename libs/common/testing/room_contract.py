"""The contract of a tenant's room, as tests that any service passes through.

    class TestEapplyRoom(RoomContract):
        metadata = Base.metadata
        def make_room(self, service): return EapplyRoom(service)
        def furnish(self, service, tenant): …      # put real content in, as use cases do: rows of every table, files
        def contents(self, service, tenant): …     # what must be equal after export and import: plain values
        def store(self, service): return service.extras["files"]

The test module needs two fixtures: `service` (migrated, empty) and `elsewhere` (the same service, another store of its
own). Only what the six methods promise is tested, not how.
"""

from abc import ABC, abstractmethod
from typing import Any

import pytest
from sqlalchemy import MetaData, func, select

from libs.common import room
from libs.common.db import CommonBase
from libs.common.errors import Refusal
from libs.common.files import Store
from libs.common.ids import new_id
from libs.common.room import Room, RoomRequest, Step
from libs.common.service import Service
from libs.common.tenancy import TenantTable

A, B = "402036", "401307"


class RoomContract(ABC):
    """Subclass it as `Test…`; see the module."""

    metadata: MetaData

    @abstractmethod
    def make_room(self, service: Service) -> Room: ...

    @abstractmethod
    def furnish(self, service: Service, tenant: str) -> None: ...

    @abstractmethod
    def contents(self, service: Service, tenant: str) -> Any: ...

    def store(self, service: Service) -> Store | None:
        """The store of the service's files, if it has one."""
        return None

    # ---- what the tests do ------------------------------------------------------------------------------------------

    def carry_out(self, service: Service, action: str, tenant: str = A, **more: Any) -> dict[str, Any]:
        return room.drain(self._steps(service, action, tenant, **more))

    def _steps(self, service: Service, action: str, tenant: str, **more: Any) -> Any:
        request = RoomRequest(new_id(), tenant, action, code=tenant, name="試験市", **more)  # type: ignore[arg-type]
        return room.contract.method_of(self.make_room(service), action)(request)  # type: ignore[arg-type]

    def _move(self, service: Service, elsewhere: Service, facts: dict[str, Any]) -> str:
        """Carry the exported file into another installation's store."""
        source, target = self.store(service), self.store(elsewhere)
        assert source is not None
        assert target is not None
        with source.open(A, facts["file"]) as opened:
            stored = target.put(A, opened.chunks, limit=10**9)
        assert (stored.size, stored.sha256) == (facts["size"], facts["sha256"]), "the answer tells what is in the file"
        return stored.id

    def _rows(self, service: Service, tenant: str) -> dict[str, int]:
        """How many rows of the tenant each tenant table of the service itself holds; empty ones are left out.

        The tables every service has are not counted: the audit record stays, the rest the worker's own part removes.
        """
        counts = {}
        with service.database.reading(tenant=tenant) as session:
            for mapper in CommonBase.registry.mappers:
                mapped: Any = mapper.class_
                if mapped.metadata is self.metadata and TenantTable in mapped.__mro__:
                    counts[mapped.__tablename__] = session.scalar(select(func.count()).select_from(mapped)) or 0
        return {name: count for name, count in sorted(counts.items()) if count}

    def _files(self, service: Service, tenant: str) -> int:
        store = self.store(service)
        return len(list(store.list(tenant))) if store else 0

    # ---- the promises -----------------------------------------------------------------------------------------------

    def test_preparing_twice_is_preparing_once(self, service: Service) -> None:
        self.carry_out(service, "provision")
        once = (self._rows(service, A), self.contents(service, A))
        self.carry_out(service, "provision")
        assert (self._rows(service, A), self.contents(service, A)) == once

    def test_progress_is_told_and_reaches_its_end(self, service: Service) -> None:
        for action in ("provision", "export", "delete"):
            told: list[Step] = list(self._steps(service, action, A))
            assert told, f"{action} says nothing"
            assert [step.done for step in told] == sorted(step.done for step in told)
            assert told[-1].done == told[-1].total
            assert all(step.label and step.total == told[0].total for step in told)

    @pytest.mark.any_store
    def test_a_preparation_killed_after_any_step_is_finished_by_the_next(self, service: Service) -> None:
        self.carry_out(service, "provision", B)
        expected = self._rows(service, B)
        for steps_before in range(1, 100):
            steps = self._steps(service, "provision", A)
            taken = _take(steps, steps_before)
            steps.close()
            self.carry_out(service, "provision")
            assert self._rows(service, A) == expected, f"killed after step {taken}"
            self.carry_out(service, "delete")
            if taken < steps_before:
                return

    def test_content_survives_preparing_suspending_and_resuming(self, service: Service) -> None:
        self.carry_out(service, "provision")
        self.furnish(service, A)
        before = self.contents(service, A)
        for action in ("provision", "suspend", "suspend", "resume", "resume"):
            self.carry_out(service, action)
            assert self.contents(service, A) == before, action

    def test_what_is_carried_out_and_in_elsewhere_is_equal(self, service: Service, elsewhere: Service) -> None:
        self.carry_out(service, "provision")
        self.furnish(service, A)
        before = self.contents(service, A)
        archive = self._move(service, elsewhere, self.carry_out(service, "export"))
        assert self.contents(elsewhere, A) != before, "the room elsewhere is empty at first"
        self.carry_out(elsewhere, "import", archive=archive)
        assert self.contents(elsewhere, A) == before
        assert self.contents(service, A) == before, "carrying out takes nothing away"

    @pytest.mark.any_store
    def test_an_import_killed_after_any_step_is_finished_by_the_next(
        self, service: Service, elsewhere: Service
    ) -> None:
        self.carry_out(service, "provision")
        self.furnish(service, A)
        facts = self.carry_out(service, "export")
        for steps_before in range(1, 100):
            archive = self._move(service, elsewhere, facts)
            steps = self._steps(elsewhere, "import", A, archive=archive)
            taken = _take(steps, steps_before)
            steps.close()
            if taken == steps_before:
                self.carry_out(elsewhere, "import", archive=archive)
            assert self.contents(elsewhere, A) == self.contents(service, A), f"killed after step {taken}"
            self.carry_out(elsewhere, "delete")
            if taken < steps_before:
                return

    def test_a_room_with_other_content_takes_nothing_in(self, service: Service) -> None:
        """What a killed import left is no obstacle: only content that is not in the archive is."""
        self.carry_out(service, "provision")
        archive = self.carry_out(service, "export")["file"]
        self.furnish(service, A)
        before = self.contents(service, A)
        with pytest.raises(Refusal):
            self.carry_out(service, "import", archive=archive)
        assert self.contents(service, A) == before

    def test_deleting_leaves_nothing_of_the_tenant_and_everything_of_the_others(self, service: Service) -> None:
        for tenant in (A, B):
            self.carry_out(service, "provision", tenant)
            self.furnish(service, tenant)
        self.carry_out(service, "export")
        others = (self._rows(service, B), self.contents(service, B), self._files(service, B))
        assert self._rows(service, A), "there was something to delete"
        self.carry_out(service, "delete")
        assert self._rows(service, A) == {}
        assert self._files(service, A) == 0
        assert (self._rows(service, B), self.contents(service, B), self._files(service, B)) == others
        self.carry_out(service, "delete")

    @pytest.mark.any_store
    def test_a_deletion_killed_after_any_step_is_finished_by_the_next(self, service: Service) -> None:
        for steps_before in range(1, 100):
            self.carry_out(service, "provision")
            self.furnish(service, A)
            steps = self._steps(service, "delete", A)
            taken = _take(steps, steps_before)
            steps.close()
            self.carry_out(service, "delete")
            assert (self._rows(service, A), self._files(service, A)) == ({}, 0), f"killed after step {taken}"
            if taken < steps_before:
                return


def _take(steps: Any, wanted: int) -> int:
    """Take up to `wanted` steps, as a process would that is killed then; how many there were."""
    taken = 0
    for _ in steps:
        taken += 1
        if taken == wanted:
            break
    return taken
