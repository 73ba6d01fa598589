"""QR codes (JIS X 0510) as pictures, for paper and for pages."""

from io import BytesIO

import segno


def picture(text: str, *, page: bool = False) -> bytes:
    """The QR code of `text` as SVG, error correction M, with its quiet zone of four modules. `page`: to stand in HTML, black on
    white whatever the reader's colours are."""
    image = BytesIO()
    more = {"xmldecl": False, "svgns": False, "light": "#fff", "scale": 5} if page else {}
    segno.make(text, error="m", micro=False).save(image, kind="svg", border=4, **more)
    return image.getvalue()
