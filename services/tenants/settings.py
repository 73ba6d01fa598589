"""What differs between prefectures and places of running."""

from pydantic import Field

from libs.common import files
from libs.common import settings as common
from libs.common.service import Service


class Settings(common.Settings):
    prefecture: int = Field(
        default=40, ge=1, le=47, description="JIS X 0401 number of the prefecture whose cloud this is"
    )
    cloud_name: str = Field(default="", description="name of the cloud; empty: made from the prefecture's name")
    council_name: str = Field(default="", description="name of the council; empty: made from the prefecture's name")
    contact: str = Field(
        default="",
        max_length=500,
        description="where people reach who runs the cloud (telephone, mail), shown at /accessibility",
    )
    backup_yearly_cost: int | None = Field(
        default=None, ge=0, description="yen a year that both backup sites cost; unset: no cost per GB is shown"
    )
    fragment_seconds: float = Field(
        default=0.8, description="how long a page waits for a service's fragment, in seconds"
    )
    practice_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/]+(/[^\s]*)?)?$",
        description="address of a second installation where municipalities practise before they join; empty: they ask the operators",
    )
    files_url: str | None = Field(
        default=None, description="s3://bucket/prefix for stored files; unset: a folder in DATA_DIR"
    )
    kubectl: str = Field(
        default="",
        description="the command that reaches the cluster of 自治体クラウド (kubectl, with options); empty: nothing is applied, "
        "only recorded",
    )


def furnish(service: Service) -> None:
    """`extras`: `files`, the store of logos and of papers sent to the operators."""
    url = getattr(service.settings, "files_url", None)
    folder = service.settings.data_dir / "files" / service.name
    service.extras["files"] = files.s3(url) if url else files.local(folder)


def files_of(service: Service) -> files.Store:
    return service.extras["files"]
