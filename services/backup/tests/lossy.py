"""A TCP proxy that loses replies: the request arrives whole, its answer never comes back."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

_UPLOAD = re.compile(rb"^POST [^ ]*/data/", re.MULTILINE)


class Lossy:
    """Forwards to `port`; of the first `times` connections that upload a pack it cuts the answer off."""

    def __init__(self, port: int, times: int) -> None:
        self._port, self._left = port, times
        self.lost = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                uploads = threading.Event()
                for source, target, up in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=(source, target, up, uploads), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool, uploads: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                if up:
                    uploads.set() if _UPLOAD.search(chunk) else None
                elif uploads.is_set() and self._lose():
                    break
                target.sendall(chunk)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _lose(self) -> bool:
        with self._lock:
            if self._left == 0:
                return False
            self._left, self.lost = self._left - 1, self.lost + 1
            return True

    def close(self) -> None:
        self._listener.close()


@contextlib.contextmanager
def losing_replies(port: int, times: int) -> Iterator[Lossy]:
    proxy = Lossy(port, times)
    try:
        yield proxy
    finally:
        proxy.close()
