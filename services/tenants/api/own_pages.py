"""A municipality's own pages: written under `/portal/{code}/pages/`, read by everybody under `/t/{code}/`."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import Response, StreamingResponse

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from services.tenants import pictures
from services.tenants.api import view
from services.tenants.db import own_pages as db
from services.tenants.db.own_pages import OwnPageRow
from services.tenants.domain import own_pages as rules
from services.tenants.settings import files_of
from services.tenants.use_cases import own_pages

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
Kind = Annotated[str, Query()]
PUBLIC_NAMES = {**rules.KINDS, rules.ABOUT: say("お問い合わせ")}


# ---- what everybody reads -------------------------------------------------------------------------------------------


@router.get("/t/{code}/contact")
def contact(request: Request, code: str, actor: Actor = access.public()) -> Response:
    return _public(request, actor, rules.ABOUT)


@router.get("/t/{code}/privacy")
def privacy(request: Request, code: str, actor: Actor = access.public()) -> Response:
    return _public(request, actor, "privacy")


@router.get("/t/{code}/terms")
def terms(request: Request, code: str, actor: Actor = access.public()) -> Response:
    return _public(request, actor, "terms")


@router.get("/t/{code}/accessibility")
def accessibility(request: Request, code: str, actor: Actor = access.public()) -> Response:
    return _public(request, actor, "accessibility")


def _public(request: Request, actor: Actor, kind: str) -> Response:
    """What the municipality wrote; where it wrote nothing, the cloud's common text, said to be that."""
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        about, row = own_pages.about(session), db.present(session, kind)
    return _shown(request, actor, kind, about, row.content if row else {}, row.changed_at if row else None)


def _shown(
    request: Request, actor: Actor, kind: str, about: own_pages.About, content: dict[str, Any], at: Any, **more: Any
) -> Response:
    town = view.municipality_of(request, actor)
    text = str(content.get("text", ""))
    context = {"kind": kind, "heading": PUBLIC_NAMES[kind], "blocks": rules.blocks(text) if text else []}
    context |= {"changed_at": at, "logo": view.public_logo(town, about), "preview": None}
    return view.town_page(request, "home/own_page.html", town, about, **(context | more))


@router.get("/t/{code}/logo.png")
def logo(request: Request, code: str, actor: Actor = access.public()) -> Response:
    """The logo that stands now. Its address holds its mark: browsers may keep it."""
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        file_id = own_pages.about(session).logo
    if not file_id:
        raise NotFound(say("この市町村は、まだロゴを登録していません。"))
    return _picture(request, actor, file_id, "public, max-age=3600")


def _picture(request: Request, actor: Actor, file_id: str, cached: str) -> Response:
    """A picture that we drew ourselves, and nothing a browser would run."""
    file = files_of(view.service_of(request)).stream(actor.tenant or "", file_id)
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": cached,
        "ETag": f'"{file_id}"',
    }
    return StreamingResponse(file.chunks, media_type="image/png", headers=headers)


# ---- administrators -------------------------------------------------------------------------------------------------


@router.get("/portal/{code}/pages/")
def overview(request: Request, code: str, page: Kind = "", actor: Actor = access.staff("portal.admin")) -> Response:
    """All pages and how each stands; with `page` one of them to write, with its versions."""
    if page:
        return _write_page(request, actor, rules.checked_kind(page))
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        rows = [(kind, name, db.present(session, kind)) for kind, name in rules.KINDS.items()]
    town = view.municipality_of(request, actor)
    names = _names(request, [row for _, _, row in rows if row])
    return view.portal_page(request, "portal/pages.html", town, f"/portal/{code}/pages/", rows=rows, names=names)


def _names(request: Request, rows: list[OwnPageRow]) -> dict[str, str]:
    """Person → name; the id itself while the gateway does not answer."""
    ids = sorted({row.changed_by for row in rows})
    persons = view.neighbours_of(request).persons(ids)
    return {each: persons[each].name if each in persons else each for each in ids}


