"""A real nginx in front of a gateway, for tests: ours alone, on a free port, with nothing of the system's configuration."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.tests.conftest import stop, wait_for_port

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextlib.contextmanager
def nginx(folder: Path, port: int, inside_http: str) -> Iterator[int]:
    """nginx with `inside_http` in its `http` block, which listens on `port`. The pid of its master."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed (Debian package nginx-light)")
    folder.mkdir(exist_ok=True)
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in _TEMPORARY)
    user = "user root; " if os.geteuid() == 0 else ""  # who runs the tests owns the files it must read
    file = folder / "nginx.conf"
    file.write_text(
        f"{user}daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log info;\n"
        f"events {{ worker_connections 256; }}\nhttp {{ access_log off;\n{temporary}{inside_http}\n}}\n"
    )
    process = subprocess.Popen(["nginx", "-e", f"{folder}/error.log", "-p", str(folder), "-c", str(file)])
    try:
        wait_for_port(port)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield process.pid
    finally:
        stop(process)
