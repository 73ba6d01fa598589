"""What differs between a laptop and a town hall."""

from pathlib import Path

from pydantic import Field

from libs.common import files
from libs.common import settings as common
from libs.common.service import Service
from libs.common.web import Brand, Pages
from services.opendata.catalogue import Catalogue
from services.opendata.datastore import Tables
from services.opendata.kept import Kept

HERE = Path(__file__).parent
MIB = 1024**2
KEPT = 64 * MIB
"""Bytes of parts of pages and answers that a process keeps: some 10,000 data sets' JSON, or the pages asked for most."""


class Settings(common.Settings):
    cloud_name: str = Field(default="", description="name of the cloud, in the strip above every page")
    prefecture: int = Field(
        default=40, ge=1, le=47, description="JIS X 0401 number of the prefecture whose cloud this is"
    )
    files_url: str | None = Field(
        default=None, description="s3://bucket/prefix for stored files; unset: a folder in DATA_DIR"
    )
    opendata_file_limit: int = Field(default=500 * MIB, description="bytes of one data file that a municipality sends")
    opendata_drop_folder: Path | None = Field(
        default=None,
        description="folder with one folder per municipality's code, where its systems put files to be published; unset: none",
    )
    opendata_query_seconds: float = Field(default=5.0, description="seconds after which a question to a table is ended")


def furnish(service: Service) -> None:
    """`extras`: `files` (Store), `tables` (datastore.Tables), `catalogue` (what everybody may read), `kept` (kept.py), `pages`."""
    settings = settings_of(service)
    folder = settings.data_dir / "files" / service.name
    store = files.s3(settings.files_url) if settings.files_url else files.local(folder)
    service.extras["files"] = store
    cache = settings.data_dir / "opendata" / "tables"
    service.extras["tables"] = Tables(store, cache, seconds=settings.opendata_query_seconds)
    service.extras["catalogue"] = Catalogue(service.database)
    service.extras["kept"] = Kept(KEPT)
    service.extras["answers"] = Kept(KEPT, measure=lambda answer: len(answer.body) + 2_000)
    brand = Brand.named(settings.cloud_name)
    service.extras["pages"] = Pages(HERE / "templates", brand=brand, sample=settings.sample)


def settings_of(service: Service) -> Settings:
    settings = service.settings
    assert isinstance(settings, Settings)
    return settings


def files_of(service: Service) -> files.Store:
    return service.extras["files"]


def tables_of(service: Service) -> Tables:
    return service.extras["tables"]


def catalogue_of(service: Service) -> Catalogue:
    return service.extras["catalogue"]
