"""S3 Object Lock, where a bucket has it: nobody, with whatever key, removes a version before its time (mode COMPLIANCE).

A lock can be extended and never shortened. It is extended each time the object is checked, for as long as the object is
live: so what somebody deletes today was locked until the end of its time of keeping, however old it is. (A lock of a fixed
age from the upload protects nothing with deduplication: kopia #1067.)
"""

import os
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from libs.common import log
from services.backup.sites.place import BLOCK, SiteDown

_log = log.get(__name__)
_NAMES = {"access_key_id": "aws_access_key_id", "secret_access_key": "aws_secret_access_key", "region": "region_name",
          "session_token": "aws_session_token", "token": "aws_session_token"}  # fmt: skip

_NONE = "ObjectLockConfigurationNotFoundError"


class ObjectLock:
    """The locks of one bucket. `options` as obstore takes them; AWS_* variables stand in for what is missing."""

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        parts = urlsplit(url)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._options = options
        self._offered: bool | None = None

    @cached_property
    def _client(self) -> Any:
        import boto3  # thirty megabytes that only a bucket needs

        endpoint = self._options.get("endpoint") or os.environ.get("AWS_ENDPOINT") or None
        known = {ours: self._options[theirs] for theirs, ours in _NAMES.items() if theirs in self._options}
        return boto3.client("s3", endpoint_url=endpoint, **known)

    @property
    def offered(self) -> bool:
        """Whether the bucket was made with Object Lock. Asked once; again if nobody answered."""
        if self._offered is None:
            self._offered = self._asked()
        return bool(self._offered)

    def _asked(self) -> bool | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            told = self._client.get_object_lock_configuration(Bucket=self._bucket)
        except ClientError as error:
            return False if error.response.get("Error", {}).get("Code") == _NONE else None
        except BotoCoreError:
            return None
        return told.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def hold(self, path: str, until: datetime) -> None:
        """Nobody removes the present version before `until`. One that is locked for longer already stays so."""
        if not self.offered:
            return
        from botocore.exceptions import BotoCoreError, ClientError

        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        try:
            self._client.put_object_retention(Bucket=self._bucket, Key=self._key(path), Retention=retention)
        except (BotoCoreError, ClientError) as error:
            if "AccessDenied" not in str(error):
                _log.warning("not_locked", error=str(error))

    def versions(self, path: str) -> Iterator[Iterator[bytes]]:
        """The bytes of every version that is still there, youngest first, also of one that was deleted or written over. Raises SiteDown."""
        from botocore.exceptions import BotoCoreError, ClientError

        if not self.offered:
            return
        try:
            yield from self._versions(self._key(path))
        except (BotoCoreError, ClientError) as error:
            raise SiteDown(str(error)) from error

    def _versions(self, key: str) -> Iterator[Iterator[bytes]]:
        for version in self._client.list_object_versions(Bucket=self._bucket, Prefix=key).get("Versions", []):
            if version["Key"] == key:
                found = self._client.get_object(Bucket=self._bucket, Key=key, VersionId=version["VersionId"])
                yield found["Body"].iter_chunks(BLOCK)

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}" if self._prefix else path
