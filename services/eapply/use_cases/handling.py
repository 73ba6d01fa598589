"""How a procedure's applications are handled, changed at the desk: a new version of the procedure, for new applications."""

from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from services.eapply.forms import edit
from services.eapply.forms.analysis import multipliers
from services.eapply.forms.definition import Procedure, from_document
from services.eapply.use_cases import build, procedures


def change(session: Session, actor: Actor, key: str, handling: dict[str, Any], now: datetime) -> Procedure:
    """Publish the procedure with these parts of its handling changed; a closed one (休止) stays closed. Applications on their way
    stay on their version.

    A draft of the procedure gets them, too: published later, it would bring the old ones back.
    """
    row = procedures.find(session, key)
    document = procedures.definition(session, row.id, row.version).document
    document["handling"] = document.get("handling", {}) | handling
    try:
        changed = from_document(edit.tidy(document))
    except ValidationError as error:
        places: dict[str, str] = {
            str(each["loc"][-1]): say("この項目を確かめてください。") for each in error.errors() if each["loc"]
        }
        raise Invalid(
            say("直していただくところがあります。"), fields=places or {"handling": say("値を確かめてください。")}
        ) from error
    fee = changed.handling.fee
    if fee is not None and fee.times and fee.times not in multipliers(changed):
        sentence = say("数を答える項目から選んでください。")
        raise Invalid(sentence, fields={"times": sentence})
    procedures.publish(session, changed, now)
    build.set_handling(session, actor, key, changed.document.get("handling", {}), now)
    audit.record(session, actor, "eapply.procedure.handling", key, now=now)
    return changed
