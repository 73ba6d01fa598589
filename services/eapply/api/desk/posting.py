"""Notices for the post: what is to be sent, labels, what was sent; the signed notice of a case."""

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, audit, csvout
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, say
from services.eapply.api import serving
from services.eapply.api.desk.shared import CASE, DESK, REVIEWER
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    spoken,
    spoken_all,
    to,
)
from services.eapply.use_cases import cases, delivery

router = APIRouter()


@router.get(f"{DESK}/post", include_in_schema=False)
def post_page(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    return _page(request, actor, {})


@router.post(f"{DESK}/post", include_in_schema=False)
def note_posted(request: Request, actor: Actor = access.staff(REVIEWER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            delivery.posted(session, actor, sent.all("pick"), now_of(request))
    except Invalid as refusal:
        return _page(request, actor, refusal.fields, 422)
    return to(f"{base(request)}/desk/post")


_LABELS = ["文書番号", "郵便番号", "住所", "氏名", "手続き", "受付番号", "郵送する理由"]


@router.get(f"{DESK}/post.csv", include_in_schema=False)
def labels_csv(request: Request, actor: Actor = access.staff(REVIEWER)) -> Response:
    """For label printing."""
    now = now_of(request)
    with changing(request, actor) as session:
        waiting = delivery.to_post(session)
        audit.record(session, actor, "eapply.notice.labels", f"{len(waiting)}", now=now)
    lines = [
        [
            each.notice.number, *each.address, f"{each.row.applicant_name} 様", each.procedure.title,
            each.row.receipt_number, spoken(request, delivery.POST_REASONS[each.notice.post_reason or "no_consent"]),
        ]
        for each in waiting
    ]  # fmt: skip
    headers = {"Content-Disposition": csvout.attachment(f"郵送する通知書_{local_date(now):%Y%m%d}.csv")}
    pieces = csvout.rows(lines, header=_LABELS)
    return StreamingResponse(pieces, media_type=csvout.CONTENT_TYPES["utf-8"], headers=headers)


@router.get(f"{CASE}/notice.pdf", include_in_schema=False)
def notice_document(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    with changing(request, actor) as session:
        row = cases.load(session, application_id)
        notice = delivery.ready(delivery.notice_of(session, row.id))
        audit.record(session, actor, "eapply.notice.read", row.id, now=now_of(request))
    return serving.notice(request, actor, notice)


def _page(request: Request, actor: Actor, errors: dict[str, str], status_code: int = 200) -> Response:
    with reading(request, actor) as session:
        waiting = delivery.to_post(session)
    return render(
        request, "desk/post.html", desk=True, title=say("郵送する通知書"), waiting=waiting, errors=Texts(errors),
        reasons=spoken_all(request, delivery.POST_REASONS), status_code=status_code,
    )  # fmt: skip
