"""Requests with votes, the library of what people made, following a data set; and staff's side of them."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response, StreamingResponse

from libs.common import access, room
from libs.common.actor import Actor
from libs.common.errors import Forbidden, Invalid, NotFound, TooMany, say
from libs.common.web import Link
from services.opendata.api import shell
from services.opendata.api.shell import base, changing, now_of, reading, render_desk, service_of, to
from services.opendata.db import datasets, published
from services.opendata.db import voices as db
from services.opendata.domain.visitors import Voters, is_robot
from services.opendata.settings import files_of
from services.opendata.use_cases import directory, voices

router = APIRouter(tags=["voices"])
PUBLISHER = "opendata.publisher"
Text = Annotated[str, Form()]
STATE_NAMES = {
    "open": say("受け付けました"), "planned": say("準備しています"), "published": say("公開しました"), "declined": say("公開できません"),
}  # fmt: skip
DESK_STATES = [("open", "受け付けて、公開の一覧に載せる"), ("planned", "準備している"), ("published", "公開した"),
               ("declined", "公開できない"), ("hidden", "一覧に載せない（個人情報や宣伝など）")]  # fmt: skip


def _as_of(request: Request, tenant: str) -> Any:
    """A transaction in a municipality's room, for a visitor who writes to it. Forbidden while the room is not in use."""
    return service_of(request).database.transaction(tenant=tenant)


# ---- requests


@router.get("/opendata/requests/", summary="What people ask for, with votes and answers")
def list_page(request: Request, sent: str = "", municipality: str = "", actor: Actor = access.public()) -> Response:
    return _list_page(request, sent=bool(sent), typed={"municipality": municipality})


