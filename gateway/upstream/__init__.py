"""The client side of the proxied path, behind four words: open, status, headers, chunks.

Our own, on httptools: the gateway's processor time per request is its figure, and half of it was a general client's. What it
must do is little: HTTP/1.1 to services that we know, connections kept, bodies streamed both ways. Each service has its own
pool, so that one slow service never takes the connections of another. Nothing here is read whole: bodies pass chunk by chunk,
and a slow reader on one side slows the writer on the other.
"""

from gateway.upstream.client import HttpUpstreams
from gateway.upstream.words import (
    WITHOUT_BODY,
    Answer,
    Patience,
    UpstreamBroken,
    UpstreamBusy,
    UpstreamLate,
    UpstreamRefused,
    Upstreams,
)

__all__ = [
    "WITHOUT_BODY",
    "Answer",
    "HttpUpstreams",
    "Patience",
    "UpstreamBroken",
    "UpstreamBusy",
    "UpstreamLate",
    "UpstreamRefused",
    "Upstreams",
]
