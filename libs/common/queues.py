"""What tables that serve as queues have in common: their statistics are of another hour than their rows."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def by_the_index(session: Session) -> None:
    """For the rest of this transaction, walk an index in its order instead of sorting what waits.

    PostgreSQL plans by statistics that were taken when the queue was empty or small; with 4,000 rows waiting it sorted all
    of them for each 50. Use it in a transaction that only looks.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.set_config("enable_sort", "off", True)))
