"""The whole cloud comes up by the code behind `make run`, is reached through its door, and heals itself."""

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import yaml

from infra.local import manifests, processes


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""  # nobody listens


def test_people_reach_the_start_page_through_the_gateway(cloud: Any) -> None:
    status, page = get(f"{cloud.url}/")
    assert status == 200
    assert "福岡" in page
    assert get(f"{cloud.url}/health/ready")[0] == 200


def test_what_services_tell_each_other_is_not_reached_through_the_gateway(cloud: Any) -> None:
    assert get(f"{cloud.url}/internal/tenants/snapshot")[0] == 404


def test_the_sample_says_how_to_sign_in(cloud: Any) -> None:
    assert "@" in cloud.sign_ins


def test_no_other_port_is_open_than_the_listed_ones(cloud: Any) -> None:
    """As `ss -lntp` tells it of the machine: a door that somebody forgot is on no list, so it is looked for where it would be."""
    if cloud.local is None:
        pytest.skip("containers publish one port (`infra/docker/compose.yaml`)")
    plan, children = cloud.local.plan, cloud.local.supervisor.children
    assert children
    catcher = urlsplit(plan.smtp_url).port  # of the sample only: no production start has one
    doors = {"apps": {plan.apps_port}, "gateway": {plan.gateway_port, plan.internal_port, catcher}}
    for name, child in children.items():
        metrics = {int(port) for key, port in child.program.environment.items() if key.endswith("METRICS_PORT")}
        listed = {("127.0.0.1", port) for port in doors.get(name, set()) | metrics}
        assert listening(child.process.pid) == listed, name


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of everything that the process and those it started wait at, of either protocol."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    sockets = [each for process in family for each in process.net_connections("inet")]
    return {(each.laddr[0], each.laddr[1]) for each in sockets if not each.raddr and each.status != "TIME_WAIT"}


def test_a_forgotten_door_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        assert {tcp.getsockname(), udp.getsockname()} <= listening(os.getpid())


def test_a_killed_process_is_back_and_people_are_served_again(cloud: Any) -> None:
    if cloud.local is None:
        pytest.skip("the next story does this to containers")
    supervisor = cloud.local.supervisor
    for name, child in supervisor.children.items():
        before = child.process.pid
        os.kill(before, signal.SIGKILL)

        def back(name: str = name, before: int = before) -> bool:
            supervisor.look()
            return supervisor.children[name].process.pid != before

        assert processes.wait_until(back, seconds=60), name
    assert processes.wait_until(lambda: get(f"{cloud.url}/health/ready")[0] == 200, seconds=60)
    assert processes.wait_until(lambda: get(f"{cloud.url}/")[0] == 200, seconds=60)


def test_a_killed_container_is_started_again_by_its_engine(cloud: Any) -> None:
    """As when the system takes a process for its memory: the kill comes from outside the container."""
    if cloud.compose is None:
        pytest.skip("the cloud does not run in containers (`make containers`)")
    image = engine("inspect", "--format", "{{.Image}}", container(cloud, "gateway-api"))
    served = [name for name in cloud.compose("ps --services").split() if name.endswith(("-api", "-listen", "-work"))]
    assert len(served) >= 10
    for name in served:
        before = process_of(cloud, name)
        killer = ["run", "--rm", "--user", "0", "--pid", "host", "--entrypoint", "sh", image]
        engine(*killer, "-c", f"kill -9 {before}")
        assert processes.wait_until(lambda n=name, b=before: process_of(cloud, n) not in ("0", b), seconds=60), name
    assert processes.wait_until(lambda: get(f"{cloud.url}/health/ready")[0] == 200, seconds=60)
    assert processes.wait_until(lambda: get(f"{cloud.url}/")[0] == 200, seconds=60)


def test_the_questions_that_a_cluster_asks_are_answered_by_the_containers(cloud: Any) -> None:
    """Each probe of infra/k8s, asked inside the container that plays that role."""
    if cloud.compose is None:
        pytest.skip("the cloud does not run in containers (`make containers`)")
    asked = 0
    for service in manifests.deployed():
        for role in service.roles:
            document = yaml.safe_load((manifests.K8S / "base" / service.name / f"{role}.yaml").read_text())
            for command in questions(document["spec"]["template"]["spec"]["containers"][0]):
                ask = ["docker", "exec", container(cloud, f"{service.name}-{role}"), *command]
                # A container that was just started again may take as long as its start-up probe gives it.
                answered = lambda ask=ask: subprocess.run(ask, check=False, capture_output=True).returncode == 0  # noqa: E731
                assert processes.wait_until(answered, seconds=60, pause=1), (service.name, role, command)
                asked += 1
    assert asked >= 4 * 3 + 3 * 2 * 2


def questions(container: dict[str, Any]) -> list[list[str]]:
    """The commands of a container's probes; a request over HTTP as a command that fails as it would."""
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    probes = [probe for name, probe in container.items() if name.endswith("Probe")]
    found = [probe["exec"]["command"] for probe in probes if "exec" in probe]
    for get in (probe["httpGet"] for probe in probes if "httpGet" in probe):
        url = f"http://127.0.0.1:{ports[get['port']]}{get['path']}"
        found.append(["python", "-c", f"import urllib.request as r; r.urlopen({url!r}, timeout=3)"])
    return found


def container(cloud: Any, service: str) -> str:
    return cloud.compose(f"ps --all --quiet {service}").strip()


def process_of(cloud: Any, service: str) -> str:
    """The process that a container is to the machine; 0 when it is down."""
    return engine("inspect", "--format", "{{.State.Pid}}", container(cloud, service))


def engine(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()
