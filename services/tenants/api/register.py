"""`/operator/registry`: the register's dated history. Every change is shown with what it does to the counts, then recorded.

A form is sent twice: first to look (nothing is kept), then with `step=record` to record. `version` says which register was
looked at: a change made in between is not written over.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access, audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, Refusal, say
from libs.common.web import dates
from services.tenants.api import figures, inputs, view, words
from services.tenants.db import deletions as deletions_db
from services.tenants.db import members as members_db
from services.tenants.db import registry as registry_db
from services.tenants.domain import catalogue, mergers
from services.tenants.domain.capacity import Held
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.codes import read_code
from services.tenants.domain.history import believed
from services.tenants.domain.lives import changes, in_order
from services.tenants.domain.municipality import Municipality, existing_on, kind_of
from services.tenants.use_cases import capacity, count, import_history, merging, registry
from services.tenants.use_cases.import_municipalities import import_municipalities as import_towns

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]
Texts = Annotated[list[str] | None, Form()]
Act = Callable[[Session], object]
HOME = "/operator/registry"
STATE_FIELDS: tuple[str, ...] = ("code", "name", "kana", "region", "since", "until")


@router.get("/operator/registry")
def show_registry(request: Request, actor: Actor = access.operator()) -> Response:
    return _registry(request)


def _registry(
    request: Request, error: Refusal | None = None, imported: int | None = None, field: str = "file", prepared: int = 0
) -> Response:
    with view.service_of(request).database.reading() as session:
        states = registry_db.states(session)
        run = members_db.tenants_with(session, "portal.admin")
    present = [s for s in existing_on(states, view.today_of(request)).values() if s.counted]
    reader = view.reader_of(request)
    return view.operator_page(
        request,
        "operator/registry.html",
        HOME,
        status_code=error.status if error else 200,
        errors=view.told(request, getattr(error, "fields", None) or {field: error.message}) if error else {},
        lines=[line | {"sentence": reader(line["sentence"])} for line in error.details.get("lines", [])]
        if error
        else [],
        present=present,
        run=run,
        happened=words.happened(changes(states), states, reader),
        imported=imported,
        prepared=prepared,
    )


# ---- one municipality -----------------------------------------------------------------------------------------------


@router.get("/operator/registry/{tenant}")
def municipality(request: Request, tenant: str, done: str = "", actor: Actor = access.operator()) -> Response:
    """What is believed, what was believed before, who recorded it and why; and the forms to change it."""
    return _municipality(request, tenant, done=done)


def _what_went(subject: str) -> str:
    return say("台帳の登録（職員と設定）") if subject == deletions_db.REGISTRY else catalogue.service(subject).name


def _municipality(
    request: Request,
    tenant: str,
    *,
    act: str = "",
    typed: dict[str, Any] | None = None,
    error: Refusal | None = None,
    done: str = "",
) -> Response:
    today, reader = view.today_of(request), view.reader_of(request)
    with view.service_of(request).database.reading(tenant=tenant) as session:
        everybody = registry_db.states(session)
        entries = audit.entries(session, subject=tenant)
        version = registry_db.version(session)
        deletions = deletions_db.of_tenant(session, tenant)
    own = [s for s in everybody if s.tenant_id == tenant]
    life = in_order(believed(own))
    if not life:
        raise NotFound(say("この市町村は、台帳にありません。"))
    here = existing_on(everybody, today)
    coming = {s.tenant_id: s for s in believed(everybody) if s.valid_until is None and s.tenant_id not in here}
    others = [s for s in [*here.values(), *coming.values()] if s.counted and s.tenant_id != tenant]
    persons = view.neighbours_of(request).persons(sorted({entry.actor for entry in entries}))
    present = existing_on(own, today).get(tenant)
    return view.operator_page(
        request,
        "operator/municipality.html",
        HOME,
        status_code=error.status if error else 200,
        errors={f"{act}-{field}": text for field, text in view.told(request, _fields(error)).items()},
        act=act,
        typed=typed or {},
        town=present or life[-1],
        tenant=tenant,
        exists=present is not None,
        parts=[s.name for s in mergers.parts_of(everybody, tenant)],
        life=life,
        was=sorted((s for s in own if s.superseded_at), key=lambda s: s.recorded_at, reverse=True),
        near=[s for s in others if s.region == life[-1].region],
        far=[s for s in others if s.region != life[-1].region],
        rows=[*(typed or {}).get("states", ()), {}] if act == "correct" else [*(_row(s) for s in life), {}],
        records=[
            (entry.at, words.audit_words(entry.action, reader), _who(persons, entry.actor), entry.reason)
            for entry in entries
        ],
        version=version,
        deletions=[(row, reader(_what_went(row.subject))) for row in deletions],
        done=done,
    )


def _fields(error: Refusal | None) -> dict[str, str]:
    return {} if error is None else getattr(error, "fields", None) or {"form": error.message}


def _who(persons: dict[str, Any], actor: str) -> str:
    return persons[actor].name if actor in persons else actor


def _row(state: Municipality) -> dict[str, str]:
    since, until = (day.isoformat() if day else "" for day in (state.valid_from, state.valid_until))
    return dict(zip(STATE_FIELDS, (state.code, state.name, state.kana, state.region, since, until), strict=True))


@router.post("/operator/registry/{tenant}/rename")
def rename(
    request: Request,
    tenant: str,
    new_code: Text = "",
    name: Text = "",
    kana: Text = "",
    on: Text = "",
    reason: Text = "",
    version: Text = "",
    step: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    """A municipality has a new code and name from a day on."""

    def act(session: Session) -> None:
        named = {"name": _needed(name, "name"), "kana": _needed(kana, "kana")}
        why = _needed(reason, "reason")
        registry.rename(
            session, actor, tenant, code=new_code, **named, on=_day(on), reason=why, now=view.now_of(request)
        )

    typed = {"new_code": new_code, "name": name, "kana": kana, "on": on, "reason": reason}
    return _change(request, tenant, "rename", typed, act, version=version, step=step)


@router.post("/operator/registry/{tenant}/end")
def end(
    request: Request,
    tenant: str,
    on: Text = "",
    successor: Text = "",
    reason: Text = "",
    version: Text = "",
    step: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    """A municipality exists no longer from a day on; with `successor` it went into that one (編入合併)."""

    def act(session: Session) -> None:
        day, why = _day(on), _needed(reason, "reason")
        if successor and successor not in existing_on(registry_db.states(session), day):
            sentence = say("編入する先の市町村が、この日の台帳にありません。")
            raise Invalid(sentence, fields={"successor": sentence})
        registry.end(session, actor, tenant, day, view.now_of(request), successor=successor or None, reason=why)

    typed = {"on": on, "successor": successor, "reason": reason}
    return _change(request, tenant, "end", typed, act, version=version, step=step)


@router.post("/operator/registry/{tenant}/merge")
def merge(
    request: Request,
    tenant: str,
    parts: Texts = None,
    new_code: Text = "",
    name: Text = "",
    kana: Text = "",
    on: Text = "",
    reason: Text = "",
    version: Text = "",
    step: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    """Several municipalities become a new one (新設合併)."""

    def act(session: Session) -> None:
        region = existing_on(registry_db.states(session, tenant), _day(on)).get(tenant)
        merger = merging.Merger(
            parts=[tenant, *(parts or [])],
            code=new_code,
            name=_needed(name, "name"),
            kana=_needed(kana, "kana"),
            region=region.region if region else "",
            on=_day(on),
        )
        merging.merge(session, actor, merger, _needed(reason, "reason"), view.now_of(request))

    typed = {"parts": parts or [], "new_code": new_code, "name": name, "kana": kana, "on": on, "reason": reason}
    return _change(request, tenant, "merge", typed, act, version=version, step=step, session_of=actor.tenant)


@router.post("/operator/registry/{tenant}/correct")
def correct(
    request: Request,
    tenant: str,
    code: Texts = None,
    name: Texts = None,
    kana: Texts = None,
    region: Texts = None,
    since: Texts = None,
    until: Texts = None,
    reason: Text = "",
    version: Text = "",
    step: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    """What was recorded wrongly: all periods as they should have been. What was believed before stays readable."""
    columns = [column or [] for column in (code, name, kana, region, since, until)]
    rows: list[dict[str, str]] = [dict(zip(STATE_FIELDS, cells, strict=True)) for cells in zip(*columns, strict=False)]
    rows = [row for row in rows if any(value.strip() for value in row.values())]

    def act(session: Session) -> None:
        life = in_order(believed(registry_db.states(session, tenant)))
        if not life:
            raise NotFound(say("この市町村は、台帳にありません。"))
        states = [_corrected(life[min(number, len(life) - 1)], row) for number, row in enumerate(rows)]
        registry.correct(session, actor, tenant, states, reason, view.now_of(request))

    typed = {"states": rows, "reason": reason}
    return _change(request, tenant, "correct", typed, act, version=version, step=step)


def _corrected(state: Municipality, row: dict[str, str]) -> Municipality:
    until = figures.read_day(row["until"], "states")
    return replace(
        state,
        code=read_code(row["code"]),
        name=_needed(row["name"], "states"),
        kana=_needed(row["kana"], "states"),
        kind=kind_of(row["name"].strip()),
        region=row["region"].strip(),
        valid_from=figures.read_day(row["since"], "states"),
        valid_until=until,
        successor=state.successor if until else None,
    )


@router.post("/operator/registry/{tenant}/merger")
def correct_merger(
    request: Request,
    tenant: str,
    on: Text = "",
    never: Text = "",
    reason: Text = "",
    version: Text = "",
    step: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    """The merger that made this municipality was on another day, or does not come (`never`): all it concerns is corrected at once."""

    def act(session: Session) -> None:
        day = None if never else _day(on)
        merging.correct(session, actor, tenant, day, _needed(reason, "reason"), view.now_of(request))

    typed = {"on": on, "never": never, "reason": reason}
    leads = HOME if never else f"{HOME}/{tenant}"
    return _change(
        request, tenant, "merger", typed, act, version=version, step=step, session_of=actor.tenant, leads=leads
    )


# ---- looking, then recording ----------------------------------------------------------------------------------------


def _change(
    request: Request,
    tenant: str,
    name: str,
    typed: dict[str, Any],
    act: Act,
    *,
    version: str,
    step: str,
    session_of: str | None = None,
    leads: str = "",
) -> Response:
    """Show what `act` would do, or do it. `session_of`: whose session it needs, if not the municipality's; `leads`: the page after
    it, if not the municipality's."""
    database = view.service_of(request).database
    try:
        with database.transaction(tenant=session_of or tenant) as session:
            found = registry_db.version(session, lock=True)
            if step == "record" and version != str(found):
                raise Conflict(
                    say("見ている間に、台帳が変わりました。いまの内容を確かめて、もう一度お試しください。"),
                    code="register-moved",
                )
            before, reserved = count.read(session), capacity.holding(session, view.today_of(request))
            act(session)
            after, kept = count.read(session), capacity.holding(session, view.today_of(request))
            if step != "record":
                session.rollback()
    except Refusal as error:
        return _municipality(request, tenant, act=name, typed=typed, error=error)
    if step == "record":
        return view.see_other(f"{leads or f'{HOME}/{tenant}'}?done={name}")
    servers = _servers(reserved, kept, after, view.reader_of(request))
    return _preview(request, tenant, name, typed, before, after, servers, found)


