"""The HTML with which another site shows a table, chart or map of ours in a frame (`embed.py` answers the frame)."""

from urllib.parse import urlencode

HEIGHTS = {"table": 480, "chart": 420, "map": 560}
"""Pixels of the frame that the offered piece of HTML asks for."""


def piece(site: str, resource_id: str, view: str, title: str, query: list[tuple[str, str]]) -> str:
    """The HTML that a site puts into its page."""
    address = f"{site}/embed/{resource_id}/{view}" + (f"?{urlencode(query)}" if query else "")
    name = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    src = address.replace("&", "&amp;")
    return f'<iframe src="{src}" title="{name}" width="100%" height="{HEIGHTS[view]}" loading="lazy"></iframe>'
