"""Staff's pages: what is published, a file dropped, what was understood of it, publishing, versions, withdrawal."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound
from libs.common.web import Link
from services.opendata.api.shell import base, changing, now_of, reading, render_desk, service_of, spoken_options, to
from services.opendata.db import datasets
from services.opendata.domain import standards
from services.opendata.domain.describe import Description, split_tags
from services.opendata.domain.vocabulary import FREQUENCIES, LICENSES, THEMES
from services.opendata.reading.document import NAMES
from services.opendata.settings import files_of, tables_of
from services.opendata.use_cases import drafts, publish, usage, withdraw

router = APIRouter(prefix="/t/{code}/opendata/desk", tags=["desk"])
PUBLISHER, MANAGER = "opendata.publisher", "opendata.manager"
Text = Annotated[str, Form()]
ACCEPTED = ",".join(sorted({".csv", ".tsv", ".txt", ".xlsx"}.union(*NAMES.values())))
"""Endings of names that a browser offers; what a file is, its content says."""


@router.get("/", summary="All data sets of the municipality, and the place to drop a file")
def list_page(request: Request, actor: Actor = access.staff(PUBLISHER)) -> Response:
    return _list_page(request, actor)


def _list_page(request: Request, actor: Actor, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    with reading(request, actor) as session:
        rows = datasets.listed(session)
        waiting = [row for row in datasets.drafts(session) if row.state != "published"]
        used = usage.totals(session, [row.id for row in rows])
    return render_desk(
        request, "desk/list.html", status=status, title="オープンデータ", rows=rows, drafts=waiting, used=used,
        errors=errors or {}, kinds=_kind_names(), accepted=ACCEPTED,
    )  # fmt: skip


# ---- a file -----------------------------------------------------------------------------------------------------------


@router.post("/drafts", summary="Send a file: it is read at once, or as a job where it is large")
def send(
    request: Request,
    file: Annotated[UploadFile | None, File()] = None,
    dataset: Text = "",
    resource: Text = "",
    actor: Actor = access.staff(PUBLISHER),
) -> Response:
    try:
        draft_id = _take_in(request, actor, file, dataset, resource)
    except Invalid as refusal:
        errors = {"file": refusal.fields.get("file", refusal.message)}
        if dataset:
            return _dataset_page(request, actor, dataset, errors=errors, status=422)
        return _list_page(request, actor, errors, 422)
    return to(f"{base(request)}/desk/drafts/{draft_id}")


def _take_in(request: Request, actor: Actor, file: UploadFile | None, dataset: str, resource: str) -> str:
    if file is None or not file.filename:
        raise Invalid("ファイルを選んでください。")
    service = service_of(request)
    stored = drafts.keep(service, actor, file.file)
    wish = drafts.Sent(file.filename, dataset or None, resource or None)
    with changing(request, actor) as session:
        draft = drafts.begin(session, actor, wish, stored, now_of(request))
    if stored.size <= drafts.AT_ONCE:
        drafts.read_now(service, draft.tenant_id, draft.id)
    return draft.id


@router.get(
    "/drafts/{draft_id}", summary="What was understood of a file, beside its repaired form; the form to publish it"
)
def draft_page(request: Request, draft_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    return _draft_page(request, actor, draft_id)


@router.post("/drafts/{draft_id}/again", summary="Read a file once more whose reading was given up")
def read_again(request: Request, draft_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with changing(request, actor) as session:
        drafts.read_once_more(session, draft_id, now_of(request))
    return to(f"{base(request)}/desk/drafts/{draft_id}")


@router.post("/drafts/{draft_id}/kind", summary="Say which recommended data set a file follows; it is read again")
def choose_kind(request: Request, draft_id: str, kind: Text = "", actor: Actor = access.staff(PUBLISHER)) -> Response:
    with changing(request, actor) as session:
        row = drafts.read_as(session, draft_id, kind, now_of(request))
    if row.size <= drafts.AT_ONCE:
        drafts.read_now(service_of(request), row.tenant_id, row.id)
    return to(f"{base(request)}/desk/drafts/{draft_id}")


@router.post("/drafts/{draft_id}/cells", summary="Write cells of a file anew; it is read again with these")
def correct_cells(
    request: Request,
    draft_id: str,
    place: Annotated[list[str], Form(default_factory=list)],
    value: Annotated[list[str], Form(default_factory=list)],
    actor: Actor = access.staff(PUBLISHER),
) -> Response:
    """`place` and `value` come in pairs. An unequal number of both is no form of ours: what has no partner is left."""
    with changing(request, actor) as session:
        row = drafts.correct(session, draft_id, dict(zip(place, value, strict=False)), now_of(request))
    if row.size <= drafts.AT_ONCE:
        drafts.read_now(service_of(request), row.tenant_id, row.id)
    return to(f"{base(request)}/desk/drafts/{draft_id}#found")


@router.post("/drafts/{draft_id}/sheets", summary="A draft for each other sheet of the workbook")
def take_sheets(request: Request, draft_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with changing(request, actor) as session:
        made = drafts.take_sheets(session, actor, draft_id, now_of(request))
    for row in made:
        if row.size <= drafts.AT_ONCE:
            drafts.read_now(service_of(request), row.tenant_id, row.id)
    return to(f"{base(request)}/desk/#drafts")


@router.post("/drafts/{draft_id}/publish", summary="Publish a read file")
def publish_draft(
    request: Request,
    draft_id: str,
    title: Text = "",
    notes: Text = "",
    theme: Text = "",
    license: Text = "",
    frequency: Text = "",
    tags: Text = "",
    use: Text = "repaired",
    confirmed: Text = "",
    seen: Text = "0",
    kind: Text = "",
    actor: Actor = access.staff(PUBLISHER),
) -> Response:
    typed = {"title": title, "notes": notes, "theme": theme, "license": license, "frequency": frequency, "tags": tags,
             "use": use, "confirmed": confirmed}  # fmt: skip
    wish = Description(
        title, notes, theme, license, frequency, split_tags(tags), kind=kind if standards.kind(kind) else ""
    )
    choice = publish.Choice(use == "repaired", confirmed, int(seen) if seen.isdigit() else 0)
    try:
        with changing(request, actor) as session:
            dataset = publish.publish(session, actor, draft_id, wish, choice, now_of(request))
    except Invalid as refusal:
        return _draft_page(request, actor, draft_id, errors=refusal.fields, typed=typed, status=422)
    except Conflict as refusal:
        return _draft_page(request, actor, draft_id, errors={"title": refusal.message}, typed=typed, status=409)
    return to(f"{base(request)}/desk/datasets/{dataset.id}?published=1")


@router.post("/drafts/{draft_id}/discard", summary="Throw a file away that was not published")
def discard(request: Request, draft_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with changing(request, actor) as session:
        drafts.discard(session, draft_id)
    return to(f"{base(request)}/desk/")


@router.get("/drafts/{draft_id}/repaired.csv", summary="The repaired file, to look at before it is published")
def repaired_file(request: Request, draft_id: str, actor: Actor = access.staff(PUBLISHER)) -> Response:
    with reading(request, actor) as session:
        row = datasets.draft(session, draft_id)
    if not row.repaired_file:
        raise NotFound("直したファイルはありません。")
    return _file(request, row.tenant_id, row.repaired_file, row.report["repaired"]["filename"])


def _file(request: Request, tenant: str, file_id: str, name: str) -> Response:
    file = files_of(service_of(request)).stream(tenant, file_id)
    return StreamingResponse(
        file.chunks, headers={"Content-Disposition": csvout.attachment(name)}, media_type="text/csv"
    )


def _draft_page(
    request: Request,
    actor: Actor,
    draft_id: str,
    *,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    with reading(request, actor) as session:
        row = datasets.draft(session, draft_id)
        dataset = datasets.by_id(session, row.dataset_id) if row.dataset_id else None
        resource = datasets.resource(session, row.resource_id) if row.resource_id else None
        change = _comparison(request, session, row, resource)
        moving = drafts.progress(session, row)
    if row.state == "published" and dataset:
        return to(f"{base(request)}/desk/datasets/{dataset.id}")
    usual = drafts.proposed(row, dataset) | {
        "use": "repaired" if row.report.get("repaired") else "original",
        "confirmed": "",
    }
    return render_desk(
        request, "desk/draft.html", status=status, title=f"「{row.filename}」を公開する", crumbs=(Link("公開前の確認", ""),),
        row=row, report=row.report, kind_options=_kind_options(), dataset=dataset, resource=resource, errors=errors or {},
        typed=usual | (typed or {}), themes=spoken_options(request, THEMES), change=change,
        frequencies=spoken_options(request, FREQUENCIES),
        licenses=spoken_options(request, {key: each.title for key, each in LICENSES.items()}), kinds=_kind_names(), moving=moving,
    )  # fmt: skip


def _comparison(request: Request, session: Any, row: Any, resource: Any) -> Any:
    """What a new version changes, where the clerk is about to publish one."""
    if resource is None or not resource.version or row.state != "read":
        return None
    old = datasets.version(session, resource.id, resource.version).table_id
    new = row.repaired_table or row.original_table
    return tables_of(service_of(request)).compare(row.tenant_id, old, new) if old and new else None


# ---- a data set -------------------------------------------------------------------------------------------------------


@router.get("/datasets/{dataset_id}", summary="One data set: files, versions, use, description, withdrawal")
def dataset_page(
    request: Request, dataset_id: str, published: str = "", actor: Actor = access.staff(PUBLISHER)
) -> Response:
    return _dataset_page(request, actor, dataset_id, just=bool(published))


@router.post("/datasets/{dataset_id}/describe", summary="Change what is said of a data set")
def describe(
    request: Request,
    dataset_id: str,
    title: Text = "",
    notes: Text = "",
    theme: Text = "",
    license: Text = "",
    frequency: Text = "",
    tags: Text = "",
    actor: Actor = access.staff(PUBLISHER),
) -> Response:
    typed = {"title": title, "notes": notes, "theme": theme, "license": license, "frequency": frequency, "tags": tags}
    try:
        with changing(request, actor) as session:
            kind = datasets.by_id(session, dataset_id).kind
            wish = Description(title, notes, theme, license, frequency, split_tags(tags), kind=kind)
            publish.describe(session, actor, dataset_id, wish, now_of(request))
    except Invalid as refusal:
        return _dataset_page(request, actor, dataset_id, errors=refusal.fields, typed=typed, status=422)
    return to(f"{base(request)}/desk/datasets/{dataset_id}")


@router.post("/datasets/{dataset_id}/withdraw", summary="Take a data set away from the public, saying why")
def withdraw_dataset(
    request: Request, dataset_id: str, reason: Text = "", actor: Actor = access.staff(MANAGER)
) -> Response:
    try:
        with changing(request, actor) as session:
            withdraw.withdraw(session, actor, dataset_id, reason, now_of(request))
    except Invalid as refusal:
        return _dataset_page(request, actor, dataset_id, errors=refusal.fields, typed={"reason": reason}, status=422)
    return to(f"{base(request)}/desk/datasets/{dataset_id}")


@router.post("/datasets/{dataset_id}/again", summary="Publish a withdrawn data set again")
def publish_again(request: Request, dataset_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with changing(request, actor) as session:
        withdraw.publish_again(session, actor, dataset_id, now_of(request))
    return to(f"{base(request)}/desk/datasets/{dataset_id}")


@router.get("/datasets/{dataset_id}/resources/{resource_id}/changes", summary="What changed between two versions")
def changes_page(
    request: Request, dataset_id: str, resource_id: str, version: int = 0, actor: Actor = access.staff(PUBLISHER)
) -> Response:
    with reading(request, actor) as session:
        dataset = datasets.by_id(session, dataset_id)
        resource = datasets.resource(session, resource_id)
        if resource.dataset_id != dataset.id:
            raise NotFound("このファイルは見つかりません。")
        new = datasets.version(session, resource.id, version or resource.version)
        old = datasets.version(session, resource.id, new.number - 1)
    if not (old.table_id and new.table_id):
        raise NotFound("表として読めない版なので、比べられません。")
    change = tables_of(service_of(request)).compare(dataset.tenant_id, old.table_id, new.table_id)
    crumbs = (Link(dataset.title, f"{base(request)}/desk/datasets/{dataset.id}"), Link("版の違い", ""))
    return render_desk(
        request, "desk/changes.html", title=f"{resource.name}：第{old.number}版と第{new.number}版の違い", crumbs=crumbs,
        change=change, old=old, new=new,
    )  # fmt: skip


def _dataset_page(
    request: Request,
    actor: Actor,
    dataset_id: str,
    *,
    just: bool = False,
    errors: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    with reading(request, actor) as session:
        row = datasets.by_id(session, dataset_id)
        found = [(each, datasets.versions(session, each.id)) for each in datasets.resources(session, row.id)]
        used = usage.by_resource(session, row.id)
    usual = {"title": row.title, "notes": row.notes, "theme": row.theme, "license": row.license, "frequency": row.frequency,
             "tags": "、".join(row.tags), "reason": ""}  # fmt: skip
    return render_desk(
        request, "desk/dataset.html", status=status, title=row.title, crumbs=(Link(row.title, ""),), row=row, found=found, used=used,
        errors=errors or {}, typed=usual | (typed or {}), just=just, may_withdraw=actor.has(MANAGER), kinds=_kind_names(),
        themes=spoken_options(request, THEMES), frequencies=spoken_options(request, FREQUENCIES),
        licenses=spoken_options(request, {key: each.title for key, each in LICENSES.items()}),
        public=f"/opendata/datasets/{row.name}", accepted=ACCEPTED,
    )  # fmt: skip


def _kind_options() -> list[tuple[str, str]]:
    """The kinds whose columns are known, and none."""
    known = {each.kind.number: each.kind.name for each in standards.definitions()}
    return [("", "当てはまらない"), *sorted(known.items())]


def _kind_names() -> dict[str, str]:
    return {kind.number: kind.name for kind in standards.kinds()}