def _preview(
    request: Request,
    tenant: str,
    act: str,
    typed: dict[str, Any],
    before: count.Register,
    after: count.Register,
    servers: list[tuple[str, str, str]],
    version: int,
) -> Response:
    reader, known = view.reader_of(request), set(believed(before.states))
    old = in_order(s for s in believed(before.states) if s.tenant_id == tenant)
    new = [s for s in believed(after.states) if _plain(s) not in {_plain(k) for k in known}]
    return view.operator_page(
        request,
        "operator/foreseen.html",
        HOME,
        tenant=tenant,
        town=old[-1],
        act=act,
        typed=typed,
        states=in_order(new),
        days=[(effect.day, _rows(effect, reader)) for effect in count.effects(before, after, view.today_of(request))],
        closing=_closing(before, after),
        servers=servers,
        version=version,
    )


def _plain(state: Municipality) -> Municipality:
    """A state without the moment of recording: a correction records anew also what it leaves as it was."""
    return replace(state, recorded_at=view.EVER, superseded_at=None)


def _rows(effect: count.Effect, reader: words.Reader) -> list[tuple[str, str, str]]:
    """Number of municipalities and of each service, before and after."""
    towns = [str(len(found.municipalities)) for found in (effect.before, effect.after)]
    rows = [(reader(say("市町村の数")), *towns)]
    for service in SERVICES:
        rows.append((reader(service.name), str(effect.before.count(service.key)), str(effect.after.count(service.key))))
    return rows  # type: ignore[return-value]


