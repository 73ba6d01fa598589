"""Pages everybody starts from: the cloud, a municipality's home, its staff's desk."""

import unicodedata
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Refusal, say
from libs.common.web import Place
from libs.common.web.i18n import chosen_language
from services.tenants import accessibility
from services.tenants.api import figures, view
from services.tenants.api.words import Reader
from services.tenants.db import members as members_db
from services.tenants.db import registry as registry_db
from services.tenants.domain import mergers
from services.tenants.domain.catalogue import SERVICES, CatalogueService
from services.tenants.domain.codes import read_code
from services.tenants.domain.municipality import Municipality, by_code, existing_on, matches
from services.tenants.use_cases import count, own_pages, standing

router = APIRouter(include_in_schema=False)

_KANA_ROWS = ["あいうえお", "かきくけこがぎぐげご", "さしすせそざじずぜぞ", "たちつてとだぢづでど", "なにぬねの",
              "はひふへほばびぶべぼぱぴぷぺぽ", "まみむめも", "やゆよ", "らりるれろ", "わをん"]  # fmt: skip
LIFE_EVENTS = [
    (say("妊娠・出産"), say("母子手帳、出生届"), "baby", "出産"),
    (say("子育て"), say("児童手当、保育所、医療費"), "child", "児童"),
    (say("引越し"), say("転入・転出・転居"), "move", "転入"),
    (say("結婚・離婚"), say("婚姻届、戸籍"), "rings", "戸籍"),
    (say("仕事・退職"), say("国保と年金の切替"), "work", "国民健康保険"),
    (say("介護"), say("要介護認定、住宅改修"), "care", "介護"),
    (say("おくやみ"), say("亡くなった後の手続き"), "candle", "死亡"),
    (say("被災"), say("罹災証明、見舞金"), "quake", "罹災"),
]
"""(event, examples, icon, word to search procedures for)"""
ANY_STAFF: Any = Depends(access.Rule("staff", frozenset({"staff", "operator"})))
"""Staff of the path's municipality, whatever their role."""


@router.get("/")
def cloud(request: Request, q: Annotated[str, Query(max_length=100)] = "", actor: Actor = access.public()) -> Response:
    """Find your municipality by map, kana or search; what the cloud offers; who takes part."""
    service = view.service_of(request)
    today = view.today_of(request)
    with service.database.reading() as session:
        found = count.on(session, today)
        states, parts = registry_db.states(session), registry_db.parts(session)
        roles = {} if actor.kind == "guest" else members_db.tenants_of(session, actor.subject)
    towns = sorted(found.municipalities.values(), key=lambda m: m.kana)
    hits = _search(towns, states, q, today) if q.strip() else None
    if hits and len(hits) == 1 and _is_code(q):
        return view.see_other(f"/t/{hits[0].code}/")
    joined = {tenant: len(found.services_of(tenant)) for tenant in found.municipalities}
    return view.public_page(
        request,
        "home/cloud.html",
        q=q,
        own_work=_own_work(roles, existing_on(states, today), view.reader_of(request)),
        hits=hits,
        rows=_by_kana(towns, view.reader_of(request)),
        map=figures.map_of_links(service.settings.prefecture, towns, parts, joined, view.reader_of(request)),
        services=SERVICES,
        found=found,
    )


def _own_work(roles: dict[str, set[str]], existing: dict[str, Municipality], reader: Reader) -> list[tuple[str, str]]:
    """Where somebody who works here goes on after signing in, as (words, path); citizens have none."""
    found: list[tuple[str, str]] = []
    for town in [existing[tenant] for tenant in roles if tenant in existing]:
        held = roles[town.tenant_id]
        if "portal.admin" in held:
            found.append((reader(say("%(name)sの管理者の窓口"), name=town.name), f"/portal/{town.code}/"))
        if town.counted and held - {"portal.admin"}:
            found.append((reader(say("%(name)sの職員の机"), name=town.name), f"/t/{town.code}/desk/"))
        if "council.member" in held:
            found.append((reader(say("協議会（参加状況と指標）")), "/council/"))
        if "operator" in held:
            found.append((reader(say("運用担当（承認、見守り、台帳）")), "/operator/"))
    return found


