"""Killed anywhere: a process of its own dies by SIGKILL before its first COMMIT, before its second, and so on to its last; each time
somebody sends again, or the worker goes on, and it has happened once.

What a process does between two COMMITs is undone by its death, so these are all the places there are. On the store of one file,
because a forked process must not share a server's connections; the transactions are the same on both.
"""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from libs.common.room import RoomRequest, drain
from services.eapply import notice_pdf, worker
from services.eapply.db import AttachmentRow, ChargeRow, NoticeDocumentRow, PaymentReportRow
from services.eapply.rooms import EapplyRoom, tables
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Town, hidden, version_in
from services.eapply.tests.test_a_citizen_applies import claim_child_allowance
from services.eapply.tests.test_bad_input import photograph
from services.eapply.tests.test_fees import owing, told_of
from services.eapply.tests.test_many_cases_at_once import OUTCOME, examined, send, sheet, written
from services.eapply.tests.test_staff_decide import step, taken
from services.eapply.tests.test_the_statutory_clock import MANAGER, work

MOST = 60
"""COMMITs that one of these may need; more would be a loop."""


def killed(town: Town, act: Callable[[], object], place: int) -> bool:
    """Do `act` in another process that dies before its COMMIT number `place`; False where it had ended before."""
    town.service.database.engine.dispose()
    child = os.fork()
    if child == 0:
        commits: list[int] = []

        def die(_session: Session) -> None:
            commits.append(1)
            if len(commits) == place:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Session, "before_commit", die)
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def anywhere(
    town: Town, folder: Path, act: Callable[[], object], again: Callable[[], object], check: Callable[[], object]
) -> int:
    """How many places there were. Each begins with the same stored state."""
    town.service.database.engine.dispose()
    before, began = folder.with_name(f"{folder.name}-before"), town.service.clock.now()
    shutil.copytree(folder, before)
    for place in range(1, MOST):
        died = killed(town, act, place)
        again()
        check()
        if not died:
            return place - 1
        town.service.database.engine.dispose()
        town.service.clock.advance(seconds=(began - town.service.clock.now()).total_seconds())
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
    raise AssertionError("it never came to an end")


def held(town: Town, what: Any, *conditions: Any) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalar(select(func.count()).select_from(what).where(*conditions)) or 0


def later(town: Town) -> None:
    """The next worker, after the leases of the dead one have run out."""
    town.service.clock.advance(seconds=600)
    work(town)


def set_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice's pages are set in this process only: the typesetter's threads do not live on in a forked one."""
    pages: list[bytes] = []
    real = notice_pdf.document

    def document(*told: Any) -> bytes:
        if not pages:
            pages.append(real(*told))
        return pages[0]

    monkeypatch.setattr(notice_pdf, "document", document)


def test_while_a_notice_is_made_and_signed(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    set_once(monkeypatch)
    for _ in range(2):
        work(town)  # the first one's
        guest, staff, sent = taken(town)
        assert step(staff, sent, "decide", outcome="approved").status_code == 200

    def check() -> None:
        assert guest.get(f"applications/{sent.id}/notice.pdf").content.startswith(b"%PDF")
        assert held(town, NoticeDocumentRow) == 2
        worker.forget_loose_files(town.service, town.code, town.service.clock.now().replace(year=2027))
        assert len(list(town.service.extras["files"].list(town.code))) == 2, "no copy of it is left behind"

    assert anywhere(town, tmp_path, lambda: work(town), lambda: later(town), check) >= 2


def test_while_files_are_taken_of_which_some_are_too_many(town: Town, tmp_path: Path):
    """The bytes are stored before the transaction: what was refused in it, or died with it, has no row and is swept after a day."""
    guest = town.guest()
    draft = guest.start("risai-shomei")
    files = [("photos", (f"{number}.jpg", photograph(), "image/jpeg")) for number in range(12)]

    def send_them() -> None:
        guest.post(f"{draft}/damage", {"act": "stay"}, files=files)

    def check() -> None:
        stored, now = town.service.extras["files"], town.service.clock.now()
        assert len(list(stored.list(town.code))) > held(town, AttachmentRow) == 10
        worker.forget_loose_files(town.service, town.code, now)
        assert len(list(stored.list(town.code))) > 10, "not while its transaction may still be going on"
        worker.forget_loose_files(town.service, town.code, now.replace(year=2027))
        with town.service.database.reading(tenant=town.code) as session:
            known = set(session.scalars(select(AttachmentRow.id)))
        assert {file_id for file_id, _, _ in stored.list(town.code)} == known

    assert anywhere(town, tmp_path, send_them, send_them, check) >= 1


@pytest.mark.slow
def test_while_a_payment_is_told_and_paid_back(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "Trouble", lambda: worker.payments.Trouble(lost=0.0, late=0.0))
    guest, _, sent = owing(town)
    with town.service.database.reading(tenant=town.code) as session:
        charge = session.scalars(select(ChargeRow.id)).one()
    guest.post(f"pay/{charge}")
    later(town)
    version = version_in(guest.get(f"applications/{sent.id}/withdraw").text)
    guest.post(f"applications/{sent.id}/withdraw", {"version": version})
    assert town.staff("boss", "室見 課長", MANAGER).post(f"desk/cases/{sent.id}/fee/refund").status_code == 200

    def pay_back() -> None:
        work(town)
        town.service.clock.advance(seconds=5)
        work(town)

    def check() -> None:
        assert held(town, ChargeRow, ChargeRow.charge_state == "refunded") == 1
        assert held(town, PaymentReportRow, PaymentReportRow.report_kind == "refunded") == 1
        assert told_of(town, "fee_refunded") == 1

    assert anywhere(town, tmp_path, pay_back, lambda: (later(town), pay_back()), check) >= 4


def test_while_a_sheet_of_decisions_is_carried_out(town: Town, tmp_path: Path):
    staff = examined(town, 3)
    lines = [line | {OUTCOME: "参加決定"} for line in sheet(staff)]
    form = {"lines": hidden(send(staff, written(lines)).text, "lines")}

    def check() -> None:
        decided = [each["data"]["application_id"] for each in town.events("eapply.application.decided.v1")]
        assert len(decided) == len(set(decided)) == held(town, NoticeDocumentRow) == 3

    def carry_out() -> None:
        staff.post("desk/sheet/carry-out", form)

    assert anywhere(town, tmp_path, carry_out, carry_out, check) >= 3


def test_while_a_municipality_is_taken_in_from_an_archive(town: Town, tmp_path: Path):
    claim_child_allowance(town.person())
    room, store = EapplyRoom(town.service), town.service.extras["files"]
    archive = store.read(town.code, drain(room.export(RoomRequest("e", town.code, "export")))["file"])
    made = contents(town)
    drain(room.delete(RoomRequest("d", town.code, "delete")))
    arrived = store.put(town.code, [archive], limit=10**9)

    def take_in() -> None:
        drain(room.import_(RoomRequest("i", town.code, "import", archive=arrived.id)))

    def check() -> None:
        assert contents(town) == made

    assert anywhere(town, tmp_path, take_in, take_in, check) >= 5


def contents(town: Town) -> dict[str, list[Any]]:
    with town.service.database.reading(tenant=town.code) as session:
        return {name: list(tables.dumped(session, name)) for name in tables.CARRIED}
