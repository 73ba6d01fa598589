"""What the kernel alone takes to send parts of files over loopback: a thread for each connection, `sendfile`, and nothing else. No keys, no
database, no log. The limit beside which `backup_alone` puts its figures.

    python -m tests.bench.bare_sendfile PORT FOLDER
"""

import os
import select
import socket
import sys
import threading
from pathlib import Path


def serve(port: int, folder: Path) -> None:
    files = {path.name: os.open(path, os.O_RDONLY) for path in folder.iterdir()}
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            line, _ = server.accept()
            threading.Thread(target=answer, args=(line, files), daemon=True).start()


def answer(line: socket.socket, files: dict[str, int]) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setblocking(False)
    waiting, taking = select.poll(), select.poll()
    waiting.register(line, select.POLLIN)
    taking.register(line, select.POLLOUT)
    while True:
        waiting.poll()
        head = line.recv(65536)
        if not head:
            return
        name = head.split(b" ", 2)[1].rsplit(b"/", 1)[1].decode()
        first, last = head.partition(b"bytes=")[2].partition(b"\r")[0].split(b"-")
        at, end = int(first), int(last) + 1
        line.send(b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n" % (end - at), socket.MSG_MORE)
        while at < end:
            try:
                at += os.sendfile(line.fileno(), files[name], at, end - at)
            except BlockingIOError:
                taking.poll()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