def _search(towns: list[Municipality], states: list[Municipality], q: str, today: date) -> list[Municipality]:
    """By name, kana (katakana and half width too) or code, present or former; one that merged is found as what it went into."""
    words = _hiragana(unicodedata.normalize("NFKC", q).strip())
    hits = [town for town in towns if matches(town, words)]
    if hits:
        return hits
    try:
        tenant = by_code(states, read_code(words))
    except Refusal:
        tenant = None
    former = {s.tenant_id for s in states if words and (words in s.name or words in s.kana)}
    heirs = {mergers.heir(states, one, today) for one in (*former, tenant) if one}
    return [town for town in towns if town.tenant_id in heirs]


def _is_code(q: str) -> bool:
    try:
        read_code(q)
    except Refusal:
        return False
    return True


def _hiragana(text: str) -> str:
    return "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)


def _by_kana(towns: list[Municipality], reader: Reader) -> list[tuple[str, list[Municipality]]]:
    """あ行, か行 …: only rows that have somebody."""
    rows = [(row[0], [t for t in towns if t.kana[:1] in row]) for row in _KANA_ROWS]
    return [(reader(say("%(first)s行"), first=first), found) for first, found in rows if found]


@router.get("/t/{code}/")
def municipality_home(request: Request, code: str, actor: Actor = access.public()) -> Response:
    """A municipality's window for citizens and companies. What a service does not bring in time becomes a link."""
    town = view.municipality_of(request, actor)
    with view.service_of(request).database.reading(tenant=actor.tenant) as session:
        about = own_pages.about(session)
    return view.town_page(
        request,
        "home/municipality.html",
        town,
        about,
        open_services=[(s, _fragment(request, town, s)) for s in _open_services(request, town)],
        life_events=LIFE_EVENTS,
    )


def _open_services(request: Request, town: Municipality) -> list[CatalogueService]:
    """Services with pages of their own that this municipality uses today."""
    today = view.today_of(request)
    with view.service_of(request).database.reading() as session:
        found = standing.of_town(session, town.tenant_id, today)
    return [s for s in SERVICES if s.delivery == "room" and s.opened and found[s.key].status == "active"]


def _fragment(request: Request, town: Municipality, service: CatalogueService) -> Markup | None:
    """HTML made by our own service, under the same escaping rules as ours; None: show a link instead."""
    html = view.neighbours_of(request).fragment(
        service.key,
        f"/t/{town.code}/{service.key}/fragments/home",
        tenant=town.tenant_id,
        code=town.code,
        seconds=view.service_of(request).settings.fragment_seconds,
        lang=chosen_language(request),
    )
    return Markup(html) if html else None  # noqa: S704 (see above)


@router.get("/t/{code}/desk/")
def desk(request: Request, code: str, actor: Actor = ANY_STAFF) -> Response:
    """One desk over all services. Each service's part is fetched by the browser, with the person's own rights."""
    town = view.municipality_of(request, actor)
    place = Place(town.name, view.reader_of(request)(say("職員の机")), f"/t/{town.code}/desk/", (town.name,))
    services = _open_services(request, town)
    return view.public_page(
        request,
        "home/desk.html",
        place=place,
        town=town,
        services=services,
        works_in={s.key for s in services if any(role.startswith(f"{s.key}.") for role in actor.roles)},
        administers=actor.has("portal.admin"),
        delegated=actor.has("portal.delegate"),
        dense=True,
    )


@router.get("/accessibility")
def accessibility_results(request: Request, _actor: Actor = access.public()) -> Response:
    """The whole cloud's tests, as みんなの公共サイト運用ガイドライン asks. A municipality's own page stands at its home."""
    reader, record = view.reader_of(request), accessibility.record()
    english = reader.lang == "en"
    rows = [
        [
            each.number,
            each.name_en if english else each.name,
            each.level,
            reader(accessibility.RESULTS[each.result]),
            (each.note_en if english else each.note) or None,
        ]
        for each in record.criteria
    ]
    contact = view.service_of(request).settings.contact
    return view.public_page(request, "home/accessibility.html", record=record, rows=rows, contact=contact)