Holding = dict[str, tuple[str, Held]]


def _servers(
    before: Holding, after: Holding, register: count.Register, reader: words.Reader
) -> list[tuple[str, str, str]]:
    """Reserved servers that change: whose, the days and number before, and after ("" for none)."""
    names = {s.tenant_id: s.name for s in in_order(believed(register.states))}

    def told(one: tuple[str, Held] | None) -> str:
        if one is None:
            return ""
        held = one[1]
        first, last = (dates.day(day, lang=reader.lang) for day in (held.first, held.until - timedelta(days=1)))
        return reader(say("%(first)sから%(last)sまで、%(nodes)s台"), first=first, last=last, nodes=held.nodes)

    changed = [ident for ident in {**before, **after} if before.get(ident) != after.get(ident)]
    whose = {ident: (after.get(ident) or before[ident])[0] for ident in changed}
    return [(names.get(whose[i], whose[i]), told(before.get(i)), told(after.get(i))) for i in changed]


def _closing(before: count.Register, after: count.Register) -> list[str]:
    """Names of municipalities that end and have rooms in use: their data stays behind."""
    rooms = {s.key for s in SERVICES if s.delivery == "room" and s.opened}
    ends = {s.tenant_id: s for s in believed(after.states) if s.valid_until and s.counted}
    still = {s.tenant_id for s in believed(after.states) if s.valid_until is None}
    used = {i.tenant_id for i in believed(before.intervals) if i.service in rooms and i.valid_until is None}
    return [state.name for tenant, state in ends.items() if tenant in used - still]


