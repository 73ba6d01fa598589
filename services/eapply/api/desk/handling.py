"""How a procedure is handled: one page of inputs, each part of the procedure's definition."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from libs.common.web import Link
from services.eapply.api.desk.shared import DESK, MANAGER
from services.eapply.api.shell import (
    PROCEDURES,
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    spoken,
    to,
)
from services.eapply.forms import words
from services.eapply.forms.analysis import multipliers
from services.eapply.forms.handling import Cosign, Fee, Handling, MyNumber
from services.eapply.use_cases import handling, procedures

router = APIRouter()
HANDLING = say("申請の扱い方")
NOTICE = ("title", "opening", "sender")
"""Texts of the notice: an emptied one is the usual one again, since no notice goes out without them."""
INPUTS = {
    "fee.amount": ("amount", say("額")),
    "fee.times": ("fee_times", say("額に掛ける数")),
    "fee.due_days": ("due_days", say("納付期限までの日数")),
    "notice.post_after_days": ("post_after_days", say("開かれないとき、郵送に回すまでの日数")),
    "cosign.persons": ("cosign_persons", say("申請した方のほかに確認する人数")),
    "cosign.statement": ("cosign_statement", say("確認していただく文")),
    "my_number.basis": ("my_number_basis", say("預かる根拠の法令")),
    "my_number.purpose": ("my_number_purpose", say("使いみち（申請する方に見せます）")),
    "retention.decided_months": ("decided_months", say("決定した申請")),
    "retention.withdrawn_months": ("withdrawn_months", say("取り下げられた申請")),
}
"""Part of the definition → input, and what the input is called: what is wrong is said beside it, and by its name at the top."""


@router.get(f"{DESK}/procedures/{{procedure_id}}/handling", include_in_schema=False)
def handling_page(request: Request, procedure_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    return _handling(request, actor, procedure_id, {}, {})


@router.post(f"{DESK}/procedures/{{procedure_id}}/handling", include_in_schema=False)
def change_handling(
    request: Request, procedure_id: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    typed = dict(reversed(sent.pairs))
    try:
        with changing(request, actor) as session:
            procedure, _ = procedures.published(session, procedure_id)
            handling.change(session, actor, procedure.key, sent.number("version"), _wanted(sent), now_of(request))
    except Conflict as refusal:
        return _handling(request, actor, procedure_id, {}, typed, refusal.message, _wanted(sent), 409)
    except Invalid as refusal:
        errors = dict(_beside(request, place, sentence) for place, sentence in refusal.fields.items())
        return _handling(request, actor, procedure_id, errors, typed, status_code=422)
    return to(f"{base(request)}/desk/procedures")


def _beside(request: Request, place: str, sentence: str) -> tuple[str, str]:
    """The input of a part of the definition, and its sentence with the input's name in front."""
    name, label = INPUTS.get(place, (place, HANDLING))
    return name, spoken(
        request, say("「%(label)s」：%(text)s", label=spoken(request, label), text=spoken(request, sentence))
    )


def _wanted(sent: Form) -> dict[str, Any]:
    """The form as parts of a definition."""
    fee = {
        "when": sent.get("fee_when"), "amount": _yen(sent.get("amount")), "basis": sent.get("basis"),
        "times": sent.get("fee_times"), "due_days": _yen(sent.get("due_days")),
        "exempt": [line.strip() for line in sent.get("exempt").splitlines() if line.strip()],
    }  # fmt: skip
    return {
        "second_person": sent.get("second_person") == "yes",
        "visits": sent.get("visits") == "yes",
        "fee": None if sent.get("fee_when") not in ("before", "after") else fee,
        "notice": {name: text for name in NOTICE if (text := sent.get(f"notice_{name}").strip())}
        | {"post_after_days": sent.number("post_after_days")},
        "my_number": _my_number(sent),
        "cosign": _cosign(sent),
        "retention": {name: sent.number(name) for name in ("decided_months", "withdrawn_months")},
    }


