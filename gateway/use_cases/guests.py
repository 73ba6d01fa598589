"""A guest signs in: what was begun under the guest's cookie goes on under the account.

The gateway knows nothing of what that is. It tells services the guest's `sid` beside the person's, signed in the inner token
(`was`), for `TOLD_FOR` after the sign-in; whoever keeps something under that sid takes it over then. The sid is known only
from the guest's own signed cookie in the very request that signs in, and it leads to one person for ever.
"""

from datetime import datetime, timedelta

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import db

TOLD_FOR = timedelta(minutes=15)
"""Long enough for the pages that follow a sign-in; services that were away for longer never learn of it."""


def take(session: Session, guest_sid: str, person_id: str, now: datetime) -> str | None:
    """`guest_sid` if what was begun under it is this person's from now on; None if somebody else has taken it before.

    The same person may come twice: two clicks on the button are two sign-ins.
    """
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(db.GuestTakenRow).values(sid=guest_sid, person_id=person_id, at=now)
    session.execute(statement.on_conflict_do_nothing(index_elements=["sid"]))
    taken = session.get(db.GuestTakenRow, guest_sid)
    return guest_sid if taken is not None and taken.person_id == person_id else None
