"""What comes after the decision: numbers for the council, export, retention."""

from datetime import date

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.eapply.api.desk.queue import shift_jis
from services.eapply.api.desk.shared import CASE, DESK, MANAGER, REVIEWER, do
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    spoken_all,
    to,
)
from services.eapply.domain import states
from services.eapply.domain.retention import month_of
from services.eapply.use_cases import exports, numbers, procedures, retention

router = APIRouter()
NUMBERS = say("件数と利用率")
RETENTION = say("保存と廃棄")


# ---- numbers


@router.get(f"{DESK}/numbers", include_in_schema=False)
def numbers_page(request: Request, year: str = "", actor: Actor = access.staff(REVIEWER)) -> Response:
    return _numbers(request, actor, _year(request, year), {}, {})


@router.post(f"{DESK}/numbers", include_in_schema=False)
def count_paper(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    month = _month(sent.get("month"))
    try:
        if month is None:
            sentence = say("月は、今月までの月を「2026-11」のように入力してください。")
            raise Invalid(sentence, fields={"month": sentence})
        with changing(request, actor) as session:
            numbers.count_paper(
                session, actor, sent.get("procedure"), month, sent.number("applications"), now_of(request)
            )
    except Invalid as refusal:
        typed = dict(reversed(sent.pairs))
        return _numbers(request, actor, _year(request, ""), refusal.fields, typed, 422)
    return to(f"{base(request)}/desk/numbers?year={fiscal_year(month)}")


def _numbers(
    request: Request,
    actor: Actor,
    year: int,
    errors: dict[str, str],
    typed: dict[str, str],
    status_code: int = 200,
) -> Response:
    with reading(request, actor) as session:
        lines = numbers.of_year(session, year)
        counted = numbers.paper_counts(session, year)
    return render(
        request, "desk/numbers.html", desk=True, title=NUMBERS, lines=lines, counted=counted, year=year,
        whole=numbers.whole(lines), this_year=_year(request, ""), errors=Texts(errors), typed=Texts(typed),
        status_code=status_code,
    )  # fmt: skip


_COLUMNS = ["年度", "手続き", "オンライン", "紙", "合計", "オンライン利用率（%）"]


@router.get(f"{DESK}/numbers.csv", include_in_schema=False)
def numbers_csv(request: Request, year: str = "", actor: Actor = access.staff(REVIEWER)) -> Response:
    shown = _year(request, year)
    with reading(request, actor) as session:
        lines = numbers.of_year(session, shown)
    data = [[shown, line.title, line.count.online, line.count.paper, line.count.all, line.count.rate] for line in lines]
    headers = {"Content-Disposition": csvout.attachment(f"申請件数_{shown}年度.csv")}
    pieces = csvout.rows(data, header=_COLUMNS)
    return StreamingResponse(pieces, media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers)


# ---- export


@router.get(f"{DESK}/procedures/{{procedure_id}}/export", include_in_schema=False)
def export(
    request: Request,
    procedure_id: str,
    year: str = "",
    charset: str = "utf-8",
    actor: Actor = access.staff(MANAGER),
) -> Response:
    """Answers of a 年度 in the columns of the procedure's mapping."""
    shown = _year(request, year)
    with reading(request, actor) as session:
        row, definition = procedures.published(session, procedure_id)
        header, data = exports.header(definition), list(exports.rows(session, row.id, shown))
    name = f"{definition.title}_{shown}年度"
    if charset == "shift_jis":
        return shift_jis(name, iter(data), header)
    headers = {"Content-Disposition": csvout.attachment(f"{name}.csv")}
    pieces = csvout.rows(data, header=header)
    return StreamingResponse(pieces, media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers)


# ---- retention


@router.get(f"{DESK}/retention", include_in_schema=False)
def retention_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    last = month_of(local_date(now_of(request)))[1]
    with reading(request, actor) as session:
        context = {
            "going": retention.going(session, last), "listed": retention.going_applications(session, last),
            "owed": retention.kept_for_money(session, last), "held": retention.held(session),
            "certificates": retention.certificates(session),
        }  # fmt: skip
    return render(request, "desk/retention.html", desk=True, title=RETENTION, last=last, **context)


@router.get(f"{DESK}/retention/{{certificate_id}}", include_in_schema=False)
def certificate_page(request: Request, certificate_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    with reading(request, actor) as session:
        row = retention.certificate(session, certificate_id)
    crumbs = (Link(RETENTION, f"{base(request)}/desk/retention"), Link(retention.CERTIFICATE, "", True))
    return render(
        request, "desk/certificate.html", desk=True, crumbs=crumbs, title=retention.CERTIFICATE, row=row,
        same=retention.digest(row.applications) == row.sha256, states=spoken_all(request, states.WORDS),
    )  # fmt: skip


@router.post(f"{CASE}/hold", include_in_schema=False)
def hold(request: Request, application_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    def step(session: Session) -> None:
        if sent.get("act") == "release":
            retention.release(session, actor, application_id, now_of(request))
        else:
            retention.hold(session, actor, application_id, sent.get("hold"), now_of(request))

    return do(request, actor, application_id, sent, step)


def _year(request: Request, text: str) -> int:
    """The 年度 asked for; this one when nothing sensible was."""
    valid = text.isascii() and text.isdigit() and 2000 <= int(text) < 2200
    return int(text) if valid else fiscal_year(local_date(now_of(request)))


def _month(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text.strip()}-01")
    except ValueError:
        return None
