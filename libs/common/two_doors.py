"""Where staff have an address of their own (STAFF_URL), a link to a page of theirs leads there: at the other address it does not exist.

A service builds every link from PUBLIC_URL; what is mailed passes here once, so that nobody who writes a notice has to think of it.
"""

import re

from libs.common.settings import Settings

STAFF_PATH = r"/(?:(?:portal|council|operator|door)(?![\w-])|t/[0-9]{6}(?:/[a-z-]+)?(?:/fragments)?/desk(?![\w-]))"
"""Paths of staff's pages, as the door tells them apart (gateway/routes.py · is_for_staff; tests/house holds both together)."""


def with_staff_links(text: str, settings: Settings) -> str:
    """`text` with the addresses of staff's pages at STAFF_URL; unchanged where staff have no address of their own."""
    if not settings.staff_url:
        return text
    public, staff = settings.public_url.rstrip("/"), settings.staff_url.rstrip("/")
    return re.sub(re.escape(public) + f"(?={STAFF_PATH})", lambda _: staff, text)
