"""What an applicant can keep on paper, as PDF: the receipt with everything that was sent, and the slip to pay a fee by (納付書)."""

from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access, pdf
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, say
from libs.common.web import dates
from services.eapply import paying
from services.eapply.api.desk.shared import CASE, REVIEWER
from services.eapply.api.shell import language, now_of, reading, service_of, shown, spoken
from services.eapply.db import ApplicationRow
from services.eapply.forms.show import lines
from services.eapply.qr import picture
from services.eapply.use_cases import cases, fees, who

router = APIRouter()
TEMPLATE = Path(__file__).parents[1] / "templates" / "receipt.typ"
SLIP = TEMPLATE.with_name("slip.typ")
NUMBERS = {
    "institution": say("収納機関番号"),
    "payment": say("納付番号"),
    "confirmation": say("確認番号"),
    "category": say("納付区分"),
    "el": say("eL番号"),
}
NO_SLIP = say("見本です。この納付書では納められません。")
HOW_TO_PAY = say(
    "右のeL-QRを支払いのアプリで読み取るか、上の番号をペイジーの画面で入力して納めます。窓口でも納められます。"
)
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


@router.get("/t/{code}/eapply/applications/{application_id}/slip.pdf", include_in_schema=False)
def slip_print(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        return _slip(request, session, who.own_application(session, actor, application_id, now))


@router.get(f"{CASE}/slip.pdf", include_in_schema=False)
def slip_print_at_desk(request: Request, application_id: str, actor: Actor = access.staff(REVIEWER)) -> Response:
    """For somebody who applied on paper, or comes to ask."""
    with reading(request, actor) as session:
        return _slip(request, session, cases.load(session, application_id))


def _slip(request: Request, session: Session, row: ApplicationRow) -> Response:
    """Raises Conflict where nothing can be paid by a slip."""
    now = now_of(request)
    slip = paying.slip(service_of(request), session, fees.charge_of(session, row.id))
    if slip is None:
        raise Conflict(say("いま納付書で納めていただく手数料はありません。"), code="nothing-due")
    seen = cases.seen(session, row, now)
    data = {
        "letter": _head(request, seen, now), "note": f"{row.receipt_number}　{request.state.place_name}",
        "sample": spoken(request, NO_SLIP) if slip.sample else "", "facts": _to_pay(request, seen, slip),
        "how": spoken(request, HOW_TO_PAY),
    }  # fmt: skip
    document = pdf.render(
        SLIP, data, title=spoken(request, say("納付書")), at=now, lang=language(request),
        files={"qr.svg": picture(slip.qr)}, stand_in=pdf.GETA,
    )  # fmt: skip
    return pdf.answer(document, f"{row.receipt_number}-slip.pdf")


def _to_pay(request: Request, seen: cases.Seen, slip: paying.Slip) -> list[tuple[str, str]]:
    facts = [
        (say("手続き"), shown(request, seen.procedure).title),
        (say("受付番号"), seen.row.receipt_number),
        (say("納める額"), say("%(yen)s円", yen=f"{slip.yen:,}")),
        *([(say("納付期限"), dates.day(slip.until, lang=language(request)))] if slip.until else []),
        *((word, slip.numbers[name]) for name, word in NUMBERS.items()),
    ]
    return [(spoken(request, label), spoken(request, text)) for label, text in facts]


def _document(request: Request, seen: cases.Seen) -> bytes:
    """Made as of the arrival: whoever fetches it again gets the same bytes."""
    arrived: datetime = seen.row.arrived_at
    title = spoken(request, say("%(name)sの控え", name=shown(request, seen.procedure).title))
    data = {
        "letter": _head(request, seen, arrived), "note": f"{seen.row.receipt_number}　{request.state.place_name}",
        "opening": spoken(request, OPENING), "facts": _facts(request, seen), "sent": spoken(request, say("送った内容")),
        "lines": _lines(request, seen),
    }  # fmt: skip
    return pdf.render(TEMPLATE, data, title=title, at=arrived, lang=language(request), stand_in=pdf.GETA)


def _head(request: Request, seen: cases.Seen, at: datetime) -> pdf.Letter:
    name = seen.row.applicant_name
    to = (spoken(request, say("%(name)s 様", name=name)),) if name else ()
    return pdf.Letter("", local_date(at), to, (request.state.place_name, seen.procedure.department))


def _facts(request: Request, seen: cases.Seen) -> list[tuple[str, str]]:
    arrived = dates.moment(seen.row.arrived_at, lang=language(request), seconds=True)
    return [
        (spoken(request, say("受付番号")), seen.row.receipt_number),
        (spoken(request, say("到達した日時")), arrived),
    ]


def _lines(request: Request, seen: cases.Seen) -> list[tuple[str, str]]:
    found = lines(shown(request, seen.procedure), seen.row.answers, language(request))
    return [(line.label, spoken(request, line.text)) for line in found]
