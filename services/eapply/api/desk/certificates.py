"""The record of what was deleted (廃棄の記録): its page, and the same as PDF."""

from datetime import date
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, pdf
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import say
from libs.common.web import Link, dates
from services.eapply.api.desk.shared import DESK, REVIEWER
from services.eapply.api.shell import base, language, reading, render, spoken
from services.eapply.db import DeletionRow
from services.eapply.domain import states
from services.eapply.use_cases import retention

router = APIRouter()
CERTIFICATE = Path(__file__).parents[2] / "templates" / "certificate.typ"
RETENTION = say("保存と廃棄")
DELETED_HEAD = (
    say("受付番号"),
    say("手続き"),
    say("状態"),
    say("済んだ日"),
    say("保存期間の終わり"),
    say("マイナンバー"),
)


@router.get(f"{DESK}/retention/{{certificate_id}}", include_in_schema=False)
def certificate_page(request: Request, certificate_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    with reading(request, actor) as session:
        row = retention.certificate(session, certificate_id)
    crumbs = (Link(RETENTION, f"{base(request)}/desk/retention"), Link(retention.CERTIFICATE, "", True))
    return render(
        request, "desk/certificate.html", desk=True, crumbs=crumbs, title=retention.CERTIFICATE, row=row,
        same=retention.digest(row.applications) == row.sha256, rows=_deleted_rows(request, row),
        head=[spoken(request, each) for each in DELETED_HEAD],
    )  # fmt: skip


@router.get(f"{DESK}/retention/{{certificate_id}}/record.pdf", include_in_schema=False)
def certificate_print(request: Request, certificate_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    """Made as of the deletion: whoever fetches it again gets the same bytes, to be filed with the 廃棄簿."""
    with reading(request, actor) as session:
        row = retention.certificate(session, certificate_id)
    title = spoken(request, retention.CERTIFICATE)
    place = request.state.place_name
    data = {
        "letter": pdf.Letter("", local_date(row.deleted_at), (), (place,)), "note": f"{title}　{place}",
        "opening": spoken(
            request, say("%(place)sは、保存期間が終わった次の申請を、添付ファイルと通知書も含めて消しました。", place=place)
        ),
        "deleted": spoken(request, say("消した申請")),
        "facts": [(spoken(request, label), spoken(request, text)) for label, text in _deleted(request, row)],
        "head": [spoken(request, each) for each in DELETED_HEAD], "rows": _deleted_rows(request, row),
    }  # fmt: skip
    document = pdf.render(CERTIFICATE, data, title=title, at=row.deleted_at, lang=language(request), stand_in=pdf.GETA)
    return pdf.answer(document, f"deleted-{local_date(row.deleted_at):%Y%m%d}-{row.sha256[:8]}.pdf")


def _deleted(request: Request, row: DeletionRow) -> list[tuple[str, str]]:
    return [
        (say("消した日時"), dates.moment(row.deleted_at, lang=language(request), seconds=True)),
        (say("件数"), str(len(row.applications))),
        (say("ファイル"), str(row.files)),
        (say("一覧の指紋（SHA-256）"), row.sha256),
    ]


def _deleted_rows(request: Request, row: DeletionRow) -> list[list[str]]:
    """What was deleted, one line each under `DELETED_HEAD`."""
    return [_deleted_row(request, each) for each in row.applications]


def _deleted_row(request: Request, each: dict[str, Any]) -> list[str]:
    state = states.WORDS[states.State(each["state"])]
    number = say("消しました") if each.get("my_number") else say("なし")
    days = [
        dates.day(date.fromisoformat(each[name]), lang=language(request), weekdays=False)
        for name in ("ended_on", "kept_until")
    ]
    return [each["number"], each["procedure"], spoken(request, state), *days, spoken(request, number)]
