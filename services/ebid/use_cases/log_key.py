"""An operator changes the key that signs the log, from a terminal, while bids come in.

    python -m services.ebid log-key new           stopped anywhere, run it again
    python -m services.ebid log-key forget-old    afterwards: the secret half of the key before goes

The key before promises the next one by an entry of the log, as `log.change_key` says. Whoever knows either key follows (verify/FORMAT.md).
"""

from sqlalchemy.orm import Session

from libs.common import vaults
from libs.common.service import Service
from services.ebid.db import LogHeadRow
from services.ebid.sealing import note, signing
from services.ebid.settings import office_of
from services.ebid.use_cases import log


def new(service: Service) -> bool:
    """Whether the log changed its key now; else it had, and `forget_old` ends it. Raises vaults.NotDone."""
    signers = office_of(service).signers
    with service.database.reading() as session:
        if not _believed(session, signers):
            raise vaults.NotDone(f"the newest checkpoint was signed by another key than is in {signers.path.parent}")
    vaults.change_file(signers.path)
    with service.database.transaction() as session:
        return log.change_key(session, signers, service.clock.now())


def forget_old(service: Service) -> None:
    """Take the key before away, once the log signs by the present one. Raises vaults.NotDone."""
    signers = office_of(service).signers
    if not signers.before.exists():
        raise vaults.NotDone(f"there is no {signers.before}")
    with service.database.reading() as session:
        signer = log.in_force(session.get(LogHeadRow, 1), signers)
    if signer.public != signers.present().public:
        raise vaults.NotDone("the log signs by the old key still: run `log-key new` again")
    vaults.forget_file(signers.path)


def _believed(session: Session, signers: signing.Signers) -> bool:
    """Whether one of the keys that the log names signed what it signed last: else nobody would believe what the present one promises."""
    row, keys = log.latest(session), log.keys(session, signers)
    known = [keys.present, *(change["key"] for change in keys.changes)]
    return row is None or any(_signed(row.note, signers.origin, bytes.fromhex(key)) for key in known)


def _signed(text: str, origin: str, key: bytes) -> bool:
    try:
        note.open_note(text, origin, key, signing.check)
    except note.BadNote:
        return False
    return True
