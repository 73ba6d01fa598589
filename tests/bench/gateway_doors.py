"""The doors that `tests/bench/gateway_tables.py` measures beside each other, before the same service, and small clients for them."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from gateway.tests import conftest as gateway_test
from tests.bench import gateway as bench

CODE, OTHER = gateway_test.CODE, gateway_test.OTHER
MB = 1_000_000


@dataclass(frozen=True)
class Door:
    """One proxy: `pid` is whose memory and processor time count, `cookie` lets a person in where that is asked."""

    name: str
    port: int
    pid: int
    cookie: str = "none=1"


def ours(
    stack: ExitStack, folder: Path, *, backup: int | None = None, **environment: str
) -> tuple[gateway_test.Running, Door]:
    """Our gateway, its service (the fake of the tests; `backup` on another port if given), and a person who has signed in."""
    folder.mkdir()
    made = gateway_test.make_running(folder, [], **environment)
    if backup is not None:
        upstreams = json.loads(made.environment["UPSTREAMS"]) | {"backup": f"http://127.0.0.1:{backup}"}
        made.environment["UPSTREAMS"] = json.dumps(upstreams)
    made.publish()
    stack.callback(made.stop)
    made.command("migrate")
    made.start_upstream()
    made.start_gateway()
    made.person("bench@example.jp")
    client = made.signed_in("bench@example.jp")
    time.sleep(2)  # the snapshot is there, the sign-in's password hashing is over
    cookie = "; ".join(f"{c.name}={c.value}" for c in client.cookies.jar)
    assert made.gateway is not None
    return made, Door("この入口", made.port, made.gateway.pid, cookie)


def peers(stack: ExitStack, folder: Path, upstream: int) -> list[Door]:
    """nginx `proxy_pass` where it is installed, and the proxy that one writes first, before the service on that port."""
    found = []
    if shutil.which("nginx"):
        folder.mkdir(exist_ok=True)
        head = (
            f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 10000000; }}\n"
            "client_max_body_size 0; proxy_request_buffering off; proxy_buffering off;"
        )
        location = "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; }"
        port = bench.nginx(stack, folder, "proxy", location, head)
        found.append(Door("nginx proxy_pass", port, int((folder / "proxy.pid").read_text())))
    port, pid, cookie = bench.obvious_proxy(stack, upstream)
    return [*found, Door("FastAPI + httpx", port, pid, cookie)]


def file_server(stack: ExitStack, folder: Path, size: int) -> int:
    """An nginx that answers with a file of `size` bytes and takes files by PUT: a service that is never what one waits for."""
    folder.mkdir(mode=0o777)
    place = folder / "t" / CODE / "backup"
    place.mkdir(parents=True)
    with (place / "down").open("wb") as file:
        file.truncate(size)
    for each in (folder, folder / "t", folder / "t" / CODE, place):
        each.chmod(0o777)
    location = f"location / {{ root {folder}; dav_methods PUT; client_max_body_size 0; }}"
    return bench.nginx(stack, folder, "files", location)


def paced(stack: ExitStack, folder: Path, rate: int) -> Door:
    """A bare nginx that answers so many requests a second, each in its turn: the same load, aimed at something else."""
    (folder / "small.json").write_text("x" * 316)
    folder.chmod(0o755)
    location = f"location / {{ limit_req zone=all burst=64; root {folder}; try_files /small.json =404; }}"
    port = bench.nginx(stack, folder, "paced", location, f"limit_req_zone $server_name zone=all:1m rate={rate}r/s;")
    return Door("nginx", port, 0)


# ---- clients ---------------------------------------------------------------------------------------------------------


def head(door: Door, method: str, path: str, length: int | None = None) -> bytes:
    """A browser's request line and headers, those that the doors look at."""
    said = f"Content-Length: {length}\r\n" if length is not None else ""
    origin = f"http://127.0.0.1:{door.port}"
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{door.port}\r\nOrigin: {origin}\r\nSec-Fetch-Site: same-origin\r\n"
        f"Cookie: {door.cookie}\r\n{said}\r\n"
    ).encode()


