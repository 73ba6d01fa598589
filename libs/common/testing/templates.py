"""What can be said about templates without a browser."""

import re
from pathlib import Path

JINJA = re.compile(r"{#.*?#}|{%.*?%}|{{.*?}}", re.DOTALL)
INLINE = re.compile(r"""\sstyle\s*=|\son[a-z]+\s*=|<style|<script(?![^>]*\ssrc=)|javascript:""", re.IGNORECASE)


def inline_code(template: str) -> list[str]:
    """Inline styles, scripts and handlers in a template's text: the content security policy would refuse them."""
    return [found.strip() for found in INLINE.findall(JINJA.sub("", template))]


def templates_with_inline_code(folder: Path) -> dict[str, list[str]]:
    """Template → what is inline in it, for every template below `folder` that has any."""
    found = {
        str(path.relative_to(folder)): inline_code(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")
    }
    return {name: places for name, places in sorted(found.items()) if places}
