"""How a procedure's applications are handled, changed at the desk: a new version of the procedure, for new applications."""

from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.eapply.forms import edit
from services.eapply.forms.analysis import multipliers
from services.eapply.forms.definition import Procedure, from_document
from services.eapply.forms.differences import Difference, differences, join
from services.eapply.forms.handling import Handling
from services.eapply.use_cases import build, procedures


def change(session: Session, actor: Actor, key: str, seen: int, handling: dict[str, Any], now: datetime) -> Procedure:
    """Publish the procedure with these parts of its handling changed; a closed one (休止) stays closed. Applications on their way
    stay on their version. `seen`: the published version that the form was made from; Conflict where there is another by now.

    A draft of the procedure gets them, too: published later, it would bring the old ones back.
    """
    procedures.lock(session, key)
    row = procedures.find(session, key)
    if row.version != seen:
        raise Conflict(
            say("この画面を開いたあとに、ほかの人が扱い方を変えたか、新しい版を公開しました。"),
            code=build.CHANGED_MEANWHILE,
        )
    document = procedures.definition(session, row.id, row.version).document
    document["handling"] = document.get("handling", {}) | handling
    try:
        changed = from_document(edit.tidy(document))
    except ValidationError as error:
        places = {_place(each): _sentence(each) for each in error.errors()}
        raise Invalid(say("直していただくところがあります。"), fields=places) from error
    fee = changed.handling.fee
    if fee is not None and fee.times and fee.times not in multipliers(changed):
        sentence = say("数を答える項目から選んでください。")
        raise Invalid(sentence, fields={"fee.times": sentence})
    procedures.publish(session, changed, now)
    build.set_handling(session, actor, key, changed.document.get("handling", {}), now)
    audit.record(session, actor, "eapply.procedure.handling", key, now=now)
    return changed


def _place(fault: Any) -> str:
    """Where in the handling: `my_number.basis`."""
    return ".".join(str(each) for each in fault["loc"][1:]) or "handling"


def _sentence(fault: Any) -> str:
    """What to do about one fault, in a clerk's words."""
    limits = fault.get("ctx", {})
    match fault["type"]:
        case "string_too_short":
            return say("%(least)s文字以上で入力してください。", least=limits["min_length"])
        case "string_too_long":
            return say("%(most)s文字以内で入力してください。", most=limits["max_length"])
        case "greater_than_equal":
            return say("%(least)s以上の数を入力してください。", least=limits["ge"])
        case "less_than_equal":
            return say("%(most)s以下の数を入力してください。", most=limits["le"])
        case kind if kind.startswith("int_"):
            return say("数字で入力してください。")
    return say("この項目を確かめてください。")


def joined(seen: Handling, typed: dict[str, Any], now_there: Handling) -> tuple[Handling | None, list[Difference]]:
    """What was typed over `seen` put into what is there now, None where it cannot be read; and what others changed."""
    before, after = _plain(seen), _plain(now_there)
    changes = list(differences(before, after))
    try:
        ours = _plain(Handling.model_validate(before | typed))
        return Handling.model_validate(join(before, ours, after)[0]), changes
    except ValidationError:
        return None, changes


def _plain(handling: Handling) -> dict[str, Any]:
    """As a document in which every part stands: what one leaves out and the other writes out is the same."""
    return handling.model_dump(mode="json")
