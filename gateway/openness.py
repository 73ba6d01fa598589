"""What a service may open to other sites: an answer that any page may read, and a page that any site may show in a frame.

Two words, said by the service in full, are all that counts; whatever else it says of security is left out (hygiene.py):
`Access-Control-Allow-Origin: *`, which browsers never combine with a session, and `Content-Security-Policy: frame-ancestors *`,
which opens the frame and nothing else of our own policy. Another site's frame gets no cookie of ours (SameSite=Lax).
"""

from gateway.hygiene import Headers, header

ANYBODY_READS = (b"access-control-allow-origin", b"*")
ANYBODY_FRAMES = (b"content-security-policy", b"frame-ancestors *")
CLOSED, OPENED = b"frame-ancestors 'none'", b"frame-ancestors *"


def opened(security: Headers, said: Headers) -> Headers:
    """Our security headers for an answer whose service said `said`."""
    found = security
    if ANYBODY_FRAMES in said:
        found = [(name, _framed(name, value)) for name, value in security]
    if header(said, ANYBODY_READS[0]) == ANYBODY_READS[1]:
        found = [*found, ANYBODY_READS]
    return found


def _framed(name: bytes, value: bytes) -> bytes:
    if name == b"content-security-policy":
        return value.replace(CLOSED, OPENED)
    return b"cross-origin" if name == b"cross-origin-resource-policy" else value
