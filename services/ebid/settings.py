"""What differs between a laptop and a town hall, and what a process of this service holds beside its database."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from libs.common import files, keys, vaults
from libs.common import settings as common
from libs.common.service import Service
from libs.common.web import Brand, Pages
from services.ebid.domain.numbers import OCDS_PREFIX
from services.ebid.sealing.signing import Signers
from services.ebid.use_cases.office import Authority, Office

HERE = Path(__file__).parent
LOG_KEY = "ebid-log.secret"


class Settings(common.Settings):
    cloud_name: str = Field(default="", description="name of the cloud, in the strip above every page")
    files_url: str | None = Field(
        default=None, description="s3://bucket/prefix for stored files; unset: a folder in DATA_DIR"
    )
    ebid_ocds_prefix: str = Field(default=OCDS_PREFIX, description="prefix given by the Open Contracting Partnership")
    ebid_tsa_url: str | None = Field(
        default=None,
        description="RFC 3161 time stamping authority that stamps the log at each deadline; unset: no stamps",
    )
    ebid_tsa_roots: Path | None = Field(default=None, description="file of its root certificates (PEM)")
    ebid_log_seconds: float = Field(default=300.0, description="seconds between two checkpoints of the log")
    ebid_probe: bool = Field(
        default=True, description="whether the worker asks PUBLIC_URL every 20 seconds and writes outages into the log"
    )
    ebid_demand_acr: dict[Literal["bid", "entrust", "publish", "trustee"], Literal["two-factor", "certificate"]] = (
        Field(
            default_factory=dict,
            description="JSON: what somebody does (`bid`: 入札書 and 辞退届, `entrust`: 委任 of a branch, `publish`: approve and publish, "
            "`trustee`: register a key, give shares) → strength of sign-in it demands; unset: any",
        )
    )


def furnish(service: Service) -> None:
    """`extras`: `files` (libs.common.files.Store), `pages` (libs.common.web.Pages), `office` (Office)."""
    settings = service.settings
    url = getattr(settings, "files_url", None)
    folder = settings.data_dir / "files" / service.name
    service.extras["files"] = files.s3(url) if url else files.local(folder)
    brand = Brand.named(getattr(settings, "cloud_name", ""))
    service.extras["pages"] = Pages(HERE / "templates", brand=brand, sample=settings.sample)
    service.extras["office"] = office(settings)


def office(settings: common.Settings) -> Office:
    """The log is called after the cloud's public address, without scheme: `cloud.example.lg.jp/ebid/log`."""
    public = settings.public_url.rstrip("/")
    origin = f"{urlsplit(public).netloc}/ebid/log"
    path = settings.keys_dir / LOG_KEY
    keys.secret_once(path)
    signers = Signers(origin, path, vaults.before(path))
    return Office(public, getattr(settings, "ebid_ocds_prefix", OCDS_PREFIX), signers, authority(settings))


def authority(settings: common.Settings) -> Authority | None:
    """Raises ValueError for an authority without root certificates: any other could sign in its place."""
    url, roots = getattr(settings, "ebid_tsa_url", None), getattr(settings, "ebid_tsa_roots", None)
    if not url:
        return None
    certificates = re.findall(
        rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", roots.read_bytes() if roots else b"", re.DOTALL
    )
    if not certificates:
        raise ValueError("EBID_TSA_URL needs EBID_TSA_ROOTS: a file with the authority's root certificates")
    return Authority(url, tuple(certificates))


def office_of(service: Service) -> Office:
    return service.extras["office"]