def connect(door: Door, seconds: float = 60.0) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", door.port), seconds)
    made.settimeout(seconds)
    return made


def status_and_rest(client: socket.socket) -> tuple[int, int, bytes]:
    """Status, length of the body (-1: not said), and what of it has come."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(65536)
        if not piece:
            raise ConnectionError("no answer")
        received += piece
    top, _, rest = received.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in top.lower().split(b"\r\n") if line.startswith(b"content-length")]
    return int(top.split(b" ")[1]), lengths[0] if lengths else -1, rest


def download(door: Door, path: str, size: int) -> float:
    """Seconds for `size` bytes."""
    with connect(door) as client:
        begun = time.perf_counter()
        client.sendall(head(door, "GET", path))
        status, _, rest = status_and_rest(client)
        left, buffer = size - len(rest), bytearray(1 << 20)
        while left > 0 and (got := client.recv_into(buffer)):
            left -= got
        seconds = time.perf_counter() - begun
    if status != 200 or left > 0:
        raise RuntimeError(f"{door.name}: {status}, {left} bytes are missing")
    return seconds


def upload(door: Door, path: str, size: int) -> float:
    """Seconds until the answer to a body of `size` bytes."""
    block = memoryview(bytes(1 << 20))
    with connect(door) as client:
        begun = time.perf_counter()
        client.sendall(head(door, "PUT", path, size))
        left = size
        while left > 0:
            left -= client.send(block[:left])
        status = status_and_rest(client)[0]
        seconds = time.perf_counter() - begun
    if status not in (200, 201, 204):
        raise RuntimeError(f"{door.name}: {status}")
    return seconds


def latencies(door: Door, path: str, seconds: float, each: float = 0.02) -> list[float]:
    """Milliseconds of small requests sent one after another over one connection, one every `each` seconds; sorted."""
    took = []
    with connect(door) as client:
        end = time.perf_counter() + seconds
        following = time.perf_counter()
        while following < end:
            time.sleep(max(0.0, following - time.perf_counter()))
            begun = time.perf_counter()
            client.sendall(head(door, "GET", path))
            status, length, rest = status_and_rest(client)
            while len(rest) < length:
                rest += client.recv(65536)
            took.append((time.perf_counter() - begun) * 1000)
            if status != 200:
                raise RuntimeError(f"{door.name}: {status} for the one who asks seldom")
            following = max(following + each, time.perf_counter())
    return sorted(took)


def p99(values: list[float]) -> float:
    return values[min(len(values) - 1, int(len(values) * 0.99))]


def resident(pid: int) -> float:
    """MB of a process and its present children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in [str(pid), *children])
    return pages * 4096 / MB


@contextmanager
def meanwhile(*work: Callable[[Event], None]) -> Iterator[None]:
    """Each in a thread of its own until the block ends; what fails there because it is cut off is no failure."""
    stop = Event()

    def run(one: Callable[[Event], None]) -> None:
        with suppress(OSError, RuntimeError):
            one(stop)

    threads = [Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def storm(door: Door, path: str, seconds: int) -> tuple[subprocess.Popen[str], Callable[[], int]]:
    """wrk on one path; the second value waits for its end and says how many answers came, refusals too."""
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--timeout", "30s", "-H", f"Cookie: {door.cookie}"]
    process = subprocess.Popen([*command, f"http://127.0.0.1:{door.port}{path}"], stdout=subprocess.PIPE, text=True)

    def answered() -> int:
        out = process.communicate()[0]
        return int(out.split(" requests in")[0].rsplit(None, 1)[1])

    return process, answered


def unmet(rate: str = "100000000/minute") -> str:
    """LIMITS that nobody meets, but that are counted."""
    return json.dumps(dict.fromkeys(("tenant", "subject", "machine", "network"), rate))
