"""Who follows a data set is told of its new versions, by a job."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import jobs
from services.opendata.use_cases import directory

NOTIFY = "opendata.tell-followers"


def order_notices(session: Session, dataset_id: str, version: int, now: datetime) -> None:
    """Followers are told by a job; of one version once."""
    if version > 1 and directory.followers(session, "dataset", dataset_id):
        jobs.add(session, NOTIFY, {"dataset": dataset_id}, key=f"{dataset_id}:{version}", now=now)
