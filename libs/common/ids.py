"""Identifiers: UUIDv7 (RFC 9562), text, ordered by time of making."""

import uuid_utils


def new_id() -> str:
    """A new UUIDv7 as 36 characters."""
    return str(uuid_utils.uuid7())
