"""The columns by which a service remembers a stored file."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.files.store import StoredFile


class FileColumns:
    """Mix into a TenantTable: `class AttachmentRow(FileColumns, TenantTable, Base)`. The id is the store's."""

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(100))
    stored_at: Mapped[datetime]

    def remember(self, stored: StoredFile, now: datetime) -> None:
        """Take over what `Store.put` said."""
        self.id, self.size, self.sha256, self.media_type = stored.id, stored.size, stored.sha256, stored.media_type
        self.stored_at = now
