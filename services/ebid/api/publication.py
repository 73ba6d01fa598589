"""公共工事の公表事項 (入契法): whether and where each item of the law is published, each contract's, and the same as tables."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import say
from libs.common.web import Link
from services.ebid.api.public import TENDER
from services.ebid.api.shell import now_of, reading, render, spoken
from services.ebid.domain.publication import LINE, OF_CONTRACT, OF_MUNICIPALITY
from services.ebid.use_cases import plans, profiles, publication, suspending

router = APIRouter()
TITLE = say("公共工事の公表事項")
ADDRESS = "/t/{code}/ebid/publication"


@router.get(ADDRESS, summary="公共工事の公表事項: what the law wants published, and where it is")
def page(request: Request, actor: Actor = access.public()) -> Response:
    today = local_date(now_of(request))
    with reading(request, actor) as session:
        found = publication.listed(session, today)
        where = {
            "plans": ("plans", len(plans.listed(session, fiscal_year(today)))),
            "register": ("publication/register.csv", len(publication.register(session, today))),
            **{key: (url, None) for key, url in profiles.of(session).published_at.items() if url},
        }
        suspended = [each for each in suspending.listed(session, today) if suspending.in_force(each[0], today)]
    items = [
        (spoken(request, each.name), spoken(request, each.source), where.get(each.key)) for each in OF_MUNICIPALITY
    ]
    every = [(spoken(request, each.name), spoken(request, each.source)) for each in OF_CONTRACT]
    return render(
        request, "publication.html", title=TITLE, crumbs=(Link(TITLE, "", True),), items=items, every=every, found=found,
        line=LINE, suspended=suspended, missing={each.row.id: _missing(request, each) for each in found},
    )  # fmt: skip


def _missing(request: Request, each: publication.Published) -> str:
    return "、".join(spoken(request, item.name) for item in each.missing)


@router.get(f"{ADDRESS}.csv", summary="Every awarded works contract with all items, as a table")
def table(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        found = publication.listed(session, local_date(now_of(request)))
    header = ("案件番号", "OCID", "方法を定めた公告の日", *(str(item.name) for item in OF_CONTRACT))
    rows = [_line(each) for each in found]
    return _csv("publication.csv", rows, header)


def _line(each: publication.Published) -> tuple[Any, ...]:
    said = {item.key: "\n".join(map(str, lines)) for item, lines in each.facts}
    published = local_date(each.row.published_at).isoformat() if each.row.published_at else ""
    return (each.row.number, each.row.ocid, published, *(said.get(item.key, "") for item in OF_CONTRACT))


@router.get(f"{ADDRESS}/register.csv", summary="資格のある者の名簿: companies registered for works")
def register(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        found = publication.register(session, local_date(now_of(request)))
    rows = [(each.name, each.corporate_number or "", each.valid_until.isoformat()) for each in found]
    return _csv("register.csv", rows, ("名称", "法人番号", "登録の期限"))


def _csv(name: str, rows: list[tuple[Any, ...]], header: tuple[str, ...]) -> Response:
    headers = {"Content-Disposition": csvout.attachment(name)}
    return Response(b"".join(csvout.rows(rows, header=header)), media_type="text/csv; charset=utf-8", headers=headers)


@router.get(f"{TENDER}/publication", summary="What the law wants published of one works contract")
def one(request: Request, tender_id: str, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        found = publication.of(session, tender_id)
    facts = [(spoken(request, item.name), [spoken(request, line) for line in lines]) for item, lines in found.facts]
    return render(
        request, "publication_tender.html", title=TITLE, facts=facts, row=found.row,
        crumbs=(Link(TITLE, "../../publication"), Link(found.row.title, "", True)),
    )  # fmt: skip
