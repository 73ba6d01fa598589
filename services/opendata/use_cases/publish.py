"""Publish a read draft: a new data set, another file of one, or a new version of a file. All in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid
from libs.common.ids import new_id
from services.opendata.db import DatasetRow, DraftRow, ResourceRow, VersionRow, datasets, published
from services.opendata.domain import standards
from services.opendata.domain.describe import Description, checked, proposed_name
from services.opendata.events import DatasetPublished
from services.opendata.use_cases.followers import order_notices
from services.opendata.use_cases.project import project


@dataclass(frozen=True, slots=True)
class Choice:
    """What the clerk decided about a draft. `confirmed`: why it may be published although it seems to hold personal data.

    `seen`: the version that stood on the page, so that nobody replaces a newer one unknowingly.
    """

    repaired: bool = True
    confirmed: str = ""
    seen: int = 0


def publish(
    session: Session, actor: Actor, draft_id: str, wish: Description, choice: Choice, now: datetime
) -> DatasetRow:
    """Publish the draft. Sent twice it is published once. Invalid with sentences per field; Conflict when somebody else
    has published meanwhile."""
    draft = datasets.draft(session, draft_id, lock=True)
    if draft.state == "published" and draft.dataset_id:
        return datasets.by_id(session, draft.dataset_id)
    _check_readable(draft)
    _check_personal(session, actor, draft, choice, now)
    dataset = _dataset(session, actor, draft, checked(wish), now)
    resource = _resource(session, draft, dataset, choice, now)
    if draft.report.get("acting") and not choice.repaired:
        sentence = (
            "マクロ、ほかのファイルへのつながり、ほかの表や非表示のシートがあるファイルは、そのままでは公開できません。"
            "直した表を公開してください。"
        )
        raise Invalid(sentence, code="acting-workbook", fields={"use": sentence})
    _check_still_a_table(session, draft, resource)
    _add_version(session, actor, draft, resource, choice.repaired, now)
    draft.state, draft.dataset_id, draft.resource_id = "published", dataset.id, resource.id
    tell(session, actor, dataset, "dataset.published", now)
    return dataset


def tell(session: Session, actor: Actor, dataset: DatasetRow, action: str, now: datetime) -> None:
    """The data set as it now is becomes public: projection, event and record."""
    dataset.state, dataset.reason, dataset.modified_at = "published", "", now
    dataset.version += 1
    session.flush()
    row = project(session, dataset, now)
    rows = sum(each.get("rows") or 0 for each in row.document["resources"])
    event = DatasetPublished(
        dataset_id=dataset.id,
        version=dataset.version,
        kind=dataset.kind,
        rows=rows,
        datasets=datasets.published_count(session),
        published_at=row.modified_at,
    )
    outbox.add(session, event, subject=dataset.id, now=now)
    audit.record(session, actor, action, dataset.id, detail={"version": dataset.version}, now=now)
    order_notices(session, dataset.id, dataset.version, now)


def describe(session: Session, actor: Actor, dataset_id: str, wish: Description, now: datetime) -> DatasetRow:
    """Change what is said of a data set; its files stay."""
    dataset = datasets.by_id(session, dataset_id, lock=True)
    _take_over(dataset, checked(wish))
    if dataset.state == "published":
        tell(session, actor, dataset, "dataset.described", now)
    return dataset


def new_dataset(session: Session, actor: Actor, wish: Description, now: datetime) -> DatasetRow:
    """A data set nobody can read yet. Conflict if the name it shall have is taken; without one it gets a name that is free, also where
    another of its kind is published in the same moment."""
    ident = new_id()
    proposed = proposed_name(actor.code or "", wish.kind and _word(wish), ident)
    for name in [wish.name] if wish.name else [proposed, f"{proposed}_{ident[-6:]}"]:
        row = _named(session, ident, replace(wish, name=name), now)
        if row is not None:
            return row
    raise Conflict("この名前は、ほかのデータセットで使われています。", code="name-taken")


def _named(session: Session, ident: str, wish: Description, now: datetime) -> DatasetRow | None:
    """None where the name is taken: the store is asked last, as it knows of those who are about to take it."""
    if datasets.by_name(session, wish.name) or published.find(session, wish.name):
        return None
    row = DatasetRow(
        id=ident, name=wish.name, about={}, state="draft", version=0, reason="", created_at=now, modified_at=now
    )
    _take_over(row, wish)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return None
    return row


def _word(wish: Description) -> str:
    """An ASCII word for the address: what harvesters call this recommended data set."""
    kind = standards.kind(wish.kind)
    return (kind and kind.bodik_api) or ""


def _take_over(row: DatasetRow, wish: Description) -> None:
    row.title, row.notes, row.theme, row.license = wish.title, wish.notes, wish.theme, wish.license
    row.frequency, row.kind, row.tags = wish.frequency, wish.kind, list(wish.tags)
    row.name = wish.name or row.name


def _check_readable(draft: DraftRow) -> None:
    if draft.state != "read":
        raise Conflict("このファイルは、まだ読み取れていません。", code="not-read")


def _check_still_a_table(session: Session, draft: DraftRow, resource: ResourceRow) -> None:
    """Who asks for a table's rows must not find them gone because its new version is a picture of it."""
    if draft.original_table or not resource.version:
        return
    if datasets.version(session, resource.id, resource.version).table_id:
        sentence = "公開中のファイルは表です。表でないファイルは、新しい版にせず、別のファイルとして加えてください。"
        raise Conflict(sentence, code="no-table")


