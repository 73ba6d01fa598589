"""A place where bytes are kept: a folder on one disk (`folder`) or an S3-compatible bucket (`bucket`).

    with site.begin() as upload:
        upload.write([b"…"])
        upload.seal(key)          # WrongContent unless the bytes are what the key's name promises; durable after it
        upload.keep()             # now they have their name

Files are named by the SHA-256 of their content and never change. A file appears with all its bytes, durable, or not at all.
"""

from services.backup.sites.bucket import BucketSite
from services.backup.sites.folder import FolderSite
from services.backup.sites.place import (
    BLOCK,
    Key,
    Reader,
    Site,
    SiteBroken,
    SiteDown,
    SiteFull,
    Upload,
    WrongContent,
    sha256_of,
)

__all__ = [
    "BLOCK",
    "BucketSite",
    "FolderSite",
    "Key",
    "Reader",
    "Site",
    "SiteBroken",
    "SiteDown",
    "SiteFull",
    "Upload",
    "WrongContent",
    "sha256_of",
]
