"""Papers with a 資格確認申請: looked at before they are taken, read by who sent them and by the officers (with a record), hidden from
everybody else, and deleted when the municipality's 保存期間 is over."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.audit.table import AuditEntryRow
from services.ebid.db import ParticipationRow, ProposalRow
from services.ebid.tests.people import PDF, Company, Town, files_of, local_input_in, visible
from services.ebid.tests.test_a_municipalitys_own_way import changed
from services.ebid.worker import forget_loose_files, forget_proposals

pytestmark = pytest.mark.any_store

PROGRAM = b"MZ\x90\x00" + b"\0" * 200


def announced(town: Town, **more: Any) -> str:
    return town.publish(method="open", apply_until=local_input_in(town, days=3), **more)


def apply(company: Company, tender: str, **files: Any) -> Any:
    chosen = {name.replace("_", "-"): file for name, file in files.items()}
    return company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "許可番号 第123号"}, files=chosen)


def stored(town: Town, model: Any) -> list[Any]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(model)))


def recorded(town: Town, action: str) -> list[AuditEntryRow]:
    return [row for row in stored(town, AuditEntryRow) if row.action == action]


def test_its_sender_finds_them_again_and_every_look_of_an_official_is_written_down(town: Town, neighbour: Town):
    tender, one, two = announced(town), town.company(1), town.company(2)
    assert apply(one, tender, paper_1=("許可証.pdf", PDF, "application/pdf")).status_code == 200
    address = one.get(f"tenders/{tender}/").text.split('href="proposals/')[1].split('"')[0]
    assert one.get(f"tenders/{tender}/proposals/{address}").content == PDF
    assert "許可証.pdf" not in two.get(f"tenders/{tender}/").text + town.guest().get(f"tenders/{tender}/").text
    assert recorded(town, "ebid.proposal.read") == []
    assert town.officer.get(f"desk/tenders/{tender}/proposals/{address}").content == PDF
    [entry] = recorded(town, "ebid.proposal.read")
    assert entry.actor == town.officer.actor.subject and address in entry.detail
    for stranger in (two, town.guest(), town.manager, town.trustee("trustee-1")):
        assert stranger.get(f"tenders/{tender}/proposals/{address}").status_code in (401, 403, 404)
    assert neighbour.officer.get(f"desk/tenders/{tender}/proposals/{address}").status_code == 404
    assert town.manager.get(f"desk/tenders/{tender}/proposals/{address}").status_code == 403
    assert len(recorded(town, "ebid.proposal.read")) == 1, "whoever was refused has read nothing"


def test_a_file_of_another_kind_is_refused_and_what_was_typed_stays(town: Town):
    """The name says PDF, the content a program; an empty one; what was fit beside it is not half taken."""
    tender, company = announced(town), town.company(1)
    answer = apply(
        company, tender, paper_1=("証明.pdf", PROGRAM, "application/pdf"), paper_2=("空.pdf", b"", "application/pdf"),
        paper_3=("図.pdf", PDF, "application/pdf"),
    )  # fmt: skip
    page = visible(answer.text)
    assert answer.status_code == 422 and "2か所、直してください" in page and "もう一度選んでください" in page
    assert "許可番号 第123号" in answer.text
    assert stored(town, ParticipationRow) == stored(town, ProposalRow) == []
    assert apply(company, tender, paper_1=("図.pdf", PDF, "application/pdf")).status_code == 200
    assert [each.name for each in stored(town, ProposalRow)] == ["図.pdf"]


def test_nothing_is_stored_for_who_may_not_apply(town: Town):
    tender, closed, company = announced(town), town.publish(), town.company(1)
    paper = ("図.pdf", PDF, "application/pdf")
    assert apply(company, tender, paper_1=paper).status_code == 200
    before = len(files_of(town.service, town.code))
    assert before == 1
    assert apply(company, tender, paper_1=paper).status_code == 409, "a second application"
    assert apply(company, closed, paper_1=paper).status_code == 409, "nobody applies for this one"
    town.advance(days=4)
    assert apply(town.company(2), tender, paper_1=paper).status_code == 409, "too late"
    assert len(files_of(town.service, town.code)) == before


def test_an_empty_question_keeps_the_page_and_says_what_is_missing(town: Town):
    tender = announced(town)
    answer = town.company(1).post(f"tenders/{tender}/send", {"act": "ask", "question": "  "})
    assert answer.status_code == 422 and "1か所、直してください" in visible(answer.text)
    assert "質問を入力してください" in answer.text and "案件の内容" in answer.text


def test_they_go_when_the_years_are_over_and_not_a_day_before(town: Town):
    """The tender ends in fiscal year 2026: kept for 2027 to 2029, gone on 2030-04-01; the record says which they were."""
    changed(town, papers_years="3")
    tender, going_on = announced(town), announced(town)
    for serial, each in enumerate((tender, going_on), start=1):
        assert apply(town.company(serial), each, paper_1=("図.pdf", PDF, "application/pdf")).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/cancel", {"version": town.version(tender), "cancel_reason": "設計の誤り"})
    ended = town.service.clock.now()
    town.advance(days=(date(ended.year + 4, 4, 1) - ended.date()).days - 1)
    swept(town)
    assert len(stored(town, ProposalRow)) == 2
    town.advance(days=1)
    swept(town)
    [left] = stored(town, ProposalRow)
    assert left.tender_id == going_on, "a tender that was never concluded keeps its papers"
    [entry] = recorded(town, "ebid.proposals.forget")
    assert entry.subject == tender and left.sha256 in entry.detail, "the same file was sent to both"
    town.advance(days=2)
    swept(town)
    assert len(files_of(town.service, town.code)) == 1, "its bytes are gone, too"


def swept(town: Town) -> None:
    class Held:
        def renew(self) -> None: ...

    for job in (forget_proposals, forget_loose_files):
        job(town.service, Held())  # type: ignore[arg-type]


def test_the_years_are_set_within_reason(town: Town):
    for wrong in ("0", "31", "x"):
        answer = changed(town, papers_years=wrong)
        assert answer.status_code == 422 and "1から30まで" in visible(answer.text)
    assert changed(town, papers_years="10").status_code == 200
    assert 'value="10"' in town.manager.get("desk/profile").text
