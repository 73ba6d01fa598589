"""The shell and the look of every page: templates, components, languages, static files, charts.

`from libs.common.web import Brand, Link, Pages, Place, static_app`
"""

from libs.common.web.assets import static_app, static_url
from libs.common.web.pages import CONTENT_SECURITY_POLICY, OWN_PAGES, Brand, Link, Pages, Place, own_logo, own_pages

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "OWN_PAGES",
    "Brand",
    "Link",
    "Pages",
    "Place",
    "own_logo",
    "own_pages",
    "static_app",
    "static_url",
]
