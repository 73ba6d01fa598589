"""問い合わせ: `/portal/{code}/support/` for a municipality, `/operator/support` for who answers; the inbox of both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from libs.common import access, csvout, files, idempotency, notices
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, TooLarge, say
from services.tenants.api import view
from services.tenants.db import registry as registry_db
from services.tenants.db import support as db
from services.tenants.db.support import ThreadRow
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.municipality import Municipality, existing_on
from services.tenants.settings import files_of
from services.tenants.use_cases import support
from services.tenants.use_cases.support import Sent, Told

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
Asked = Annotated[str, Query()]
Files = Annotated[list[UploadFile], File()]
NO_FILES: Any = []
TAKEN = files.PDF | files.IMAGES | files.CSV
STATES = ("open", "answered", "closed")


@dataclass(frozen=True)
class Side:
    """Where a page stands. `tenant` is the only municipality that may be seen from here; None: every one."""

    name: str
    base: str
    tenant: str | None
    page: Callable[..., Response]


def _town_side(request: Request, actor: Actor, room: str = "support") -> Side:
    town = view.municipality_of(request, actor)
    base = f"/portal/{town.code}/support/"

    def page(template: str, **context: Any) -> Response:
        return view.portal_page(request, template, town, f"/portal/{town.code}/{room}/", **context)

    return Side("town", base, town.tenant_id, page)


def _operator_side(request: Request) -> Side:
    base = "/operator/support"

    def page(template: str, **context: Any) -> Response:
        return view.operator_page(request, template, base, **context)

    return Side("operator", f"{base}/", None, page)


# ---- a municipality -------------------------------------------------------------------------------------------------


@router.get("/portal/{code}/support/")
def town_list(request: Request, code: str, before: Asked = "", actor: Actor = access.staff("portal.admin")) -> Response:
    return _list(request, actor, _town_side(request, actor), STATES, before)


@router.post("/portal/{code}/support/")
def ask(
    request: Request,
    code: str,
    title: Text = "",
    service: Text = "",
    text: Text = "",
    idempotency_key: Text = "",
    papers: Files = NO_FILES,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    side, typed = _town_side(request, actor), {"title": title, "service": service, "text": text}
    try:
        support.checked(text, title)
        sent = _stored(request, actor.tenant or "", papers)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            now, told = view.now_of(request), _told(request, session, actor.tenant or "")

            def make() -> dict[str, Any]:
                return {"id": support.ask(session, actor, title, service, text, sent, told, now).id}

            made = _once(session, actor, idempotency_key, (title, service, text), make, now)
    except (Invalid, TooLarge) as error:
        return _list(request, actor, side, STATES, "", error, typed)
    return view.see_other(f"{side.base}{made['id']}")


@router.get("/portal/{code}/support/{thread_id}")
def town_thread(request: Request, code: str, thread_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    return _thread(request, _town_side(request, actor), thread_id)


@router.post("/portal/{code}/support/{thread_id}")
def town_write(
    request: Request,
    code: str,
    thread_id: str,
    text: Text = "",
    idempotency_key: Text = "",
    papers: Files = NO_FILES,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    return _write(request, actor, _town_side(request, actor), thread_id, text, idempotency_key, papers)


@router.post("/portal/{code}/support/{thread_id}/close")
def town_close(request: Request, code: str, thread_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    return _close(request, actor, _town_side(request, actor), thread_id)


@router.get("/portal/{code}/support/{thread_id}/files/{file_id}")
def town_file(
    request: Request, code: str, thread_id: str, file_id: str, actor: Actor = access.staff("portal.admin")
) -> Response:
    return _file(request, _town_side(request, actor), thread_id, file_id)


@router.get("/portal/{code}/notices/")
def town_inbox(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    return _inbox(request, actor, _town_side(request, actor, "notices"))


# ---- operators ------------------------------------------------------------------------------------------------------


@router.get("/operator/support")
def operator_list(
    request: Request, before: Asked = "", state: Asked = "open", actor: Actor = access.operator()
) -> Response:
    """What waits for an answer; with `state` all, or those that are in another."""
    states = (state,) if state in STATES else STATES
    return _list(request, actor, _operator_side(request), states, before)


@router.get("/operator/support/{thread_id}")
def operator_thread(request: Request, thread_id: str, actor: Actor = access.operator()) -> Response:
    return _thread(request, _operator_side(request), thread_id)


@router.post("/operator/support/{thread_id}")
def operator_write(
    request: Request,
    thread_id: str,
    text: Text = "",
    idempotency_key: Text = "",
    papers: Files = NO_FILES,
    actor: Actor = access.operator(),
) -> Response:
    return _write(request, actor, _operator_side(request), thread_id, text, idempotency_key, papers)


@router.post("/operator/support/{thread_id}/close")
def operator_close(request: Request, thread_id: str, actor: Actor = access.operator()) -> Response:
    return _close(request, actor, _operator_side(request), thread_id)


@router.get("/operator/support/{thread_id}/files/{file_id}")
def operator_file(request: Request, thread_id: str, file_id: str, actor: Actor = access.operator()) -> Response:
    return _file(request, _operator_side(request), thread_id, file_id)


@router.get("/operator/notices")
def operator_inbox(request: Request, actor: Actor = access.operator()) -> Response:
    return _inbox(request, actor, _operator_side(request))


# ---- what they do ---------------------------------------------------------------------------------------------------


def _list(
    request: Request,
    actor: Actor,
    side: Side,
    states: tuple[str, ...],
    before: str,
    error: Refusal | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    with view.service_of(request).database.reading() as session:
        rows = db.threads(session, side.tenant, states, before)
        towns = existing_on(registry_db.states(session), view.today_of(request)) if side.tenant is None else {}
        unread = notices.unread_count(session, actor.subject)
    reader, state = view.reader_of(request), states[0] if len(states) == 1 else "all"
    asked = f"?state={state}&before=" if side.tenant is None else "?before="
    return side.page(
        "portal/support.html",
        status_code=error.status if error else 200,
        side=side,
        rows=rows,
        towns=towns,
        unread=unread,
        inbox="/operator/notices" if side.tenant is None else side.base.replace("/support/", "/notices/"),
        state=state,
        state_words=support.STATES,
        next=f"{asked}{rows[-1].moved}" if len(rows) == db.PAGE else "",
        options=[("", reader(say("サービスによらないこと"))), *((s.key, reader(s.name)) for s in SERVICES)],
        most={"files": support.MAX_FILES, "bytes": support.MAX_FILE_BYTES // 1_000_000},
        typed={"title": "", "service": "", "text": ""} | (typed or {}),
        errors=_beside(request, error),
    )


def _thread(request: Request, side: Side, thread_id: str, error: Refusal | None = None, typed: str = "") -> Response:
    database = view.service_of(request).database
    with database.reading() as session:
        row = db.find(session, thread_id, side.tenant)
    with database.reading(tenant=row.tenant) as session:
        found = db.messages(session, row.id)
        papers = db.files(session, [message.id for message in found])
    return side.page(
        "portal/support_thread.html",
        status_code=error.status if error else 200,
        side=side,
        row=row,
        asker=_town(request, row.tenant),
        found=[(message, [p for p in papers if p.subject == message.id]) for message in found],
        persons=view.neighbours_of(request).persons(sorted({message.by for message in found})),
        services={s.key: s.name for s in SERVICES},
        state_words=support.STATES,
        most={"files": support.MAX_FILES, "bytes": support.MAX_FILE_BYTES // 1_000_000},
        typed=typed,
        errors=_beside(request, error),
    )


def _beside(request: Request, error: Refusal | None) -> dict[str, str]:
    """The sentences beside the fields; a refusal of the file store is one about the papers."""
    if error is None:
        return {}
    return view.told(request, (error.fields if isinstance(error, Invalid) else {}) or {"papers": error.message})


def _town(request: Request, tenant: str) -> Municipality | None:
    """As it is today; None once it exists no longer."""
    with view.service_of(request).database.reading() as session:
        return existing_on(registry_db.states(session, tenant), view.today_of(request)).get(tenant)


def _write(
    request: Request, actor: Actor, side: Side, thread_id: str, text: str, key: str, papers: list[UploadFile]
) -> Response:
    database = view.service_of(request).database
    with database.reading() as session:
        tenant = db.find(session, thread_id, side.tenant).tenant
    try:
        support.checked(text)
        sent = _stored(request, tenant, papers)
        with database.transaction(tenant=tenant) as session:
            row, now = db.find(session, thread_id, side.tenant, lock=True), view.now_of(request)
            told = _told(request, session, tenant)

            def make() -> dict[str, Any]:
                return {"id": support.write(session, actor, row, side.name, text, sent, told, now).id}

            made = _once(session, actor, key, (thread_id, text), make, now)
    except (Invalid, TooLarge) as error:
        return _thread(request, side, thread_id, error, text)
    return view.see_other(f"{side.base}{thread_id}#m-{made['id']}")


def _once(
    session: Session, actor: Actor, key: str, typed: tuple[str, ...], make: Callable[[], dict[str, Any]], now: Any
) -> dict[str, Any]:
    """A form sent twice is one message."""
    if not key:
        return make()
    print_ = idempotency.fingerprint(*typed)
    return idempotency.once(session, key, scope=f"{actor.subject}:support", fingerprint=print_, make=make, now=now)


def _stored(request: Request, tenant: str, papers: list[UploadFile]) -> list[Sent]:
    """The files in the store. Raises Invalid or TooLarge; what was stored before a refusal is forgotten after a day."""
    chosen = [paper for paper in papers if paper.filename]
    if len(chosen) > support.MAX_FILES:
        sentence = say("添えられるのは%(most)sつまでです。", most=support.MAX_FILES)
        raise Invalid(sentence, fields={"papers": sentence})
    store = files_of(view.service_of(request))
    return [
        Sent(store.put(tenant, p.file, limit=support.MAX_FILE_BYTES, allowed=TAKEN), _called(p.filename or ""))
        for p in chosen
    ]


def _called(name: str) -> str:
    """The last part of what the person's machine calls the file, without what breaks a line or a header."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable() and c not in '"<>')[-100:] or "file"


