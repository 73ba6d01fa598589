"""What every page here shares: brand, heads, the present municipality, the error page."""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Refusal, say
from libs.common.service import Service
from libs.common.shell import now_of, pages_of, service_of
from libs.common.web import Brand, Link, Place, own_logo, own_pages
from libs.common.web.i18n import chosen_language
from libs.common.web.pages import RESULTS_OF_ACCESSIBILITY, refusal_heading
from services.tenants import reference
from services.tenants.api.words import Reader
from services.tenants.db import registry as registry_db
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.municipality import Municipality, existing_on
from services.tenants.neighbours import Neighbours
from services.tenants.use_cases.own_pages import About

__all__ = ["now_of", "pages_of", "service_of"]
"""What others take from here that is every service's."""

EVER = datetime(2000, 1, 1, tzinfo=UTC)
"""A moment that stands for any."""


def brand(service: Service) -> Brand:
    """The cloud's own name and line, made from the prefecture unless settings say otherwise."""
    prefecture = reference.prefecture(service.settings.prefecture)
    lead = reference.lead(prefecture.number)
    name = service.settings.cloud_name or reference.cloud_name(prefecture.number)
    count = len(reference.tile_table(prefecture.number))
    return Brand(
        name=name,
        lead=lead if name.startswith(lead) else "",
        line=say(
            "%(cloud)sは、%(prefecture)sと%(count)s市町村でつくる協議会が共同で運営しています。",
            cloud=name,
            prefecture=prefecture.name,
            count=count,
        ),
        links=(
            Link(say("稼働状況"), "/status/"),
            Link(say("参加状況のデータ"), "/participation.csv"),
            Link(say("計画の報告書"), "/reports/"),
            RESULTS_OF_ACCESSIBILITY,
            Link("API", "/docs/"),
        ),
    )


def council_name(service: Service) -> str:
    return service.settings.council_name or f"{reference.lead(service.settings.prefecture)}電子自治体共同運営協議会"


# ---- of a request ---------------------------------------------------------------------------------------------------


def neighbours_of(request: Request) -> Neighbours:
    return service_of(request).extras["neighbours"]


def today_of(request: Request) -> date:
    return local_date(now_of(request))


def municipality_of(request: Request, actor: Actor) -> Municipality:
    """The municipality of the path, as it is today. `access` has checked that the code is the actor's."""
    with service_of(request).database.reading() as session:
        states = registry_db.states(session, actor.tenant)
    return existing_on(states, today_of(request))[actor.tenant or ""]


def reader_of(request: Request) -> Reader:
    return Reader(chosen_language(request), partial(pages_of(request).translate, request))


def told(request: Request, fields: dict[str, str]) -> dict[str, str]:
    """The sentences beside a form's fields, in the reader's language."""
    reader = reader_of(request)
    return {name: reader(sentence) for name, sentence in fields.items()}


def see_other(path: str) -> Response:
    """After a POST: a GET of `path`, so that reloading repeats nothing."""
    return RedirectResponse(path, 303)


# ---- heads ----------------------------------------------------------------------------------------------------------


def public_page(request: Request, template: str, *, place: Place | None = None, **context: Any) -> Response:
    return _render(request, template, place=place, **context)


def _render(request: Request, template: str, **context: Any) -> Response:
    pages = pages_of(request)
    line = pages.translate(request, pages.brand.line)
    own = replace(pages.brand, line=line)
    return pages.render(request, template, brand=own, **context)


def town_page(request: Request, template: str, town: Municipality, about: About, **context: Any) -> Response:
    """A municipality's page for citizens: its logo and its window's name above, its contacts and own pages below."""
    base = f"/t/{town.code}/"
    lines = (town.name, about.address, about.phone, about.hours)
    note = about.window or reader_of(request)(say("手続きと情報の窓口"))
    shown = tuple(line for line in lines if line)
    place = Place(town.name, note, base, shown, own_pages(base), public_logo(town, about))
    return _render(request, template, place=place, town=town, about=about, **context)


def public_logo(town: Municipality, about: About) -> str:
    """Where the logo that stands now is. "" for none."""
    return own_logo(f"/t/{town.code}/", about.mark)


def portal_page(request: Request, template: str, town: Municipality, here: str, **context: Any) -> Response:
    base = f"/portal/{town.code}/"
    rooms = _rooms(
        request,
        here,
        [
            (say("サービス"), base),
            (say("職員と権限"), f"{base}members/"),
            (say("住民向けのページ"), f"{base}pages/"),
            (say("利用状況"), f"{base}usage/"),
            (say("サービスレベル"), f"{base}service-level/"),
            (say("サーバーの予約"), f"{base}capacity/"),
            (say("請求"), f"{base}invoices/"),
            (say("データの受け取り"), f"{base}takeout/"),
            (say("問い合わせ"), f"{base}support/"),
            (say("自分へのお知らせ"), f"{base}notices/"),
            (say("記録"), f"{base}records/"),
        ],
    )
    place = Place(town.name, reader_of(request)(say("管理者の窓口")), base, (town.name,))
    return _render(request, template, place=place, rooms=rooms, town=town, base=base, **context)


