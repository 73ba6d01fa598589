"""Files for tests, made on the spot."""

import io

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
