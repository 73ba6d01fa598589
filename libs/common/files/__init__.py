"""Stored bytes: uploads, exports. Named by us, the tenant first in every path, the type told from the content.

    store = files.local(data_dir / "files")                 # or files.s3("s3://bucket/prefix", …)
    stored = store.put(tenant, request_stream, limit=20_000_000, allowed=files.PDF | files.IMAGES)
    with store.open(tenant, stored.id) as opened: …         # opened.size, for chunk in opened.chunks
    store.delete(tenant, stored.id)

What the bytes are for, what the person called them and who may read them belongs to the service's own table (mix in
`FileColumns`). The order that loses nothing: put the bytes, then the row in its transaction; a roll-back leaves bytes
that nobody names, and `Store.forget_unknown` removes those after a day.
"""

from libs.common.files.columns import FileColumns
from libs.common.files.kinds import CSV, IMAGES, PDF, TEXT, ZIP, media_type_of
from libs.common.files.store import OpenFile, Store, StoredFile, local, s3

__all__ = [
    "CSV",
    "IMAGES",
    "PDF",
    "TEXT",
    "ZIP",
    "FileColumns",
    "OpenFile",
    "Store",
    "StoredFile",
    "local",
    "media_type_of",
    "s3",
]