def _check_personal(session: Session, actor: Actor, draft: DraftRow, choice: Choice, now: datetime) -> None:
    risks = draft.report.get("personal") or []
    if not risks:
        return
    never = [risk["message"] for risk in risks if not risk["confirmable"]]
    if never:
        raise Invalid(never[0], fields={"confirmed": never[0]}, code="never-public")
    reason = choice.confirmed.strip()
    if len(reason) < 5:
        sentence = "個人情報のように見えるところがあります。公開してよい理由を、5文字以上で入力してください。"
        raise Invalid("直していただくところがあります。", fields={"confirmed": sentence}, code="personal-data")
    codes = sorted({risk["code"] for risk in risks})
    audit.record(session, actor, "personal-data.confirmed", draft.id, reason=reason, detail={"risks": codes}, now=now)


def _dataset(session: Session, actor: Actor, draft: DraftRow, wish: Description, now: datetime) -> DatasetRow:
    if not draft.dataset_id:
        return new_dataset(session, actor, wish, now)
    dataset = datasets.by_id(session, draft.dataset_id, lock=True)
    # A further file says nothing of the kind of the first.
    kind = wish.kind if draft.resource_id else dataset.kind or wish.kind
    _take_over(dataset, replace(wish, name=dataset.name, kind=kind))
    return dataset


def _resource(session: Session, draft: DraftRow, dataset: DatasetRow, choice: Choice, now: datetime) -> ResourceRow:
    if draft.resource_id:
        row = datasets.resource(session, draft.resource_id)
        if row.version != choice.seen:
            sentence = "ほかの方が、先に新しい版を公開しました。違いを確かめてから、もう一度公開してください。"
            raise Conflict(sentence, code="published-meanwhile")
    else:
        position = len(datasets.resources(session, dataset.id))
        row = ResourceRow(
            id=new_id(), dataset_id=dataset.id, position=position, name="", description="", url="", version=0, about={}, created_at=now
        )  # fmt: skip
        session.add(row)
    row.name = row.name or _name(draft, dataset, row.position)
    row.format = "CSV" if choice.repaired and draft.repaired_file else draft.report["format"].upper()
    row.modified_at = now
    return row


def _name(draft: DraftRow, dataset: DatasetRow, position: int) -> str:
    """The first file is called as its data set is, a further one as it was sent: nobody could tell them apart."""
    return PurePath(draft.filename).stem[:200] if position else dataset.title


def _add_version(
    session: Session, actor: Actor, draft: DraftRow, resource: ResourceRow, repaired: bool, now: datetime
) -> None:
    resource.version += 1
    told: dict[str, Any] = draft.report["repaired" if repaired else "original"]
    session.flush()
    session.add(
        VersionRow(
            resource_id=resource.id,
            number=resource.version,
            source_id=draft.file_id,
            file_id=draft.repaired_file if repaired else draft.file_id,
            table_id=draft.repaired_table if repaired else draft.original_table,
            filename=told["filename"],
            media_type=told["media_type"],
            size=told["size"],
            sha256=told["sha256"],
            rows=told["rows"],
            columns=told["columns"],
            report=kept_report(draft.report, repaired=repaired),
            repaired=repaired,
            published_at=now,
            published_by=actor.subject,
        )
    )


def kept_report(report: dict[str, Any], *, repaired: bool) -> dict[str, Any]:
    """What of a draft's report stays with its version."""
    kept = {key: report[key] for key in ("conformance", "points", "where", "when", "counts") if key in report}
    readability = (report.get("readability") or {}).get("repaired" if repaired else "original")
    return kept | ({"readability": readability} if readability else {})
