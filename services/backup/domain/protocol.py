"""Paths, names and ranges of restic's REST protocol, versions 1 and 2 (restic's own doc/REST_backend.rst)."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

TYPES = ("data", "index", "keys", "locks", "snapshots")
CONFIG = "config"
V1 = "application/vnd.x.restic.rest.v1"
V2 = "application/vnd.x.restic.rest.v2"
BYTES = "binary/octet-stream"

LARGEST = 512 * 1024 * 1024
"""Bytes of one object. restic's packs are 4 to 128 MiB; an index is far smaller."""

LEAST_RATE = 4096
"""Bytes per second of a body, on average: whoever is slower holds a place that others need."""
GRACE = 60.0
"""Seconds before the rate is looked at."""

_NAME = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path inside a repository means. `type` is one of TYPES or "config"; `name` only for `object`."""

    kind: Literal["repository", "config", "list", "object"]
    type: str = ""
    name: str = ""


def target_of(rest: str) -> Target | None:
    """The meaning of what follows `<repository>/`, already percent-decoded; None for everything that is no path of ours."""
    if rest == "":
        return Target("repository")
    if rest == CONFIG:
        return Target("config", CONFIG)
    type_, slash, name = rest.partition("/")
    if type_ not in TYPES or not slash:
        return None
    if name == "":
        return Target("list", type_)
    return Target("object", type_, name) if _NAME.fullmatch(name) else None


def is_repository_name(name: str) -> bool:
    """Lower-case letters, digits and hyphens. A type's name would make the path ambiguous."""
    return bool(_REPOSITORY.fullmatch(name)) and name not in (*TYPES, CONFIG)


def is_too_slow(received: int, seconds: float) -> bool:
    """Whether a body that brought so many bytes in so many seconds must be given up (408)."""
    return seconds > GRACE and received < LEAST_RATE * seconds


def listing(objects: Iterable[tuple[str, int]], *, v2: bool) -> bytes:
    """Names and sizes as JSON: objects in version 2, plain names in version 1. Nothing there is `[]`, never null."""
    rows = [{"name": name, "size": size} if v2 else name for name, size in objects]
    return json.dumps(rows, separators=(",", ":")).encode()
