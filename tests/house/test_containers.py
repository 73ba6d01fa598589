"""The way into containers does not rot where no engine is: compose.yaml, the Dockerfile, locks and code name the same things.

`make containers` runs the cloud in them.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from gateway.settings import Settings as GatewaySettings
from infra.local import cloud, lock, manifests
from libs.common.roles import Deployable
from services.__main__ import DEPLOYABLES

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "infra" / "docker"
ROLES = ("api", "listen", "work")
STARTERS = {"APPS_HOST", "APPS_PORT", "WORK_METRICS_PORT"}
"""Read by libs/common/roles.py, not by a settings class."""

Document = dict[str, Any]


@pytest.fixture
def compose() -> Document:
    return yaml.safe_load(manifests.compose())


@pytest.mark.parametrize("path", sorted(manifests.files()), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_deployed_is_written_from_the_list_of_services(path: Path) -> None:
    assert path.read_text("utf-8") == manifests.files()[path], "run `make manifests`"


def test_a_new_service_comes_in_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud, "SERVICES", ("tenants", "library"))
    services = yaml.safe_load(manifests.compose())["services"]
    assert {f"library-{role}" for role in ROLES} <= set(services)
    assert services["library-work"]["build"]["args"]["SERVICE"] == "library"
    assert "eapply-api" not in services


def test_every_role_of_every_service_has_a_container_of_its_own(compose: Document) -> None:
    expected = {("gateway-api", "gateway", "api")}
    expected |= {(f"{d.name}-{role}", d.name, role) for d in DEPLOYABLES for role in ROLES}
    served = {n: s for n, s in compose["services"].items() if s["image"].startswith("kyodo-") and "restart" in s}
    assert {(name, s["build"]["args"]["SERVICE"], *s["command"]) for name, s in served.items()} == expected
    assert {name: s["image"].split(":")[0] for name, s in served.items()} == {n: f"kyodo-{s}" for n, s, _ in expected}


def loose_ends(compose: Document) -> Iterator[str]:
    """What points at nothing in the file, and settings that no process reads. Empty is what we want."""
    services = compose["services"]
    hosts = set(services) | {
        a for s in services.values() for a in s.get("networks", {}).get("default", {}).get("aliases", [])
    }
    known = {name.upper() for d in DEPLOYABLES for name in settings_of(d).model_fields} | STARTERS
    known |= {name.upper() for name in GatewaySettings.model_fields}
    for name, service in services.items():
        yield from (f"{name} waits for {other}" for other in service.get("depends_on", {}) if other not in services)
        mounts = [volume.split(":")[0] for volume in service.get("volumes", [])]
        yield from (f"{name} mounts {volume}" for volume in mounts if volume not in compose["volumes"])
        if not service["image"].startswith("kyodo-"):
            continue
        environment = service["environment"]
        yield from (f"{name} is told {setting}" for setting in environment if setting not in known)
        addresses = [*json.loads(environment["UPSTREAMS"]).values(), environment["AMQP_URL"], environment["SMTP_URL"]]
        called = {urlsplit(address).hostname for address in addresses} - {"127.0.0.1"}
        yield from (f"{name} calls {host}" for host in called if host not in hosts)


def settings_of(deployable: Deployable) -> type:
    return type(deployable.settings())


def test_containers_find_each_other_and_read_what_they_are_told(compose: Document) -> None:
    assert list(loose_ends(compose)) == []


def test_a_container_that_calls_nobody_is_found(compose: Document) -> None:
    compose["services"]["tenants-work"]["environment"]["SMTP_URL"] = "smtp://post:25"
    compose["services"]["tenants-api"]["environment"]["APP_PORT"] = "1"
    compose["services"]["sample"]["depends_on"]["migrations"] = {}
    found = set(loose_ends(compose))
    assert found >= {"tenants-work calls post", "tenants-api is told APP_PORT", "sample waits for migrations"}


def test_every_service_can_be_reached_by_the_others(compose: Document) -> None:
    upstreams = json.loads(compose["services"]["gateway-api"]["environment"]["UPSTREAMS"])
    assert set(upstreams) == {"gateway", *cloud.SERVICES}
    assert json.loads(compose["services"]["gateway-api"]["environment"]["BODY_LIMITS"]) == cloud.BODY_LIMITS


def test_containers_of_the_sample_are_as_locked_up_as_in_production(compose: Document) -> None:
    for name, service in compose["services"].items():
        if service["image"].startswith("kyodo-"):
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert service["user"] == "10001:10001", name


def test_an_image_is_built_for_every_service_and_the_gateway() -> None:
    listed = subprocess.run(["sh", DOCKER / "build", "list"], check=True, capture_output=True, text=True).stdout
    assert set(listed.split()) == {"gateway", *(deployable.name for deployable in DEPLOYABLES)}


def test_every_image_has_its_lock_and_no_other_lock_lies_about() -> None:
    wanted = {Path(name).name for name in lock.locks() if name.startswith("infra/docker/")}
    assert {path.name for path in DOCKER.glob("*.lock")} == wanted, "run `make lock`"
    assert {f"{name}.lock" for name in ("common", "gateway", *cloud.SERVICES)} == wanted


@pytest.mark.parametrize("name", cloud.ISSUERS)
def test_what_images_share_is_part_of_each_with_the_same_versions(name: str) -> None:
    common, own = (pinned(DOCKER / f"{lock_name}.lock") for lock_name in ("common", name))
    assert len(common) > 50
    assert common - own == set()


def pinned(path: Path) -> set[str]:
    return {line.split(" ;")[0].rstrip(" \\") for line in path.read_text().splitlines() if line[:1].isalnum()}


def test_what_the_dockerfile_takes_is_there_and_is_sent_to_the_engine() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    lines = [line.split() for line in (DOCKER / "Dockerfile").read_text().splitlines()]
    taken = [w for words in lines if words[:1] == ["COPY"] and "--from" not in words[1] for w in words[1:-1]]
    assert "libs" in taken
    for path in taken:
        assert (ROOT / path).exists(), path
        assert any(path == kept[1:] or path.startswith(kept[1:] + "/") for kept in ignored if kept[:1] == "!"), path


def test_images_hold_memory_as_the_cloud_that_is_measured_here(tmp_path: Path) -> None:
    """Free memory stays in few places, however many threads there are: what docs/load.md measures is what runs."""
    [said] = [line for line in (DOCKER / "Dockerfile").read_text().splitlines() if line.startswith("ENV RELEASE")]
    told = dict(word.split("=", 1) for word in said.split()[1:])
    here = cloud.Plan(tmp_path, 1, 2, 3).environment({})
    assert 1 <= int(here["MALLOC_ARENA_MAX"]) <= 2 and told.get("MALLOC_ARENA_MAX") == here["MALLOC_ARENA_MAX"]


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker program (no engine)")
def test_compose_itself_understands_the_file() -> None:
    known = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True)
    if known.returncode:
        pytest.skip("docker has no compose here")
    command = ["docker", "compose", "-f", str(DOCKER / "compose.yaml"), "config", "--services"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "gateway-api" in done.stdout.split()


def an_engine_has(image: str) -> bool:
    if shutil.which("docker") is None:
        return False
    found = subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True)
    return found.returncode == 0


BASE = os.environ.get("BASE", "python:3.11-slim")


def built(checkout: Path) -> str:
    """The id of the gateway's image, made there with nothing kept from earlier: the digest of its settings and of each layer."""
    told = {"SERVICES": "gateway", "TAG": "twice", "FRESH": "1", "SOURCE_DATE_EPOCH": "1795737600", "BASE": BASE}
    subprocess.run(
        ["sh", checkout / "infra" / "docker" / "build"], env=os.environ | told, check=True, capture_output=True
    )
    asked = ["docker", "image", "inspect", "--format", "{{.Id}} {{.RootFS.Layers}}", "kyodo-gateway:twice"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(not an_engine_has(BASE), reason=f"needs a Docker engine that has {BASE}")
def test_an_image_built_again_in_another_checkout_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"]
    for each in (*sent, ".dockerignore"):
        copied = shutil.copytree if (ROOT / each).is_dir() else shutil.copyfile
        copied(ROOT / each, tmp_path / each)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(path.stat().st_mode | 0o020)
    assert built(tmp_path) == built(ROOT)
