"""Nobody alone makes a repository go, nobody makes it go sooner, and anybody entitled can stop it until the end."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from infra.local.processes import wait_until
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.notices import NoticeRow
from services.backup.db import AllowanceRow, RepositoryRow
from services.backup.db import disposals as disposals_db
from services.backup.db import repositories as repositories_db
from services.backup.tests.test_staff_set_up_a_backup import NEW, Desk
from services.backup.tests.test_two_sites import copy_all, planted
from services.backup.tests.town import HOME, Cloud, Machine, named
from services.backup.use_cases import disposal, repositories, sites, watch


def person(name: str) -> Actor:
    return Actor("staff", name, "職員", HOME, HOME, frozenset({"backup.manager"}), "password", "s")


def ask(cloud: Cloud, row: RepositoryRow, by: str = "one") -> None:
    with cloud.database.transaction(tenant=HOME) as session:
        disposal.ask(session, person(by), row.id, row.name, "システムの更改が終わった", cloud.clock.now())


def agree(cloud: Cloud, row: RepositoryRow, by: str = "two") -> None:
    with cloud.database.transaction(tenant=HOME) as session:
        disposal.agree(session, person(by), row.id, cloud.clock.now())


def pass_days(cloud: Cloud, days: int) -> None:
    for _ in range(days * 12):
        cloud.clock.advance(hours=2)
        sites.advance_trusted_time(cloud.service)


def carry_out(cloud: Cloud) -> int:
    total = 0
    while went := disposal.carry_out_some(cloud.service, HOME):
        total += went
    return total


def files(cloud: Cloud, machine: Machine) -> int:
    return sum(len(list(site.files(HOME, machine.repository.id))) for site in cloud.places.sites)


def test_two_people_and_the_time_of_keeping_make_it_go_from_both_sites(cloud: Cloud) -> None:
    machine = planted(cloud, 60)
    copy_all(cloud)
    sites.advance_trusted_time(cloud.service)
    ask(cloud, machine.repository)
    pass_days(cloud, 2)
    assert carry_out(cloud) == 0, "one person alone"
    with pytest.raises(Conflict, match="別の担当者"):
        agree(cloud, machine.repository, by="one")
    agree(cloud, machine.repository)
    with machine.client as client:
        assert client.get(f"data/{named(bytes([0]) * 1000)}").status_code == 200, "it is read until the end"
        assert client.post(f"data/{named(b'new')}", content=b"new").status_code == 403
        assert client.post(f"locks/{named(b'new')}", content=b"new").status_code == 200
        pass_days(cloud, 29)
        assert carry_out(cloud) == 0
        pass_days(cloud, 2)
        assert (carry_out(cloud), files(cloud, machine)) == (62, 0), (
            "61 objects, and before them the note that it begins"
        )
        assert wait_until(lambda: client.get("data/").status_code == 404, seconds=30), (
            "once the admitted second is over"
        )
    row = cloud.fresh(machine.repository)
    assert (row.live, row.held, row.disposed_at) == (0, 0, cloud.clock.now())
    with cloud.database.reading(tenant=HOME) as session:
        assert session.execute(select(AllowanceRow.held)).scalar_one() == 0


def test_a_clock_set_ahead_does_not_hurry_it(small_cloud: Cloud) -> None:
    machine = planted(small_cloud)
    sites.advance_trusted_time(small_cloud.service)
    ask(small_cloud, machine.repository)
    agree(small_cloud, machine.repository)
    small_cloud.clock.advance(days=400)
    sites.advance_trusted_time(small_cloud.service)
    assert carry_out(small_cloud) == 0


def test_a_time_of_keeping_that_grew_meanwhile_holds(small_cloud: Cloud) -> None:
    machine = planted(small_cloud)
    sites.advance_trusted_time(small_cloud.service)
    ask(small_cloud, machine.repository)
    agree(small_cloud, machine.repository)
    with small_cloud.database.transaction(tenant=HOME) as session:
        repositories.raise_retention(session, person("one"), machine.repository.id, 40, small_cloud.clock.now())
    pass_days(small_cloud, 39)
    carry_out(small_cloud)
    assert files(small_cloud, machine) == 3
    pass_days(small_cloud, 2)
    carry_out(small_cloud)
    assert files(small_cloud, machine) == 0


def test_anybody_entitled_stops_it_alone_and_backups_go_on(small_cloud: Cloud) -> None:
    machine = planted(small_cloud)
    ask(small_cloud, machine.repository)
    agree(small_cloud, machine.repository)
    with small_cloud.database.transaction(tenant=HOME) as session:
        assert watch.watch(session, small_cloud.clock.now() + timedelta(days=9)) == 0, "no alarm for what is closing"
        disposal.stop(session, person("three"), machine.repository.id, small_cloud.clock.now())
    with machine.client as client:
        assert client.post(f"data/{named(b'new')}", content=b"new").status_code == 200
    pass_days(small_cloud, 40)
    assert carry_out(small_cloud) == 0
    ask(small_cloud, machine.repository)
    with small_cloud.database.reading(tenant=HOME) as session:
        wish = disposals_db.pending(session, machine.repository.id)
        assert wish and wish.agreed_at is None, "who asks again needs a second person again"


def test_nobody_is_left_with_half_a_repository_when_somebody_stops_it_too_late(
    small_cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = planted(small_cloud)
    sites.advance_trusted_time(small_cloud.service)
    ask(small_cloud, machine.repository)
    agree(small_cloud, machine.repository)
    pass_days(small_cloud, 31)
    monkeypatch.setattr(disposal, "PAGE", 1)
    while files(small_cloud, machine) == 3:
        assert disposal.carry_out_some(small_cloud.service, HOME)
    with (
        small_cloud.database.transaction(tenant=HOME) as session,
        pytest.raises(Conflict, match="もう消し始めています"),
    ):
        disposal.stop(session, person("three"), machine.repository.id, small_cloud.clock.now())
    page = Desk(small_cloud).get(machine.repository.id)
    assert "消し始めています" in page and "廃棄をやめる" not in page
    carry_out(small_cloud)
    assert files(small_cloud, machine) == 0


def test_everybody_concerned_is_told_at_each_step(small_cloud: Cloud) -> None:
    machine = planted(small_cloud)
    ask(small_cloud, machine.repository)
    agree(small_cloud, machine.repository)
    with small_cloud.database.reading() as session:
        subjects = [notice.subject for notice in session.scalars(select(NoticeRow))]
    assert len(subjects) == 2 and all("廃棄が申し出られています" in subject for subject in subjects)


def test_a_full_key_deletes_nothing_while_it_closes(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "full")
    with machine.client as client:
        assert client.post(f"data/{named(b'x')}", content=b"x").status_code == 200
        ask(small_cloud, machine.repository)
        agree(small_cloud, machine.repository)
        assert client.delete(f"data/{named(b'x')}").status_code == 403


def test_on_the_page_one_asks_the_other_agrees_and_mistakes_are_explained(small_cloud: Cloud) -> None:
    desk, other = Desk(small_cloud), Desk(small_cloud)
    other.client.headers = small_cloud.issuers.headers(person("two"), "backup", html=True)  # type: ignore[assignment]
    repository_id = desk.make()
    assert "「juki」を、そのまま" in desk.post(
        f"{repository_id}/disposal", 422, act="ask", typed_name="x", reason="更改"
    )
    assert "理由" in desk.post(f"{repository_id}/disposal", 422, act="ask", typed_name="juki", reason=" ")
    desk.post(f"{repository_id}/disposal", 404, act="agree")
    desk.post(f"{repository_id}/disposal", act="ask", typed_name="juki", reason="更改のため")
    assert "廃棄に同意する" not in desk.get(repository_id)
    assert "別の担当者" in desk.post(f"{repository_id}/disposal", 409, act="agree")
    page = other.get(repository_id)
    assert "更改のため" in page and "廃棄に同意する" in page
    other.post(f"{repository_id}/disposal", act="agree")
    assert "12月20日" in desk.get(repository_id), "30 days from now"
    desk.post(f"{repository_id}/disposal", act="stop")
    assert "廃棄を申し出る" in desk.get(repository_id)
    desk.post(f"{repository_id}/disposal", 404, act="hurry")


def test_refusals_of_the_rules(small_cloud: Cloud) -> None:
    row = small_cloud.repository()
    now = small_cloud.clock.now()
    with small_cloud.database.transaction(tenant=HOME) as session:
        with pytest.raises(Invalid):
            disposal.ask(session, person("one"), row.id, "other", "理由", now)
        with pytest.raises(NotFound):
            disposal.stop(session, person("one"), row.id, now)
        disposal.ask(session, person("one"), row.id, row.name, "理由", now)
        with pytest.raises(Conflict):
            disposal.ask(session, person("two"), row.id, row.name, "理由", now)


def test_what_was_disposed_of_gets_no_key_and_its_name_is_not_used_again(small_cloud: Cloud) -> None:
    desk = Desk(small_cloud)
    repository_id = desk.make()
    with small_cloud.database.reading(tenant=HOME) as session:
        row = repositories_db.by_id(session, repository_id)
    sites.advance_trusted_time(small_cloud.service)
    ask(small_cloud, row)
    agree(small_cloud, row)
    pass_days(small_cloud, 31)
    carry_out(small_cloud)
    assert "廃棄しました" in desk.get(repository_id)
    made = len(small_cloud.tokens.made)
    assert "廃棄したため" in desk.post(f"{repository_id}/keys", 409, mode="read", key_name="1号", days="3")
    assert len(small_cloud.tokens.made) == made
    assert "前に廃棄した保管庫の名前です" in desk.post("repositories", 409, **NEW)
