"""人事異動: `/portal/{code}/transfer/`. A file is shown line by line before anything changes; then it is taken as a whole."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, Unavailable, say
from services.tenants.api import view
from services.tenants.db import members as members_db
from services.tenants.domain import transfer as rules
from services.tenants.use_cases import members, transfer

router = APIRouter(prefix="/portal/{code}/transfer", include_in_schema=False)


@router.get("/")
def show(request: Request, code: str, done: str = "", actor: Actor = access.staff("portal.admin")) -> Response:
    return _page(request, actor, done=done)


@router.get("/members.csv")
def present(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """Who is here now, in the form of the file: people leave in it what changes, and set the first column."""
    roles = _roles(request, actor)
    with view.service_of(request).database.reading() as session:
        held = members_db.roles_of(session, actor.tenant or "")
    people = view.neighbours_of(request).persons(list(held))
    rows = [
        ["変更", people[p].email, people[p].name, "、".join(roles[r] for r in sorted(had) if r in roles)]
        for p, had in held.items()
        if p in people and p != actor.subject
    ]
    headers = {"content-disposition": csvout.attachment("職員と権限.csv"), "cache-control": "no-store"}
    body = b"".join(csvout.rows(sorted(rows, key=lambda row: row[1]), header=list(rules.COLUMNS)))
    return Response(body, headers=headers, media_type="text/csv; charset=utf-8")


@router.post("/")
def preview(
    request: Request,
    code: str,
    file: Annotated[UploadFile | None, File()] = None,
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """What each line will do, or what is wrong with it. Nothing changes."""
    try:
        text = rules.decode(file.file.read(rules.LARGEST + 1) if file else b"")
        return _page(request, actor, plan=_plan(request, actor, text))
    except Invalid as refusal:
        return _page(request, actor, errors=refusal.fields, status=refusal.status)


@router.post("/take")
def take(
    request: Request, code: str, text: Annotated[str, Form()] = "", actor: Actor = access.staff("portal.admin")
) -> Response:
    """The same file again, now for real. It is judged anew: a member may have gone in between."""
    try:
        plan = _plan(request, actor, text[: rules.LARGEST])
        if not plan.wrong:
            _take(request, actor, plan)
            return view.see_other(f"/portal/{code}/transfer/?done={len(plan.steps)}")
        return _page(request, actor, plan=plan, status=409)
    except Refusal as refusal:
        return _page(request, actor, errors={"file": refusal.message}, status=refusal.status)


def _take(request: Request, actor: Actor, plan: rules.Plan) -> None:
    town = view.municipality_of(request, actor)
    ids = transfer.invite_all(plan, lambda people: view.neighbours_of(request).invite_all(people, town.name))
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        transfer.take(session, actor, plan, ids, _roles(request, actor), view.now_of(request))


def _plan(request: Request, actor: Actor, text: str) -> rules.Plan:
    with view.service_of(request).database.reading() as session:
        present = list(members_db.roles_of(session, actor.tenant or ""))
    emails = {p: person.email for p, person in view.neighbours_of(request).persons(present).items()}
    if present and not emails:  # nobody would be found, and whoever is here already would be taken for new
        raise Unavailable(
            say("いま、職員の一覧を確かめられません。少し待ってから、もう一度お送りください。"), retry_after=10
        )
    with view.service_of(request).database.reading() as session:
        return transfer.plan(session, actor, text, emails, _roles(request, actor))


def _roles(request: Request, actor: Actor) -> dict[str, str]:
    """Roles that a municipality gives, with their Japanese words: the file's language."""
    return {role: str(words) for role, words in members.ROLES.items()}


def _page(
    request: Request,
    actor: Actor,
    *,
    plan: rules.Plan | None = None,
    done: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    town = view.municipality_of(request, actor)
    context: dict[str, Any] = {"plan": plan, "done": done if done.isdigit() else "", "roles": members.ROLES}
    return view.portal_page(
        request,
        "portal/transfer.html",
        town,
        f"/portal/{town.code}/members/",
        status_code=status,
        address=f"/portal/{town.code}/transfer/",
        wrong=[(line, view.told(request, {"x": why})["x"]) for line, why in plan.wrong] if plan else [],
        errors=view.told(request, errors) if errors else {},
        **context,
    )
