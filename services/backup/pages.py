"""The service's pages in the shared shell."""

from pathlib import Path

from libs.common.service import Service
from libs.common.web import Brand, Pages

TEMPLATES = Path(__file__).parent / "templates"


def make_pages(service: Service) -> Pages:
    brand = Brand.named(getattr(service.settings, "cloud_name", ""))
    return Pages(TEMPLATES, brand=brand, sample=service.settings.sample)