def _told(request: Request, session: Session, tenant: str) -> Told:
    service = view.service_of(request)
    existing = existing_on(registry_db.states(session), view.today_of(request))
    town = existing.get(tenant)
    prefecture = next((t for t, state in existing.items() if not state.counted), "")
    name, code = (town.name, town.code) if town else (tenant, tenant)
    return Told(prefecture, name, code, service.settings.public_url.rstrip("/"))


def _close(request: Request, actor: Actor, side: Side, thread_id: str) -> Response:
    database = view.service_of(request).database
    with database.reading() as session:
        tenant = db.find(session, thread_id, side.tenant).tenant
    with database.transaction(tenant=tenant) as session:
        row: ThreadRow = db.find(session, thread_id, side.tenant, lock=True)
        support.close(session, actor, row, side.name, view.now_of(request))
    return view.see_other(f"{side.base}{thread_id}")


def _file(request: Request, side: Side, thread_id: str, file_id: str) -> Response:
    """Only ever as a download: nothing that was sent is shown by a browser under our address."""
    service = view.service_of(request)
    with service.database.reading() as session:
        tenant = db.find(session, thread_id, side.tenant).tenant
    with service.database.reading(tenant=tenant) as session:
        row = db.file_of_thread(session, thread_id, file_id)
    file = files_of(service).stream(tenant, row.id)
    headers = {
        "Content-Disposition": csvout.attachment(row.name),
        "Content-Length": str(row.size),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    return StreamingResponse(file.chunks, media_type=row.media_type, headers=headers)


def _inbox(request: Request, actor: Actor, side: Side) -> Response:
    """What this person was told. Looking at the page is reading it."""
    with view.service_of(request).database.transaction() as session:
        rows = notices.inbox(session, actor.subject)
        unread = {row.id for row in rows if row.read_at is None}
        for notice_id in unread:
            notices.mark_read(session, actor.subject, notice_id, view.now_of(request))
    return side.page("portal/notices.html", side=side, rows=rows, unread=unread, choose=side.tenant is not None)
