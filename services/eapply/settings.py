"""What differs between a laptop and a town hall."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from libs.common import files
from libs.common import settings as common
from libs.common.service import Service
from libs.common.web import Brand, Pages
from services.eapply.forms.scan import ClamAV

HERE = Path(__file__).parent


class Settings(common.Settings):
    cloud_name: str = Field(default="", description="name of the cloud, in the strip above every page")
    files_url: str | None = Field(
        default=None, description="s3://bucket/prefix for stored files; unset: a folder in DATA_DIR"
    )
    clamav_address: str | None = Field(
        default=None,
        description="host:port or socket of ClamAV's clamd, which looks at every upload; unset: uploads are not scanned",
    )
    notice_certificate: Path | None = Field(
        default=None,
        description="PKCS#12 file with the office's certificate that signs notices; unset: a test CA, and every notice says so",
    )
    notice_certificate_password: SecretStr = Field(default=SecretStr(""), description="password of that file")
    notice_timestamps_url: str | None = Field(
        default=None, description="time-stamping authority (RFC 3161) for signatures on notices; unset: no time stamp"
    )
    payment_provider: Literal["simulator", "none"] | None = Field(
        default=None,
        description="simulator, or none: fees are paid at the window only; unset: simulator in the sample, else none",
    )
    payment_secret: SecretStr = Field(
        default=SecretStr(""),
        description="shared with the payment provider: its callbacks are signed with it (HMAC-SHA-256)",
    )


def furnish(service: Service) -> None:
    """`extras`: `files` (libs.common.files.Store), `pages` (libs.common.web.Pages), `scanner` (forms.scan.Scanner or None)."""
    settings = service.settings
    address = getattr(settings, "clamav_address", None)
    service.extras["scanner"] = ClamAV(address) if address else None
    url = getattr(settings, "files_url", None)
    folder = settings.data_dir / "files" / service.name
    service.extras["files"] = files.s3(url) if url else files.local(folder)
    service.extras["certificates"] = lambda: _certificates(settings)
    brand = Brand.named(getattr(settings, "cloud_name", ""))
    service.extras["pages"] = Pages(HERE / "templates", brand=brand, sample=settings.sample)


def _certificates(settings: Settings) -> list[tuple[str, datetime]]:
    """The office's certificate, where there is one. It is read where it is asked for: it may have been replaced."""
    from services.eapply import signing  # only the process that is asked needs the cryptography

    path = getattr(settings, "notice_certificate", None)
    if path is None:
        return []
    return [("NOTICE_CERTIFICATE", signing.ends(path, settings.notice_certificate_password.get_secret_value()))]
