"""Files for tests, made on the spot."""

import io
import zlib

from PIL import Image
from PIL.ExifTags import GPS, Base


def photograph(width: int = 64, height: int = 48, format_: str = "JPEG") -> bytes:
    """A picture that carries a position and a camera's name in its EXIF part."""
    picture = Image.new("RGB", (width, height), "#0066be")
    exif = Image.Exif()
    exif[Base.Make] = "CANARY-CAMERA"
    exif[Base.Orientation] = 6
    exif.get_ifd(0x8825)[GPS.GPSLatitude] = (33.0, 19.0, 9.0)
    out = io.BytesIO()
    picture.save(out, format_, exif=exif)
    return out.getvalue()


PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def pdf_that_does(action: bytes, *, packed: bool = False) -> bytes:
    """A PDF with an action to run when it is opened; `packed`: the action stands in an object stream (ISO 32000-1, 7.5.7)."""
    inner = b"<</Type/Action" + action + b">>"
    if packed:
        text = b"2 0 " + inner
        body = zlib.compress(text)
        head = b"<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>" % len(body)
        held = b"3 0 obj" + head + b"stream\r\n" + body + b"\nendstream endobj\n"
    else:
        held = b"2 0 obj" + inner + b"endobj\n"
    catalog = b"%PDF-1.5\n1 0 obj<</Type/Catalog/OpenAction 2 0 R>>endobj\n"
    return catalog + held + b"trailer<</Root 1 0 R>>\n%%EOF\n"
