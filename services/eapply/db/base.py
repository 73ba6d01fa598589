"""What all tables of e-application share."""

from sqlalchemy import ForeignKeyConstraint, String

from libs.common.db import CommonBase, service_metadata

ID = String(36)


class Base(CommonBase):
    __abstract__ = True
    metadata = service_metadata()


def points_at(columns: list[str], table: str, keys: list[str]) -> ForeignKeyConstraint:
    """A foreign key within the municipality."""
    targets = [f"{table}.tenant_id", *(f"{table}.{key}" for key in keys)]
    return ForeignKeyConstraint(["tenant_id", *columns], targets, name=f"to_{table}")  # short: PostgreSQL keeps 63