def delegate_page(request: Request, template: str, town: Municipality, **context: Any) -> Response:
    """For who administers a part only: without the ways to what is the administrators' alone."""
    place = Place(town.name, reader_of(request)(say("職員の机")), f"/t/{town.code}/desk/", (town.name,))
    return _render(request, template, place=place, town=town, **context)


def council_page(request: Request, template: str, here: str, **context: Any) -> Response:
    rooms = _rooms(
        request,
        here,
        [
            (say("参加状況"), "/council/"),
            (say("申請の実績"), "/council/applications"),
            (say("データバックアップ"), "/council/backups"),
            (say("電子入札"), "/council/tenders"),
            (say("公開データ"), "/council/datasets"),
            (say("割り勘"), "/council/sharing/"),
            (say("請求"), "/council/invoices/"),
            (say("計画の指標"), "/council/indicators"),
            (say("市町村の移り変わり"), "/council/municipalities"),
        ],
    )
    name = council_name(service_of(request))
    place = Place(reader_of(request)(say("協議会")), name, "/council/", (name,))
    return _render(request, template, place=place, rooms=rooms, wide=True, **context)


def operator_page(request: Request, template: str, here: str, **context: Any) -> Response:
    rooms = _rooms(
        request,
        here,
        [
            (say("申込み"), "/operator/"),
            (say("サーバーの予約"), "/operator/capacity"),
            (say("見守り"), "/operator/watch"),
            (say("動いているもの"), "/operator/running"),
            (say("届かない出来事"), "/operator/dead-letters"),
            (say("問い合わせ"), "/operator/support"),
            (say("メンテナンス"), "/operator/maintenance"),
            (say("障害のお知らせ"), "/operator/incidents"),
            (say("機能を止める"), "/operator/switches"),
            (say("台帳"), "/operator/registry"),
            (say("担当者"), "/operator/members/"),
            (say("記録"), "/operator/records"),
        ],
    )
    reader = reader_of(request)
    note = reader(say("%(name)sの運用担当"), name=pages_of(request).brand.name)
    place = Place(reader(say("運用")), note, "/operator/")
    return _render(
        request, template, place=place, rooms=rooms, wide=True, part=lambda key: _part(reader, key), **context
    )


_PARTS = {"tenants": say("台帳とポータル"), "gateway": say("入口")} | {each.key: each.short for each in SERVICES}


def _part(reader: Reader, key: str) -> str:
    """A part of the cloud as people call it, and as `kubectl` does: 電子申請（eapply）."""
    return f"{reader(_PARTS[key])}（{key}）" if key in _PARTS else key


def _rooms(request: Request, here: str, rooms: list[tuple[str, str]]) -> tuple[Link, ...]:
    reader = reader_of(request)
    return tuple(Link(reader(label), href, current=href == here) for label, href in rooms)


# ---- refusals -------------------------------------------------------------------------------------------------------


def error_page(request: Request, refusal: Refusal) -> Response:
    """What happened, what was kept, what to do. The refusal's own sentence stands first among the steps."""
    reader = reader_of(request)
    steps: list[Link | str] = [reader(refusal.message)]
    for line in refusal.details.get("lines", [])[:50]:
        steps.append(reader(say("%(line)s行目：%(sentence)s", line=line["line"], sentence=line["sentence"])))
    if refusal.status == 401:
        steps = [Link(say("サインインする"), f"/sign-in?next={request.url.path}")]
    elif request.method == "POST":
        steps.append(Link(say("前の画面へ戻る"), _before(request)))
    else:
        steps.append(Link(reader(say("%(name)sの最初のページへ"), name=pages_of(request).brand.name), "/"))
    kept = reader(say("何も変わっていません。")) if request.method == "POST" else ""
    return pages_of(request).error(
        request,
        refusal.status,
        what=refusal_heading(refusal.status),
        title=refusal_heading(refusal.status),
        kept=kept,
        steps=tuple(steps),
        request_id=request.headers.get("x-request-id", ""),
        brand=replace(pages_of(request).brand, line=reader(pages_of(request).brand.line)),
        layout="shell/inside.html" if _is_inside(request) else "shell/public.html",
    )


def _is_inside(request: Request) -> bool:
    return request.url.path.startswith(("/portal/", "/operator", "/council"))


def _before(request: Request) -> str:
    """The room a form belongs to: forms are posted to addresses below the page they stand on."""
    first, *rest = request.url.path.strip("/").split("/")
    return f"/{first}/{rest[0]}/" if first in ("portal", "t") and rest else f"/{first}/"