def _list_page(
    request: Request, *, sent: bool = False, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        rows = db.published(session, "request")
    title = shell.spoken(request, say("データの要望"))
    options = [("", "－"), *((tenant, name) for tenant, (_, name) in sorted(catalogue.places.items()))]
    return shell.render_public(
        request, "public/requests.html", title=title, crumbs=(Link(title, "/opendata/requests/"),), rows=rows, places=catalogue.places,
        states={key: shell.spoken(request, text) for key, text in STATE_NAMES.items()}, options=options, sent=sent,
        errors=errors or {}, typed={"municipality": "", "title": "", "body": ""} | (typed or {}), status=422 if errors else 200,
    )  # fmt: skip


@router.post("/opendata/requests/", summary="Ask a municipality for data")
def ask(
    request: Request, municipality: Text = "", title: Text = "", body: Text = "", actor: Actor = access.public()
) -> Response:
    typed = {"municipality": municipality, "title": title, "body": body}
    if municipality not in shell.catalogue_in(request).refresh().places:
        return _list_page(request, errors={"municipality": "市町村を選んでください。"}, typed=typed)
    try:
        with _as_of(request, municipality) as session:
            room.check_open(session)
            voices.ask(session, actor, title, body, now_of(request))
    except Invalid as refusal:
        return _list_page(request, errors=refusal.fields, typed=typed)
    except Forbidden as refusal:  # that municipality takes none now; what was typed stays
        return _list_page(request, errors={"municipality": refusal.message}, typed=typed)
    return to("/opendata/requests/?sent=1")


@router.get("/opendata/requests/{request_id}", summary="One request")
def request_page(request: Request, request_id: str, actor: Actor = access.public()) -> Response:
    catalogue = shell.catalogue_in(request).refresh()
    with shell.public(request) as session:
        row = db.published_one(session, "request", request_id)
    with service_of(request).database.reading(tenant=row.tenant) as session:
        mine = voices.voted(session, actor, row.id)
    title = shell.spoken(request, say("データの要望"))
    crumbs = (Link(title, "/opendata/requests/"), Link(row.document["title"], ""))
    return shell.render_public(
        request, "public/request.html", title=row.document["title"], crumbs=crumbs, row=row, place_name=catalogue.place(row.tenant)[1],
        state=shell.spoken(request, STATE_NAMES[row.state]), mine=mine,
    )  # fmt: skip


@router.post("/opendata/requests/{request_id}/vote", summary="Give a request one's voice, or take it back")
def vote(
    request: Request, request_id: str, wanted: Annotated[bool, Form()] = True, actor: Actor = access.public()
) -> Response:
    """`wanted`: false takes it back."""
    with shell.public(request) as session:
        row = db.published_one(session, "request", request_id)
    _check_voice(request, actor, row.id)
    with _as_of(request, row.tenant) as session:
        room.check_open(session)
        voices.vote(session, actor, row.id, wanted=wanted)
    return to(f"/opendata/requests/{row.id}")


def _check_voice(request: Request, actor: Actor, request_id: str) -> None:
    """Programs have no voice, and who throws cookies away not any number of them: Forbidden, TooMany. Accounts have one each."""
    if is_robot(request.headers.get("user-agent", "")):
        raise Forbidden("プログラムからは投票できません。ブラウザーでお試しください。", code="robot")
    address = request.headers.get("x-forwarded-for", "")
    if actor.kind == "person" or not address:
        return
    voters: Voters = request.app.state.voters
    if not voters.may(address, request_id, actor.sid or "", now_of(request)):
        sentence = "同じ場所からの投票が多いため、受け付けられません。サインインすると投票できます。"
        raise TooMany(sentence, retry_after=86_400)


# ---- apps


@router.get("/opendata/apps/", summary="What people made with the data")
def apps_page(request: Request, sent: str = "", actor: Actor = access.public()) -> Response:
    with shell.public(request) as session:
        rows = db.published(session, "app")
    title = shell.spoken(request, say("利活用ライブラリ"))
    return shell.render_public(
        request, "public/apps.html", title=title, crumbs=(Link(title, "/opendata/apps/"),), rows=rows, sent=bool(sent)
    )


@router.get("/opendata/apps/{app_id}/picture", summary="An app's screenshot")
def picture(request: Request, app_id: str, actor: Actor = access.public()) -> Response:
    with shell.public(request) as session:
        row = db.published_one(session, "app", app_id)
    if not row.document.get("picture"):
        raise NotFound(say("画像はありません。"))
    return _picture(request, row.tenant, row.document["picture"], row.document["picture_type"])


def _picture(request: Request, tenant: str, file_id: str, media_type: str) -> Response:
    """Only images, and never anything a browser would run."""
    file = files_of(service_of(request)).stream(tenant, file_id)
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
    return StreamingResponse(file.chunks, media_type=media_type, headers=headers)


@router.get("/opendata/datasets/{name}/apps/new", summary="Show what one made with a data set")
def new_app_page(request: Request, name: str, actor: Actor = access.public()) -> Response:
    return _new_app_page(request, name)


def _new_app_page(
    request: Request, name: str, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response:
    with shell.public(request) as session:
        row = published.get(session, name)
    title = shell.spoken(request, say("使った作品を知らせる"))
    crumbs = (Link(row.document["title"], f"/opendata/datasets/{row.name}"), Link(title, ""))
    return shell.render_public(
        request, "public/app_new.html", title=title, crumbs=crumbs, row=row, errors=errors or {},
        typed={"title": "", "description": "", "url": "", "maker": ""} | (typed or {}), status=422 if errors else 200,
    )  # fmt: skip


@router.post("/opendata/datasets/{name}/apps/new", summary="Send it")
def send_app(
    request: Request,
    name: str,
    title: Text = "",
    description: Text = "",
    url: Text = "",
    maker: Text = "",
    file: Annotated[UploadFile | None, File()] = None,
    actor: Actor = access.public(),
) -> Response:
    typed = {"title": title, "description": description, "url": url, "maker": maker}
    with shell.public(request) as session:
        row = published.get(session, name)
    try:
        with service_of(request).database.reading(tenant=row.tenant) as session:
            room.check_open(session)
        stored = None
        if file is not None and file.filename:
            stored = files_of(service_of(request)).put(
                row.tenant, voices.screenshot(file.file), limit=voices.PICTURE_LIMIT * 4
            )
        with _as_of(request, row.tenant) as session:
            voices.show_app(session, actor, row.id, typed, stored, now_of(request))
    except Invalid as refusal:
        return _new_app_page(request, name, refusal.fields or {"file": str(refusal.message)}, typed)
    return to("/opendata/apps/?sent=1")


# ---- following


@router.post("/opendata/datasets/{name}/follow", summary="Hear of new versions")
def follow(request: Request, name: str, actor: Actor = access.person()) -> Response:
    with service_of(request).database.transaction() as session:
        voices.follow(session, actor, name, now_of(request))
    return to(f"/opendata/datasets/{name}")


@router.post("/opendata/datasets/{name}/unfollow", summary="Hear of them no more")
def unfollow(request: Request, name: str, actor: Actor = access.person()) -> Response:
    with service_of(request).database.transaction() as session:
        voices.unfollow(session, actor, name)
    return to(f"/opendata/datasets/{name}")


@router.get("/opendata/unfollow/{token}", summary="Where the link in a mail leads: stop it without a sign-in")
def ending_page(request: Request, token: str, actor: Actor = access.public()) -> Response:
    """Nothing is ended by looking: programs that read mail open every link."""
    return _ending_page(request, service_of(request).verifier.read_link(voices.UNFOLLOW, token))


@router.post(
    "/opendata/unfollow/{token}", summary="Hear of new versions no more; as mail programs send it, too (RFC 8058)"
)
def end(request: Request, token: str, actor: Actor = access.public()) -> Response:
    """Answers with the page itself: RFC 8058, 3.1 allows no redirect."""
    said = service_of(request).verifier.read_link(voices.UNFOLLOW, token)
    with service_of(request).database.transaction() as session:
        voices.unfollow_by_link(session, said)
    return _ending_page(request, said)


def _ending_page(request: Request, said: dict[str, str]) -> Response:
    with shell.public(request) as session:
        row = published.find(session, said["dataset"])
        follows = said["who"] in directory.followers(session, "dataset", said["dataset"])
    title = shell.spoken(request, say("更新の知らせをやめる"))
    return shell.render_public(
        request, "public/unfollow.html", headers={"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}, title=title,
        crumbs=(Link(title, ""),), row=row if row is not None and row.state == "published" else None, follows=follows,
        action=request.url.path,
    )  # fmt: skip


# ---- staff


@router.get("/t/{code}/opendata/desk/voices", summary="What people asked for and made")
def desk_page(request: Request, actor: Actor = access.staff(PUBLISHER)) -> Response:
    return _desk_page(request, actor)


def _desk_page(
    request: Request, actor: Actor, errors: dict[str, str] | None = None, typed: dict[str, str] | None = None
) -> Response:
    with reading(request, actor) as session:
        asked = [(row, db.votes(session, row.id)) for row in db.requests(session)]
        made = db.apps(session)
        led_to = {row.dataset_id: datasets.by_id(session, row.dataset_id).name for row, _ in asked if row.dataset_id}
    return render_desk(
        request, "desk/voices.html", title="要望と作品", crumbs=(Link("要望と作品", ""),), asked=asked, made=made,
        addresses={each: f"{shell.site(request)}/datasets/{name}" for each, name in led_to.items()},
        states=DESK_STATES, errors=errors or {}, typed=typed or {}, status=422 if errors else 200,
    )  # fmt: skip


@router.post("/t/{code}/opendata/desk/requests/{request_id}", summary="Answer a request")
def answer(
    request: Request,
    request_id: str,
    state: Text = "",
    answer: Text = "",
    dataset: Text = "",
    actor: Actor = access.staff(PUBLISHER),
) -> Response:
    try:
        with changing(request, actor) as session:
            voices.answer(session, actor, request_id, state, answer, dataset, shell.site(request), now_of(request))
    except Invalid as refusal:
        typed = {"request": request_id, "state": state, "answer": answer, "dataset": dataset}
        return _desk_page(request, actor, refusal.fields, typed)
    return to(f"{base(request)}/desk/voices")


@router.post("/t/{code}/opendata/desk/apps/{app_id}", summary="Show or hide an app")
def decide(request: Request, app_id: str, state: Text = "", actor: Actor = access.staff(PUBLISHER)) -> Response:
    with changing(request, actor) as session:
        voices.decide_app(session, actor, app_id, state, now_of(request))
    return to(f"{base(request)}/desk/voices")


@router.get("/t/{code}/opendata/desk/apps/{app_id}/picture", summary="An app's screenshot, before it is shown")
def desk_picture(request: Request, app_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with reading(request, actor) as session:
        row = db.app(session, app_id)
    if not row.picture_id:
        raise NotFound(say("画像はありません。"))
    return _picture(request, row.tenant_id, row.picture_id, row.picture_type)