def _write_page(
    request: Request, actor: Actor, kind: str, error: Invalid | None = None, typed: dict[str, str] | None = None
) -> Response:
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        rows = db.versions(session, kind)
    number = rows[0].number if rows else 0
    empty = {name: "" for name in (*rules.FIELDS, "logo", "text")}
    return view.portal_page(
        request,
        "portal/page.html",
        town,
        f"/portal/{town.code}/pages/",
        status_code=error.status if error else 200,
        kind=kind,
        heading=rules.KINDS[kind],
        rows=rows,
        names=_names(request, rows),
        typed=empty | {"seen": str(number)} | (dict(rows[0].content) if rows else {}) | (typed or {}),
        errors=view.told(request, error.fields) if error else {},
    )


@router.post("/portal/{code}/pages/")
def write(
    request: Request,
    code: str,
    page: Text = "",
    seen: Text = "0",
    step: Text = "publish",
    text: Text = "",
    window: Text = "",
    address: Text = "",
    phone: Text = "",
    hours: Text = "",
    mail: Text = "",
    site: Text = "",
    logo: Text = "",
    drop_logo: Text = "",
    picture: Annotated[UploadFile | None, File()] = None,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """`step` preview shows the page as citizens would see it and keeps nothing of it; edit goes back to the form with what was
    typed; anything else publishes."""
    kind = rules.checked_kind(page)
    typed = {
        "text": text,
        "window": window,
        "address": address,
        "phone": phone,
        "hours": hours,
        "mail": mail,
        "site": site,
    }
    typed |= {"logo": "" if drop_logo else logo, "seen": seen}
    try:
        number = _number(seen)
        if step == "edit":
            return _write_page(request, actor, kind, typed=typed)
        typed["logo"] = _new_logo(request, actor, picture) or typed["logo"]
        if step == "preview":
            return _preview(request, actor, kind, typed)
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            own_pages.write(session, actor, kind, number, typed, view.now_of(request))
    except Invalid as error:
        return _write_page(request, actor, kind, error, typed)
    return view.see_other(f"/portal/{code}/pages/?page={kind}")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(say("画面から開き直してください。"))
    return int(text)


def _new_logo(request: Request, actor: Actor, picture: UploadFile | None) -> str:
    """The id of what was sent, drawn anew; "" where nothing was."""
    if picture is None or not picture.filename:
        return ""
    service = view.service_of(request)
    drawn = pictures.logo(picture.file)
    stored = files_of(service).put(actor.tenant or "", drawn, limit=pictures.MAX_BYTES)
    with service.database.transaction(tenant=actor.tenant) as session:
        return own_pages.keep_logo(session, stored, view.now_of(request)).id


def _preview(request: Request, actor: Actor, kind: str, typed: dict[str, str]) -> Response:
    """The citizens' page with a way to publish it or to write on."""
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        content = own_pages.checked(session, kind, typed)
        about = own_pages.about_of(content) if kind == rules.ABOUT else own_pages.about(session)
    shown = f"/portal/{actor.code}/pages/logo.png?id={about.logo}" if about.logo else ""
    kept = {**content, "seen": typed["seen"], "page": kind}
    return _shown(request, actor, kind, about, content, None, preview=kept, **({"logo": shown} if shown else {}))


@router.get("/portal/{code}/pages/logo.png")
def any_logo(
    request: Request,
    code: str,
    ident: Annotated[str, Query(alias="id")] = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """A logo of this municipality that is not, or no longer, shown to everybody."""
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        file_id = db.file(session, ident, "logo").id
    return _picture(request, actor, file_id, "private, max-age=3600")


@router.get("/portal/{code}/pages/version")
def version(
    request: Request,
    code: str,
    page: Kind = "",
    number: Annotated[int, Query(ge=0, le=999_999_999)] = 0,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """What one version said, with the way to take it up again."""
    kind = rules.checked_kind(page)
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        row, standing = db.version(session, kind, number), db.present(session, kind)
    return view.portal_page(
        request,
        "portal/page_version.html",
        town,
        f"/portal/{code}/pages/",
        kind=kind,
        heading=rules.KINDS[kind],
        row=row,
        standing=standing.number if standing else 0,
        about=own_pages.about_of(row.content),
        blocks=rules.blocks(str(row.content.get("text", ""))),
        names=_names(request, [row]),
    )


@router.post("/portal/{code}/pages/restore")
def restore(
    request: Request,
    code: str,
    page: Text = "",
    number: Text = "",
    seen: Text = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        own_pages.restore(session, actor, page, _number(number), _number(seen), view.now_of(request))
    return view.see_other(f"/portal/{code}/pages/?page={rules.checked_kind(page)}")
