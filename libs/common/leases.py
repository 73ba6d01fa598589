"""One holder at a time over all replicas: a row that says who, and until when. No lock is held meanwhile."""

from datetime import datetime, timedelta

from sqlalchemy import String, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from libs.common.db import CommonBase
from libs.common.tenancy import SharedTable


class LeaseRow(SharedTable, CommonBase):
    """`name` is what only one may do (`relay`, `timer:late-sagas`), `holder` the process that does it until `until`."""

    __tablename__ = "leases"
    __shared_because__ = "names of processes, nothing of any tenant"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    holder: Mapped[str] = mapped_column(String(100))
    until: Mapped[datetime]


def take_lease(session: Session, name: str, holder: str, seconds: float, now: datetime) -> bool:
    """Take or renew `name` for `seconds` from `now`; False while another holder's lease runs.

    Holders compare their own clocks with `until`, so `seconds` must be far above the clocks' difference. What is done
    under a lease must bear being done twice: a holder that slept through its lease wakes up believing in it.
    A lease that ends later than anybody could have asked for was written by a clock that ran ahead: it binds nobody.
    """
    latest = now + timedelta(seconds=seconds) * 2
    held = session.execute(select(LeaseRow.holder, LeaseRow.until).where(LeaseRow.name == name)).first()
    if held is not None and now < held.until <= latest:
        if held.holder != holder:
            return False
        if held.until - now > timedelta(seconds=seconds) / 2:
            return True  # fresh enough: a loop that asks often writes seldom
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    until = now + timedelta(seconds=seconds)
    statement = insert(LeaseRow).values(name=name, holder=holder, until=until)
    statement = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": holder, "until": until},
        where=or_(LeaseRow.until <= now, LeaseRow.until > latest, LeaseRow.holder == holder),
    )
    return session.scalar(statement.returning(LeaseRow.name)) is not None


def give_back(session: Session, name: str, holder: str) -> None:
    """End the lease early, so that the next holder need not wait; nothing happens if it is another's by now."""
    session.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder))
