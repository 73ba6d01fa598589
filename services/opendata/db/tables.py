"""The tables. What a municipality works on is its own; what it published is copied, in the same transaction, into tables
that everybody may read. The rows of data files are not here but in files of their own (services/opendata/datastore)."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Date, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import CommonBase, Json, service_metadata
from libs.common.tenancy import SharedTable, TenantTable

ID = String(36)
NAME = String(100)


class Base(CommonBase):
    __abstract__ = True
    metadata = service_metadata()


class DatasetRow(TenantTable, Base):
    """A data set of a municipality. `state`: draft → published ⇄ withdrawn. `kind`: the recommended data set it follows.

    `version` counts publications. `about` holds what CKAN clients may set besides: extras, url, author, maintainer, …
    """

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    title: Mapped[str] = mapped_column(String(200))
    notes: Mapped[str] = mapped_column(Text)
    theme: Mapped[str] = mapped_column(String(20))
    license: Mapped[str] = mapped_column(String(40))
    frequency: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(60))
    tags: Mapped[list[str]] = mapped_column(Json)
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10))
    version: Mapped[int]
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]


class ResourceRow(TenantTable, Base):
    """One file or address of a data set. `version` is the number of its published VersionRow; 0 has only an address."""

    __tablename__ = "resources"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "dataset_id"], ["datasets.tenant_id", "datasets.id"], name="resource_of_dataset"
        ),
        Index("ix_resources_tenant_id_dataset_id", "tenant_id", "dataset_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ID)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(40))
    url: Mapped[str] = mapped_column(Text)
    version: Mapped[int]
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]


class VersionRow(TenantTable, Base):
    """A file as it was published: its bytes, the table made of it (None: not a table), what was found in it.

    `source_id` is the file as the clerk sent it; it is public only where it was published as it is (`file_id` is the same).
    """

    __tablename__ = "versions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "resource_id"], ["resources.tenant_id", "resources.id"], name="version_of_resource"
        ),
    )

    resource_id: Mapped[str] = mapped_column(ID, primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(ID)
    file_id: Mapped[str] = mapped_column(ID)
    table_id: Mapped[str | None] = mapped_column(ID)
    filename: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int] = mapped_column(BigInteger)
    columns: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    report: Mapped[dict[str, Any]] = mapped_column(Json)
    repaired: Mapped[bool]
    published_at: Mapped[datetime]
    published_by: Mapped[str] = mapped_column(String(100))


class DraftRow(TenantTable, Base):
    """A file that a clerk has sent. `state`: reading → read | unreadable; read → published, then it is soon forgotten.

    `dataset_id`, `resource_id`: what it is a new version of. `report`: what was understood (use_cases/examine.py).
    """

    __tablename__ = "drafts"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    dataset_id: Mapped[str | None] = mapped_column(ID)
    resource_id: Mapped[str | None] = mapped_column(ID)
    file_id: Mapped[str] = mapped_column(ID)
    filename: Mapped[str] = mapped_column(String(255))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10))
    report: Mapped[dict[str, Any]] = mapped_column(Json)
    repaired_table: Mapped[str | None] = mapped_column(ID)
    repaired_file: Mapped[str | None] = mapped_column(ID)
    original_table: Mapped[str | None] = mapped_column(ID)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(100))


class GroupRow(TenantTable, Base):
    """A division of a municipality (`kind` organization) or a collection of data sets it put together (group).

    `state`: active or deleted. `about`: description, image_url, type, extras.
    """

    __tablename__ = "groups"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(NAME)
    title: Mapped[str] = mapped_column(String(200))
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]


class ProgramUserRow(TenantTable, Base):
    """Somebody programs name as a member or a follower. Nobody signs in with it: people do that at the gateway."""

    __tablename__ = "program_users"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    email: Mapped[str] = mapped_column(String(254))
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]


class MemberRow(TenantTable, Base):
    """Who or what belongs to a division or a collection (`group_id`). `kind`: user, package or group."""

    __tablename__ = "members"

    group_id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    object_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    capacity: Mapped[str] = mapped_column(String(20))


# ---- what everybody may read ----------------------------------------------------------------------------------------


class CatalogueRow(SharedTable, Base):
    """One row: how many changes the public catalogue has had. Its lock puts publications in one order."""

    __tablename__ = "catalogue"
    __shared_because__ = "a counter of publications, public itself"

    id: Mapped[int] = mapped_column(primary_key=True)
    change: Mapped[int] = mapped_column(BigInteger)


class PublishedRow(SharedTable, Base):
    """A published data set as everybody reads it; also the trace of one that was withdrawn (`state`).

    `document` is complete: resources, columns, files. `change` is the number of its last change in the catalogue.
    `state`: published, withdrawn, closed while the municipality's room is suspended, or deleted with it (then nothing
    else is left but the id, so that every process's copy of the catalogue learns of it). Only use_cases/project.py
    writes it, and only for the tenant of its session.
    """

    __tablename__ = "published"
    __shared_because__ = "published open data is for everybody; nothing gets here but by a municipality's publishing"
    __table_args__ = (UniqueConstraint("name"), Index("ix_published_change", "change"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    name: Mapped[str] = mapped_column(NAME)
    state: Mapped[str] = mapped_column(String(10))
    change: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[dict[str, Any]] = mapped_column(Json)
    modified_at: Mapped[datetime]


class PublishedResourceRow(SharedTable, Base):
    """Which published data set a file belongs to: programs name the file alone."""

    __tablename__ = "published_resources"
    __shared_because__ = "ids of published files, for everybody who asks for one"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ID, index=True)


class UseRow(SharedTable, Base):
    """How often a data set (`resource_id` "") or one of its files was viewed, downloaded or asked by programs on a day."""

    __tablename__ = "uses"
    __shared_because__ = "numbers of use are public, and count visitors of no municipality"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ID, primary_key=True, index=True)
    resource_id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class PublishedGroupRow(SharedTable, Base):
    """A division (`kind` organization) or collection (group) as everybody sees it."""

    __tablename__ = "published_groups"
    __shared_because__ = (
        "names of divisions and collections stand on public pages; use_cases/directory.py copies one's own there"
    )
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(NAME)
    title: Mapped[str] = mapped_column(String(200))
    about: Mapped[dict[str, Any]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]


class FollowRow(SharedTable, Base):
    """`follower` (a person's, program's or program user's id) wants to hear of `object_id`; `tenant`: whose it is."""

    __tablename__ = "follows"
    __shared_because__ = "asked by the follower's own id, or as a number"

    follower: Mapped[str] = mapped_column(String(100), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    object_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(6), index=True)
    created_at: Mapped[datetime]
