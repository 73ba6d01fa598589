"""The gateway's own metadata: every table of `gateway/db/` belongs to it."""

from libs.common.db import CommonBase, service_metadata


class Base(CommonBase):
    __abstract__ = True
    metadata = service_metadata()
