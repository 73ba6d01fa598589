"""What an applicant can keep on paper: the receipt with everything that was sent, as PDF."""

from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, pdf
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import say
from libs.common.web import dates
from services.eapply.api.shell import language, now_of, reading, shown, spoken
from services.eapply.forms.show import lines
from services.eapply.use_cases import cases, who

router = APIRouter()
TEMPLATE = Path(__file__).parents[1] / "templates" / "receipt.typ"
OPENING = say(
    "次の申請を受け付けました。この控えは、申請が届いたことをお知らせするものです。結果の通知ではありません。"
)


@router.get("/t/{code}/eapply/applications/{application_id}/receipt.pdf", include_in_schema=False)
def receipt_print(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    """Without the 照会キー: only the page shown on submission ever has it."""
    now = now_of(request)
    with reading(request, actor) as session:
        seen = cases.seen(session, who.own_application(session, actor, application_id, now, delegate=True), now)
    return pdf.answer(_document(request, seen), f"{seen.row.receipt_number}.pdf")


def _document(request: Request, seen: cases.Seen) -> bytes:
    """Made as of the arrival: whoever fetches it again gets the same bytes."""
    arrived: datetime = seen.row.arrived_at
    title = spoken(request, say("%(name)sの控え", name=shown(request, seen.procedure).title))
    data = {
        "letter": _head(request, seen), "note": f"{seen.row.receipt_number}　{request.state.place_name}",
        "opening": spoken(request, OPENING), "facts": _facts(request, seen), "sent": spoken(request, say("送った内容")),
        "lines": _lines(request, seen),
    }  # fmt: skip
    return pdf.render(TEMPLATE, data, title=title, at=arrived, lang=language(request), stand_in=pdf.GETA)


def _head(request: Request, seen: cases.Seen) -> pdf.Letter:
    name = seen.row.applicant_name
    to = (spoken(request, say("%(name)s 様", name=name)),) if name else ()
    return pdf.Letter("", local_date(seen.row.arrived_at), to, (request.state.place_name, seen.procedure.department))


def _facts(request: Request, seen: cases.Seen) -> list[tuple[str, str]]:
    arrived = dates.moment(seen.row.arrived_at, lang=language(request), seconds=True)
    return [
        (spoken(request, say("受付番号")), seen.row.receipt_number),
        (spoken(request, say("到達した日時")), arrived),
    ]


def _lines(request: Request, seen: cases.Seen) -> list[tuple[str, str]]:
    found = lines(shown(request, seen.procedure), seen.row.answers, language(request))
    return [(line.label, spoken(request, line.text)) for line in found]
