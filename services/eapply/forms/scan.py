"""Looking for malware in uploads: ClamAV's daemon where an address is set.

Its protocol (man clamd, INSTREAM): `zINSTREAM\\0`, then pieces of four bytes length and content, a piece of length 0 at the
end; the answer is `stream: OK` or `stream: <name> FOUND`.
"""

import socket
from collections.abc import Iterable
from typing import BinaryIO, Protocol

PIECE = 64 * 1024
SECONDS = 60
"""How long one answer may take."""


class NotReached(Exception):
    """The scanner does not answer: the file is neither clean nor infected."""


class Scanner(Protocol):
    def found(self, pieces: Iterable[bytes]) -> str:
        """The name of the malware, "" for none. Raises NotReached."""
        ...


class ClamAV:
    """`address`: host:port, or the path of clamd's socket."""

    def __init__(self, address: str) -> None:
        self._address = address

    def found(self, pieces: Iterable[bytes]) -> str:
        try:
            with self._connected() as line:
                line.sendall(b"zINSTREAM\0")
                for piece in pieces:
                    line.sendall(len(piece).to_bytes(4, "big") + piece)
                line.sendall(bytes(4))
                answer = _all(line)
        except OSError as error:
            raise NotReached(str(error)) from error
        text = answer.strip(b"\0\n ").decode("utf-8", "replace").removeprefix("stream: ")
        if text == "OK":
            return ""
        if text.endswith(" FOUND"):
            return text.removesuffix(" FOUND")
        raise NotReached(text)

    def _connected(self) -> socket.socket:
        if "/" in self._address:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.settimeout(SECONDS)
            line.connect(self._address)
            return line
        host, _, port = self._address.rpartition(":")
        return socket.create_connection((host, int(port)), SECONDS)


def _all(line: socket.socket) -> bytes:
    answer = b""
    while piece := line.recv(4096):
        answer += piece
        if answer.endswith(b"\0"):
            break
    return answer


def pieces(stream: BinaryIO) -> Iterable[bytes]:
    while piece := stream.read(PIECE):
        yield piece
