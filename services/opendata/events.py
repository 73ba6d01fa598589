"""What the open data service tells the world: ids and what readers count. The data itself is read over HTTP."""

from datetime import datetime

from libs.common import room
from libs.common.events import Event

room_events = room.events_for("opendata")


class DatasetPublished(Event, type="opendata.dataset.published.v1"):
    """A data set, or a new version of it, can be read by everybody. `version` counts its publications from 1.

    `kind` is the key of the recommended data set it follows ("" for none), `datasets` how many the municipality has now.
    """

    dataset_id: str
    version: int
    kind: str
    rows: int
    datasets: int
    published_at: datetime


class DatasetWithdrawn(Event, type="opendata.dataset.withdrawn.v1"):
    """A data set can no longer be read. The reason is on its page. `datasets`: how many the municipality has now."""

    dataset_id: str
    datasets: int
    withdrawn_at: datetime
