"""`cloud`: the whole cloud, running, with the sample prefecture, for tests that cross services.

Once on SQLite with the embedded bus and once on PostgreSQL with RabbitMQ. It runs as processes of this machine, started by the
same code as `make run`. With CLOUD_IN=containers (`make containers`) it runs once, as the images do in production
(infra/docker/compose.yaml); that needs a Docker engine and takes minutes for the first build.

Each is stopped after its last story (infra/local/grouping.py) and is shared, also by the journeys in a browser: a story takes a
municipality and persons that no other story uses. (大木町 and its administrator belong to tests/browser/test_the_whole_story.py.)
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pytest_docker.plugin import get_docker_services

from infra.local import cloud as clouds
from infra.local import nodes, processes

ROOT = Path(__file__).parents[1]
IN_CONTAINERS = os.environ.get("CLOUD_IN") == "containers"
READY_WITHIN = float(os.environ.get("READY_WITHIN", "300"))
"""Seconds for which a cloud in containers may prepare and start; more where others use the machine, too."""
SAMPLE_TOWN = "402036"
CLOUDS = ["containers"] if IN_CONTAINERS else ["sqlite+embedded", "postgresql+rabbitmq"]


@dataclass(frozen=True)
class Cloud:
    """`local` holds the processes, to be killed in fault tests; it is None when the cloud runs in containers. `compose` is
    then a function that runs a command of compose on it and returns what it printed (`cloud.compose("ps")`)."""

    url: str
    store: str
    bus: str
    sign_ins: str
    local: clouds.Running | None = None
    compose: Callable[[str], str] | None = None


def compose_command() -> str | None:
    """The command `compose`, version 2, where a Docker engine answers; or None."""
    known = shutil.which("docker") and _succeeds("docker compose version") and _succeeds("docker info")
    return "docker compose" if known else None


def _succeeds(command: str) -> bool:
    return subprocess.run(command.split(), check=False, capture_output=True).returncode == 0


@contextmanager
def as_containers() -> Iterator[Cloud]:
    """Images of this checkout, built anew, as a project of its own: other clouds in containers are not touched."""
    command = compose_command()
    if command is None:
        pytest.fail("CLOUD_IN=containers needs a Docker engine with compose 2 (docs/operators.md says how to get both)")
    port = processes.free_port()
    os.environ["KYODO_PORT"] = str(port)
    file, project = ROOT / "infra" / "docker" / "compose.yaml", f"kyodo-test-{port}"
    with get_docker_services(command, str(file), project, [], ["down --volumes --timeout 5"]) as services:

        def compose(arguments: str) -> str:
            return services._docker_compose.execute(arguments).decode()

        url = f"http://127.0.0.1:{port}"
        compose("build --quiet")
        try:
            compose("up --detach --quiet-pull")
            services.wait_until_responsive(
                lambda: clouds.is_ready(f"{url}/health/ready"), timeout=READY_WITHIN, pause=0.5
            )
        except Exception as never:
            raise RuntimeError(f"{never}\n{compose('ps --all')}\n{compose('logs --tail 20')}") from never
        wait_for_rooms(url)
        sign_ins = compose("exec -T gateway-api cat /data/sample-sign-ins.txt")
        yield Cloud(url, "postgresql", "rabbitmq", sign_ins, compose=compose)


@contextmanager
def as_processes(store: str, bus: str) -> Iterator[Cloud]:
    folder = Path(tempfile.mkdtemp(prefix="kyodo-cloud-"))
    folder.chmod(0o755)  # as root, PostgreSQL runs as another user and must be able to walk in
    broken: list[str] = []
    try:
        with clouds.running(folder, database=store == "postgresql", broker=bus == "rabbitmq") as running:
            wait_for_rooms(running.url)
            yield Cloud(running.url, store, bus, running.sign_ins, running)
            broken = faults_in(running.plan.logs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert not broken, "the stories are told, but the logs hold errors:\n" + "\n\n".join(broken)


def wait_for_rooms(url: str) -> None:
    """The services of the sample's town are prepared by the workers, after all is up: until then its pages say that it uses none."""
    for service in ("eapply", "ebid", "opendata", "backup"):
        page = f"{url}/t/{SAMPLE_TOWN}/{service}/"
        assert processes.wait_until(lambda page=page: is_in_use(page), seconds=READY_WITHIN, pause=0.3), page


def is_in_use(page: str) -> bool:
    return httpx.get(page, headers={"accept": "text/html"}, trust_env=False, timeout=60).status_code < 400


def faults_in(logs: Path) -> list[str]:
    """Errors of our own programs and jobs that failed: a page that answered 500 unseen, a letter that was never made."""
    found = []
    for line in (line for file in sorted(logs.glob("*.log")) for line in file.read_text(errors="replace").splitlines()):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if said["level"] in ("error", "critical") or said["event"] == "job_failed":
            found.append(f"{said['process']}: {said['event']} {said.get('exception', '')[-1500:]}")
    return found


@pytest.fixture(scope="session", params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    if request.param == "containers":
        with as_containers() as made:
            yield made
        return
    store, bus = request.param.split("+")
    if store == "postgresql" and not (nodes.has_postgresql() and nodes.has_rabbitmq()):
        pytest.skip("no PostgreSQL or no RabbitMQ server is installed here")
    with as_processes(store, bus) as made:
        yield made
