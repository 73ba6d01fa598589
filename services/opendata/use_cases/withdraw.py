"""Take a data set away from the public, with a reason everybody can read, and give it back."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid
from services.opendata.db import DatasetRow, datasets
from services.opendata.events import DatasetWithdrawn
from services.opendata.use_cases.project import project
from services.opendata.use_cases.publish import tell


def withdraw(session: Session, actor: Actor, dataset_id: str, reason: str, now: datetime) -> DatasetRow:
    """Nobody outside reads it any more; its versions are kept. Twice is once."""
    reason = " ".join(reason.split())
    if not 5 <= len(reason) <= 500:
        sentence = "取りやめる理由を、5文字から500文字で入力してください。この理由は公開されます。"
        raise Invalid("直していただくところがあります。", fields={"reason": sentence})
    dataset = datasets.by_id(session, dataset_id, lock=True)
    if dataset.state == "withdrawn":
        return dataset
    if dataset.state != "published":
        raise Conflict("このデータセットは、まだ公開していません。", code="not-published")
    dataset.state, dataset.reason, dataset.modified_at = "withdrawn", reason, now
    session.flush()
    at = project(session, dataset, now).modified_at
    event = DatasetWithdrawn(dataset_id=dataset.id, datasets=datasets.published_count(session), withdrawn_at=at)
    outbox.add(session, event, subject=dataset.id, now=now)
    audit.record(session, actor, "dataset.withdrawn", dataset.id, reason=reason, now=now)
    return dataset


def publish_again(session: Session, actor: Actor, dataset_id: str, now: datetime) -> DatasetRow:
    dataset = datasets.by_id(session, dataset_id, lock=True)
    if dataset.state == "withdrawn":
        tell(session, actor, dataset, "dataset.published-again", now)
    return dataset
