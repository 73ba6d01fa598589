"""What differs between places of running, and what a process of this service holds beside its database."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import select

from libs.common import files, room, telemetry
from libs.common import settings as common
from libs.common.files.bucket import Bucket
from libs.common.room.table import OPEN
from libs.common.service import Service
from libs.common.vaults import KeyFile
from services.backup import vault
from services.backup.db import SiteRow
from services.backup.db import objects as objects_db
from services.backup.db import repositories as repositories_db
from services.backup.sites import BucketSite, FolderSite, Site
from services.backup.sites.lock import ObjectLock
from services.backup.tokens import GatewayTokens, Tokens

GIB = 1024**3
SiteName = Literal["first", "second"]


class Settings(common.Settings):
    """Two sites, each a folder (`…_DIR`) or a bucket (`…_URL`): on different disks, better in different buildings."""

    backup_first_dir: Path | None = Field(
        default=None, description="folder of the first site; default: DATA_DIR/backup/first"
    )
    backup_second_dir: Path | None = Field(
        default=None, description="folder of the second site; default: DATA_DIR/backup/second"
    )
    backup_first_url: str | None = Field(
        default=None, description="s3://bucket/prefix of the first site, instead of a folder"
    )
    backup_second_url: str | None = Field(
        default=None, description="s3://bucket/prefix of the second site, instead of a folder"
    )
    backup_first_options: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON: endpoint, region, keys of the first site's bucket, as obstore names them",
    )
    backup_second_options: dict[str, Any] = Field(
        default_factory=dict,
        description="JSON: endpoint, region, keys of the second site's bucket, as obstore names them",
    )
    backup_spool_dir: Path | None = Field(
        default=None, description="where uploads to a bucket wait on this machine; default: DATA_DIR/backup/spool"
    )
    files_url: str | None = Field(
        default=None, description="s3://bucket/prefix for exports of rooms; unset: a folder in DATA_DIR"
    )
    backup_sandbox_dir: Path | None = Field(
        default=None, description="where drills restore to; default: DATA_DIR/backup/drills"
    )
    backup_tenant_quota: int = Field(
        default=2048 * GIB, description="bytes a municipality may keep, when its room is made"
    )
    cloud_name: str = Field(default="共同クラウド", description="name of the cloud, in the strip above every page")
    backup_repository_quota: int = Field(default=512 * GIB, description="bytes proposed for a new repository")
    backup_scrub_rate: int = Field(default=50_000_000, description="bytes per second that are read again to be checked")
    backup_line_rate: int = Field(
        default=0,
        description="bytes per second of the line to the outside, shared evenly by municipalities; 0: no limit",
    )
    backup_own: str | None = Field(
        default=None,
        pattern=r"^[0-9]{6}/[a-z0-9-]{1,62}$",
        description="CODE/REPOSITORY of the cloud's own backup: that none arrives there is told of",
    )
    backup_own_env: Path | None = Field(
        default=None,
        description="file with RESTIC_REPOSITORY and the like: every night the cloud keeps itself there; with BACKUP_OWN it is made",
    )
    backup_restic: str = Field(default="restic", description="the restic program of the drills")

    def site(self, name: SiteName) -> Site:
        """The site as it is configured, not knowing its mark yet."""
        url = self.backup_first_url if name == "first" else self.backup_second_url
        if url:
            options = self.backup_first_options if name == "first" else self.backup_second_options
            spool = self.backup_spool_dir or self._folder("spool")
            return BucketSite(name, Bucket.at(url, **options), spool, lock=ObjectLock(url, options))
        folder = self.backup_first_dir if name == "first" else self.backup_second_dir
        return FolderSite(name, folder or self._folder(name))

    def sandbox_dir(self) -> Path:
        return self.backup_sandbox_dir or self._folder("drills")

    def _folder(self, name: str) -> Path:
        return self.data_dir / "backup" / name


@dataclass(frozen=True)
class Held:
    """`service.extras["backup"]`: the sites, the maker of tokens, the key that seals deposited passwords."""

    first: Site
    second: Site
    tokens: Tokens
    vault_key: KeyFile

    @property
    def sites(self) -> tuple[Site, Site]:
        return self.first, self.second

    def other(self, site: Site) -> Site:
        return self.second if site is self.first else self.first


def held(service: Service) -> Held:
    return service.extras["backup"]


def settings_of(service: Service) -> Settings:
    settings = service.settings
    assert isinstance(settings, Settings)
    return settings


def furnish(service: Service) -> None:
    """Open the sites; make them on the very first start. A site that is lost later stays lost until `renew-site`."""
    from services.backup.pages import make_pages

    settings = settings_of(service)
    base = settings.upstreams.get("gateway", "http://127.0.0.1:8079")
    vault_key = vault.at(settings.keys_dir)
    vault_key.make()
    service.extras["backup"] = Held(
        first=_site(service, "first"),
        second=_site(service, "second"),
        tokens=GatewayTokens(base, service.signer),
        vault_key=vault_key,
    )
    folder = settings.data_dir / "files" / service.name
    service.extras["files"] = files.s3(settings.files_url) if settings.files_url else files.local(folder)
    service.extras["pages"] = make_pages(service)
    if settings.backup_own:
        from services.backup.use_cases import own

        telemetry.metrics.watch_age(service.name, "own-backup", lambda: own.age(service))


def _site(service: Service, name: SiteName) -> Site:
    site = settings_of(service).site(name)
    with service.database.reading() as session:
        mark = session.scalar(select(SiteRow.mark).where(SiteRow.name == name))
    if mark is None:
        renew_site(service, site)
    else:
        site.mark = mark
    return site


def renew_site(service: Service, site: Site) -> None:
    """Take the place `site` as that site from now on; what is missing there is copied again from the other one."""
    name, mark = site.name, site.prepare()
    with service.database.transaction() as session:
        row = session.get(SiteRow, name, with_for_update=True)
        if row is None:
            session.add(SiteRow(name=name, mark=mark, made_at=service.clock.now()))
        else:
            row.mark, row.made_at = mark, service.clock.now()
        tenants = room.rooms(session, OPEN, "suspended") if row is not None else []
    for tenant in tenants:
        with service.database.transaction(tenant=tenant) as session:
            repositories_db.forget_locks(session)
            objects_db.forget_site(session, name)
