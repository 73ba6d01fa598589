"""Staff's pages: repositories, keys with a ready script, what arrived, copies, proofs, the way back to any moment."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.web import Link
from services.backup.api.shell import (
    SERVICE,
    base,
    changing,
    now_of,
    place_of,
    reading,
    render,
    service_of,
    spoken,
    spoken_all,
    to,
    whole_number,
)
from services.backup.db import repositories as db
from services.backup.domain import problems, script
from services.backup.domain.asof import after, read_moment, write_moment
from services.backup.domain.modes import LABELS, NAMES, Mode, scope_of
from services.backup.settings import held, settings_of
from services.backup.use_cases import alerts, deposit, disposal, drill, overview, repositories
from services.backup.use_cases.alerts import SEEN_BY_PEOPLE, STEPS, WORDS

router = APIRouter(prefix="/t/{code}/backup/desk", tags=["desk"])
MANAGER = "backup.manager"
GIB = 1024**3
Text = Annotated[str, Form()]


@router.get("/", summary="All repositories, and the form for a new one")
def list_page(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    return _list_page(request, actor)


@router.post("/repositories", summary="Make a repository")
def create(
    request: Request,
    name: Text = "",
    title: Text = "",
    quota: Text = "",
    retention_days: Text = "",
    promised_hours: Text = "",
    alert_address: Text = "",
    actor: Actor = access.staff(MANAGER),
) -> Response:
    typed = {"name": name, "title": title, "quota": quota, "retention_days": retention_days,
             "promised_hours": promised_hours, "alert_address": alert_address}  # fmt: skip
    wish = _wish(name, title, quota, retention_days, promised_hours, alert_address)
    try:
        with changing(request, actor) as session:
            row = repositories.create(session, actor, wish, now_of(request))
    except Invalid as refusal:
        return _list_page(request, actor, errors=refusal.fields, typed=typed, status=422)
    except Conflict as refusal:
        return _list_page(request, actor, errors={"name": refusal.message}, typed=typed, status=409)
    return to(f"{base(request)}{row.id}")


@router.get("/{repository_id}", summary="One repository; with date and time: how to read it as it was then")
def detail_page(
    request: Request,
    repository_id: str,
    date: str = "",
    time: str = "",
    at: str = "",
    actor: Actor = access.staff(MANAGER),
) -> Response:
    errors, moment = {}, None
    if at:  # a recovery point of the list: the first moment at which it is whole
        date, time = after(at)
    if date:
        try:
            moment = write_moment(read_moment(f"{date}T{time or '00:00'}", now_of(request)))
        except NotFound as refusal:
            errors["date"] = refusal.message
    return _detail_page(request, actor, repository_id, moment=moment, errors=errors, typed={"date": date, "time": time})


@router.post("/{repository_id}/keys", summary="Make a key and show it once, with a ready script")
def make_key(
    request: Request,
    repository_id: str,
    mode: Text = "",
    key_name: Text = "",
    days: Text = "365",
    folder: Text = "",
    at: Text = "01:30",
    actor: Actor = access.staff(MANAGER),
) -> Response:
    service, plan = service_of(request), script.Plan(folder.strip() or "/srv/data", at.strip())
    with reading(request, actor) as session:
        row = db.by_id(session, repository_id)
    repositories.check_in_use(row)
    try:
        repositories.check_key_wish(
            mode, key_name, whole_number(days), script.check_plan(plan) if mode == "append" else {}
        )
    except Invalid as refusal:
        typed = {"mode": mode, "key_name": key_name, "days": days, "folder": folder, "at": at}
        return _detail_page(request, actor, repository_id, errors=refusal.fields, typed=typed, status=422)
    chosen: Mode = mode  # type: ignore[assignment]
    token = held(service).tokens.make(row.tenant_id, key_name, scope_of(chosen), whole_number(days), actor.subject)
    with changing(request, actor) as session:
        repositories.add_key(session, actor, repository_id, token, chosen, key_name, now_of(request))
    place = place_of(request, row.name)
    saved = (
        script.set_up_for(place, token.secret, plan, lambda text: spoken(request, text))
        if chosen == "append"
        else script.by_hand(place, token.secret, chosen)
    )
    return render(
        request, "desk/key.html", status=201, title=say("キーを作りました"), row=row, mode=chosen, token=token,
        crumbs=_crumbs(request, row, say("キー")), plan=plan, label=spoken(request, LABELS[chosen]),
        saved=saved, heading=spoken(request, saved.title),
        password_file=script.password_file(place, plan), windows_folder=script.WINDOWS_FOLDER,
    )  # fmt: skip


@router.post("/{repository_id}/keys/{token_id}/revoke", summary="End a key at once")
def revoke_key(request: Request, repository_id: str, token_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with changing(request, actor) as session:
        repositories.revoke_key(session, actor, repository_id, token_id, now_of(request))
    # From here on it opens nothing here; that the gateway forgets it too is tidiness, and may be tried again.
    held(service_of(request)).tokens.revoke(token_id, actor.subject)
    return to(f"{base(request)}{repository_id}#keys")


@router.post("/{repository_id}/settings", summary="Another title, quota, promise or address for alerts")
def change(
    request: Request,
    repository_id: str,
    title: Text = "",
    quota: Text = "",
    promised_hours: Text = "",
    alert_address: Text = "",
    actor: Actor = access.staff(MANAGER),
) -> Response:
    wish = _wish("", title, quota, "", promised_hours, alert_address)
    try:
        with changing(request, actor) as session:
            repositories.change(session, actor, repository_id, wish, now_of(request))
    except Invalid as refusal:
        typed = {"title": title, "quota": quota, "promised_hours": promised_hours, "alert_address": alert_address}
        return _detail_page(request, actor, repository_id, errors=refusal.fields, typed=typed, status=422)
    return to(f"{base(request)}{repository_id}")


@router.post("/{repository_id}/retention", summary="Keep what is deleted for longer")
def set_retention(
    request: Request, repository_id: str, retention_days: Text = "", actor: Actor = access.staff(MANAGER)
) -> Response:
    try:
        with changing(request, actor) as session:
            repositories.raise_retention(session, actor, repository_id, whole_number(retention_days), now_of(request))
    except Invalid as refusal:
        typed = {"retention_days": retention_days}
        return _detail_page(request, actor, repository_id, errors=refusal.fields, typed=typed, status=422)
    return to(f"{base(request)}{repository_id}")


@router.post("/{repository_id}/password", summary="Deposit the repository's password for drills, or take it back")
def set_password(
    request: Request, repository_id: str, act: Text = "", password: Text = "", actor: Actor = access.staff(MANAGER)
) -> Response:
    try:
        with changing(request, actor) as session:
            if act == "withdraw":
                deposit.withdraw(session, actor, repository_id, now_of(request))
            else:
                key = held(service_of(request)).vault_key
                deposit.deposit(session, actor, key, repository_id, password, now_of(request))
    except Invalid as refusal:
        return _detail_page(request, actor, repository_id, errors=refusal.fields, status=422)
    return to(f"{base(request)}{repository_id}#drills")


@router.post("/{repository_id}/drills", summary="Try a restore now")
def ask_drill(request: Request, repository_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with changing(request, actor) as session:
        drill.ask(session, actor, repository_id, now_of(request))
    return to(f"{base(request)}{repository_id}#drills")


@router.post("/{repository_id}/alerts/{alert_id}", summary="Say that an alert has been looked into")
def note_alert_seen(
    request: Request, repository_id: str, alert_id: str, actor: Actor = access.staff(MANAGER)
) -> Response:
    with changing(request, actor) as session:
        alerts.note_seen(session, actor, repository_id, alert_id, now_of(request))
    return to(f"{base(request)}{repository_id}")


@router.post("/{repository_id}/disposal", summary="Dispose of a repository: one asks, another agrees, anybody stops it")
def dispose(
    request: Request,
    repository_id: str,
    act: Text = "",
    typed_name: Text = "",
    reason: Text = "",
    actor: Actor = access.staff(MANAGER),
) -> Response:
    try:
        with changing(request, actor) as session:
            now = now_of(request)
            match act:
                case "ask":
                    disposal.ask(session, actor, repository_id, typed_name, reason, now)
                case "agree":
                    disposal.agree(session, actor, repository_id, now)
                case "stop":
                    disposal.stop(session, actor, repository_id, now)
                case _:
                    raise NotFound(say("この操作はありません。"))
    except Invalid as refusal:
        typed = {"typed_name": typed_name, "reason": reason}
        return _detail_page(request, actor, repository_id, errors=refusal.fields, typed=typed, status=422)
    return to(f"{base(request)}{repository_id}#disposal")


# ---- pages ----------------------------------------------------------------------------------------------------------


def _list_page(
    request: Request,
    actor: Actor,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    with reading(request, actor) as session:
        seen = overview.listed(session, now_of(request))
        allowance = db.allowance(session)
    proposed = settings_of(service_of(request)).backup_repository_quota
    usual = {"name": "", "title": "", "quota": str(min(proposed, allowance.quota) // GIB), "retention_days": "30",
             "promised_hours": "26", "alert_address": ""}  # fmt: skip
    return render(
        request, "desk/list.html", status=status, title=SERVICE, seen=seen, allowance=allowance,
        errors=errors or {}, typed=usual | (typed or {}), words=spoken_all(request, WORDS), steps=spoken_all(request, STEPS),
        operator="operator" in actor.roles,
    )  # fmt: skip


def _detail_page(
    request: Request,
    actor: Actor,
    repository_id: str,
    *,
    moment: str | None = None,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    with reading(request, actor) as session:
        found = overview.detail(session, repository_id, now_of(request))
    row = found.seen.row
    place = place_of(request, row.name)
    shown: dict[str, Any] = {"mode": "append", "key_name": "", "days": "365", "folder": "/srv/data", "at": "01:30", "date": "", "time": "",
                             "retention_days": str(row.retention_days), "title": row.title, "quota": str(row.quota // GIB),
                             "promised_hours": str(row.promised_hours), "alert_address": row.alert_address or "",
                             "typed_name": "", "reason": ""}  # fmt: skip
    return render(
        request, "desk/repository.html", status=status, title=row.title, crumbs=_crumbs(request, row), found=found,
        row=row, moment=moment, then=script.restore_from(place, moment) if moment else {}, read_key_file=place.read_key_file,
        verification=script.verification(), errors=errors or {}, typed=shown | (typed or {}),
        modes=list(spoken_all(request, LABELS).items()), mode_names=spoken_all(request, NAMES),
        said=lambda problem: spoken(request, problems.known(problem)),
        words=spoken_all(request, WORDS), steps=spoken_all(request, STEPS), seen_by_people=SEEN_BY_PEOPLE, to_disk=script.to_disk(row.name),
    )  # fmt: skip


def _crumbs(request: Request, row: Any, *more: str) -> tuple[Link, ...]:
    here = f"{base(request)}{row.id}"
    return (Link(SERVICE, base(request)), Link(row.title, here), *(Link(label, here) for label in more))


def _wish(
    name: str, title: str, quota: str, retention_days: str, promised_hours: str, alert_address: str
) -> repositories.Wish:
    """What was typed, quota in GiB."""
    return repositories.Wish(
        name=name.strip(),
        title=title,
        quota=whole_number(quota) * GIB,
        retention_days=whole_number(retention_days),
        promised_hours=whole_number(promised_hours),
        alert_address=alert_address.strip() or None,
    )
