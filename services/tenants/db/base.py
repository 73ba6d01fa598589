"""The one metadata of this service."""

from libs.common.db import CommonBase, service_metadata


class Base(CommonBase):
    __abstract__ = True
    metadata = service_metadata()
