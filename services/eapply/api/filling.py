"""What a form of an application sends, whether it is a step being filled in or a correction: uploads, buttons, inputs."""

from datetime import datetime
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal
from services.eapply.api.shell import Form, Texts, language, service_of, spoken
from services.eapply.db import CorrectionRow, DraftRow
from services.eapply.forms import raw as inputs
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.raw import Raw
from services.eapply.forms.read import Reading
from services.eapply.forms.retype import value_at
from services.eapply.forms.show import text_of
from services.eapply.use_cases import attach, drafts
from services.eapply.use_cases.once_only import OFFERED

Kept = list[tuple[str, dict[str, object]]]
"""(path, stored file)."""


def pressed(sent: Form) -> tuple[str, str]:
    """Which button was used: (act, what it speaks of). Enter means going on."""
    if sent.get("remove"):
        return "remove", sent.get("remove")
    act, _, what = (sent.get("act") or "next").partition(":")
    return act, what


def take_in(
    session: Session,
    holder: DraftRow | CorrectionRow,
    procedure: Procedure,
    fields: Any,
    kept: Kept,
    button: tuple[str, str],
    now: datetime,
) -> tuple[str, dict[str, str]]:
    """Attach what was uploaded and do what the button says: (anchor to come back to, path → sentence). What was typed is
    saved before."""
    errors = _attach_all(session, holder, procedure, kept, now)
    act, what = button
    holder.raw, place, more = changed_inputs(holder.raw, fields, act, what)
    if act == "remove":
        attach.detach(holder, what)
    return place, errors | more


def keep_uploads(request: Request, actor: Actor, procedure: Any, sent: Form) -> tuple[Kept, dict[str, str]]:
    """Store what was uploaded, before any row is locked: ([(path, file)], path → sentence for what was refused)."""
    kept, errors = [], {}
    for path, upload in sent.uploads:
        try:
            field = attach.file_field(procedure, path)
            extras, tenant = service_of(request).extras, actor.tenant or ""
            name, size = upload.filename, upload.size or 0
            stored = attach.keep(extras["files"], tenant, field, upload.file, size, name, extras.get("scanner"))
            kept.append((path, stored))
        except Refusal as refusal:
            if refusal.status in (404, 503):
                raise
            errors[path] = refusal.message
    return kept, errors


def _attach_all(session: Any, holder: Any, procedure: Any, kept: Kept, now: Any) -> dict[str, str]:
    errors: dict[str, str] = {}
    for path, stored in kept:
        try:
            attach.attach(session, holder, attach.file_field(procedure, path), path, stored, now)
        except Invalid as refusal:
            errors |= refusal.fields
    return errors


def changed_inputs(raw: Raw, fields: Any, act: str, what: str) -> tuple[Raw, str, dict[str, str]]:
    """What a button of the form does to the inputs: (raw, anchor to come back to, path → sentence)."""
    groups: dict[str, FormField] = {field.key: field for field in fields if field.type == "group"}
    key, _, item = what.partition(".")
    if act == "add" and key in groups:
        try:
            raw, item = inputs.add_item(raw, groups[key])
        except Invalid as refusal:
            return raw, "", {key: refusal.message}
        return raw, f"#{key}.{item}", {}
    if act == "drop" and key in groups:
        return inputs.remove_item(raw, groups[key], item), f"#{key}", {}
    if act == "postal":
        raw, sentence = drafts.fill_address(raw, what.removesuffix("."))
        return raw, "", {f"{what.removesuffix('.')}.postal": sentence} if sentence else {}
    return raw, "", {}


def after_postal(act: str, what: str) -> str:
    """The input to go on from after the address `what` was looked up: people without a mouse stay where they were."""
    return f"{what}.street" if act == "postal" else ""


def form_context(
    request: Request,
    raw: Raw,
    files: dict[str, Any],
    fields: Any,
    files_address: str,
    reading: Reading,
    live: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """What the templates need to show the inputs of `fields`, of which `reading` says which are asked and needed.

    `live`: answers upon which the page is shown anew while somebody fills it in.
    """
    return {
        "shown": reading.shown,
        "needed": reading.needed,
        "live": live,
        "offered": set(raw.get(OFFERED, [])),
        "worth": lambda field, path: spoken(
            request, text_of(field, value_at(reading.answers, path), language(request))
        ),
        "raw": raw,
        "values": Texts({name: texts[0] if texts else "" for name, texts in raw.items()}),
        "files": files,
        "items": {field.key: inputs.items(raw, field) for field in fields if field.type == "group"},
        "files_address": files_address,
    }