def _needed(text: str, field: str) -> str:
    if not text.strip():
        sentences: dict[str, str] = {
            "name": say("名前を入力してください。"),
            "kana": say("よみがなを入力してください。"),
            "reason": say("理由を入力してください。あとから読む人のために残します。"),
        }
        sentence = sentences.get(field, say("名前とよみがなを入力してください。"))
        raise Invalid(sentence, fields={field: sentence})
    return text.strip()


def _day(text: str) -> date:
    day = figures.read_day(text, "on")
    if day is None:
        sentence = say("日付を入力してください。")
        raise Invalid(sentence, fields={"on": sentence})
    return day


# ---- participation of past years ------------------------------------------------------------------------------------


@router.post("/operator/participation")
def import_participation(
    request: Request, file: Annotated[UploadFile, File()], actor: Actor = access.operator()
) -> Response:
    """Participation of past years from a CSV: all of it, or none with every wrong line named."""
    now = view.now_of(request)
    try:
        text = inputs.text_of(file)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            found = import_history.import_history(session, text, "history.csv", now)
            rooms = import_history.provide_rooms(session, actor, found, now)
            audit.record(session, actor, "history.imported", "participation", detail={"lines": len(found)}, now=now)
    except Refusal as error:
        return _registry(request, error)
    return _registry(request, imported=len(found), prepared=rooms)


@router.post("/operator/municipalities")
def import_municipalities(
    request: Request, file: Annotated[UploadFile, File()], actor: Actor = access.operator()
) -> Response:
    """Municipalities from a CSV, the whole nation if need be: all lines, or none with every wrong one named."""
    try:
        text = inputs.text_of(file)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            new, _ = import_towns(session, actor, text, view.now_of(request))
    except Refusal as error:
        return _registry(request, error, field="towns")
    return _registry(request, imported=new)