def _cosign(sent: Form) -> dict[str, Any] | None:
    if sent.get("cosign_persons") in ("", "0"):
        return None
    return {"persons": sent.number("cosign_persons"), "statement": sent.get("cosign_statement").strip()}


def _my_number(sent: Form) -> dict[str, Any] | None:
    """The flag of a procedure that takes the マイナンバー; without a basis in law the definition refuses it."""
    if sent.get("my_number") not in ("need", "may"):
        return None
    return {
        "basis": sent.get("my_number_basis").strip(), "purpose": sent.get("my_number_purpose").strip(),
        "need": sent.get("my_number") == "need",
    }  # fmt: skip


def _yen(text: str) -> int | str | None:
    """Yen (or days); None where nothing was typed; what is no number stays, and is refused."""
    return int(text) if text.isascii() and text.isdigit() else (text or None)


def _handling(
    request: Request,
    actor: Actor,
    procedure_id: str,
    errors: dict[str, str],
    typed: dict[str, str],
    problem: str = "",
    wanted: dict[str, Any] | None = None,
    status_code: int = 200,
) -> Response:
    """`typed`, where something was, stands in the inputs as it was typed, ticked or emptied. Where `wanted` can be put into what
    others have published since (`problem`), that does."""
    with reading(request, actor) as session:
        row, definition = procedures.published(session, procedure_id)
        seen = procedures.version_seen(session, row, typed.get("version", "")) if wanted else None
    rules, changes = definition.handling, []
    if seen is not None and wanted is not None:
        both, changes = handling.joined(seen.handling, wanted, definition.handling)
        rules, typed = (both, {}) if both else (rules, typed)
    crumbs = (Link(PROCEDURES, f"{base(request)}/desk/procedures"), Link(definition.title, "", True))
    return render(
        request, "desk/handling.html", desk=True, crumbs=crumbs, title=HANDLING, procedure=definition, procedure_id=procedure_id,
        value=Texts(typed or _inputs(rules)), numbers=list(multipliers(definition).items()), errors=Texts(errors), version=row.version,
        problem=spoken(request, problem), changes=[words.told(each, definition, definition) for each in changes],
        status_code=status_code, closed=row.state != procedures.PUBLISHED,
    )  # fmt: skip


def _inputs(rules: Handling) -> dict[str, str]:
    """What each input of the page holds for these rules."""
    fee, mine, cosign = rules.fee, rules.my_number, rules.cosign
    return {
        "second_person": "yes" if rules.second_person else "",
        "visits": "yes" if rules.visits else "",
        **(_fee_inputs(fee) if fee else {"fee_when": "none"}),
        **{f"notice_{name}": getattr(rules.notice, name) for name in NOTICE},
        "post_after_days": str(rules.notice.post_after_days),
        **(_cosign_inputs(cosign) if cosign else {}),
        **(_my_number_inputs(mine) if mine else {"my_number": "none"}),
        "decided_months": str(rules.retention.decided_months),
        "withdrawn_months": str(rules.retention.withdrawn_months),
    }


def _fee_inputs(fee: Fee) -> dict[str, str]:
    return {
        "fee_when": fee.when, "amount": _typed(fee.amount), "fee_times": fee.times, "due_days": _typed(fee.due_days),
        "basis": fee.basis, "exempt": "\n".join(fee.exempt),
    }  # fmt: skip


def _cosign_inputs(cosign: Cosign) -> dict[str, str]:
    return {"cosign_persons": str(cosign.persons), "cosign_statement": cosign.statement}


def _my_number_inputs(mine: MyNumber) -> dict[str, str]:
    return {
        "my_number": "need" if mine.need else "may", "my_number_basis": mine.basis, "my_number_purpose": mine.purpose,
    }  # fmt: skip


def _typed(number: int | None) -> str:
    return "" if number is None else str(number)
