"""Whoever follows the pages for operators line by line finds each command, pod, page and secret that they name.

The commands that make secrets are run as they stand, by a `kubectl` that asks no cluster, and what they make is compared with what the
pods of `production` ask for. So is the SQL, on a real PostgreSQL server.
"""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from infra.local import cloud, manifests
from libs.common import access
from libs.common.settings import Settings
from tests.house.test_manifests import K8S, needs_kubectl, overlay, pods, resources
from tests.house.test_staff_routes_stand_apart import app_of

ROOT = Path(__file__).parents[2]
PAGES = (
    "docs/operators.md",
    "docs/runbooks.md",
    "infra/k8s/README.md",
    "docs/staff-door.md",
    "docs/sign-in-providers.md",
)
ROLES = {"api", "listen", "work", "migrate"}
BY_OPTION = re.compile(r"-l app\.kubernetes\.io/(name|component)=(\S+?)[ `]")


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def named(text: str) -> Iterator[tuple[str, str]]:
    """(module, word after it) of each `python -m …`, and of each `/app/run …` by the Deployment in which it is run."""
    for module, word in re.findall(r"python -m ([a-z][\w.]*)(?: ([a-z][\w-]*))?", text):
        yield module, word
    for deployment, word in re.findall(r"deployment/(\S+) -- /app/run ([a-z][\w-]*)", text):
        service = deployment.rsplit("-", 1)[0].replace("$s", "ebid").replace("$p", "ebid")
        yield ("gateway" if service == "gateway" else f"services.{service}"), word


def words_of(module: str) -> set[str]:
    """Every text constant of the program `python -m module` runs, and of the roles that each service has."""
    found = importlib.util.find_spec(module)
    assert found, module
    origin = Path(found.origin or "")
    files = [origin.with_name("__main__.py") if origin.name == "__init__.py" else origin]
    files += [ROOT / "libs" / "common" / "roles.py"] if module.startswith("services") else []
    trees = [ast.parse(file.read_text("utf-8")) for file in files]
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}  # type: ignore[misc]


def unknown_commands(text: str) -> list[str]:
    found = []
    for module, word in sorted(set(named(text.replace("<service>", "ebid").replace("<サービス>", "ebid")))):
        if importlib.util.find_spec(module) is None:
            found.append(f"there is no {module}")
        elif word and word not in words_of(module):
            found.append(f"{module} knows no {word}")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_that_the_program_has(page: str) -> None:
    assert unknown_commands(text_of(page)) == []


def test_a_command_that_is_not_there_is_found() -> None:
    planted = "`python -m services.ebid take-in` `kubectl exec deployment/ebid-work -- /app/run undo 3` `python -m services.tax api`"
    assert len(unknown_commands(planted)) == 3


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_is_there(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    asked = set(re.findall(r"(?:`|&& |^)(?:[A-Z_]+=\S+ )*make ([a-z][a-z-]*)", text_of(page), re.MULTILINE))
    assert asked - targets == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_deployment_job_and_label_is_there(page: str) -> None:
    text = text_of(page)
    known = set(pods(list(resources(K8S / "base"))))
    asked = {name for name in re.findall(r"deployment/([a-z$<][\w<>$-]*)", text) if not set("$<") & set(name)}
    assert {f"{service}-{role}" for service in cloud.ISSUERS for role in ROLES} > asked
    assert asked - known == set()
    labels = {"name": {*cloud.ISSUERS, "rabbitmq", "own-backup"}, "component": ROLES}
    assert [
        found for found in BY_OPTION.findall(text) if "<" not in found[1] and found[1] not in labels[found[0]]
    ] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_place_in_it(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text_of(page)):
        path, _, place = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        assert not place or f'<a id="{place}">' in file.read_text("utf-8"), target


def test_every_page_of_the_operator_is_there(tmp_path: Path) -> None:
    there = {route.path for route in access.routes_of(app_of("tenants", tmp_path))}
    asked = {path for page in PAGES for path in re.findall(r"`(/(?:operator|status)[a-z/-]*)`", text_of(page))}
    assert {"/operator/running", "/operator/dead-letters"} <= asked
    assert {path for path in asked if path.rstrip("/") not in {known.rstrip("/") for known in there}} == set()


@needs_kubectl
@pytest.mark.parametrize("name", ["production", "single-box"])
def test_the_pods_asked_to_look_around_have_all_that_they_look_at(name: str) -> None:
    """`doctor` calls it BAD where there is no mail server, no sender: so it is asked where those are, and the overlay names them."""
    objects = overlay(name)
    [told] = [d["data"] for d in objects if d["metadata"]["name"].startswith("kyodo-config-")]
    assert not told["MAIL_FROM"].endswith(".invalid")
    assert told["PUBLIC_URL"].startswith("https://")
    [line] = [
        line for line in text_of("docs/operators.md").splitlines() if "/app/run doctor" in line and "for p in" in line
    ]
    asked = re.findall(r"for p in ([^;]+);", line)[0].split()
    assert {each.rsplit("-", 1)[0] for each in asked} == set(cloud.ISSUERS)
    for pod in asked:
        [container] = pods(objects)[pod]["containers"]
        assert "SMTP_URL" in {each["name"] for each in container["env"]}, pod


def shell(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), re.DOTALL)


def made_by(folder: Path, commands: list[str]) -> list[dict[str, Any]]:
    """The objects that the commands would make. `kubectl` is the real one, told to ask no cluster."""
    real = subprocess.run(["sh", "-c", "command -v kubectl"], check=True, capture_output=True, text=True).stdout.strip()
    (folder / "bin").mkdir()
    made = folder / "made"
    asked = f'[ "$1" = create ] || exit 0\n"{real}" "$@" --dry-run=client -o json >> "{made}" && echo >> "{made}"'
    (folder / "bin" / "kubectl").write_text(f"#!/bin/sh\n{asked}\n")
    (folder / "bin" / "python").write_text(
        f'#!/bin/sh\ncd "{ROOT}" && KEYS_DIR="{folder}/keys" exec "{sys.executable}" "$@"\n'
    )
    for program in (folder / "bin").iterdir():
        program.chmod(0o755)
    certificate = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=x",
        "-keyout",
        "tls.key",
        "-out",
        "tls.crt",
    ]
    subprocess.run(certificate, cwd=folder, check=True, capture_output=True)
    for name in ("infra", "services"):
        (folder / name).symlink_to(ROOT / name)
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(
        ["sh", "-eu", "-c", "\n".join(commands)], cwd=folder, env=environment, check=True, capture_output=True
    )
    decoder, found, rest = json.JSONDecoder(), [], made.read_text()
    while rest := rest.lstrip():
        one, end = decoder.raw_decode(rest)
        found.append(one)
        rest = rest[end:]
    return found


def asked_for(objects: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(object, key) that a pod does not start without; the key is empty where the whole object is mounted."""
    found = set()
    for pod in pods(objects).values():
        for each in pod["containers"][0].get("env", []):
            if "valueFrom" in each:
                found.add((each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"]))
        for volume in pod["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                found.add(((source.get("secret") or source["configMap"])["name"], ""))
    tls = [d["spec"]["tls"] for d in objects if d["kind"] == "Ingress"]
    return found | {(each["secretName"], "tls.crt") for listed in tls for each in listed}


@needs_kubectl
def test_the_commands_make_every_secret_that_an_overlay_asks_for(tmp_path: Path) -> None:
    objects = overlay("production")
    made = made_by(tmp_path, [block for block in shell("infra/k8s/README.md", "sh") if "kubectl create" in block])
    assert {each["metadata"]["namespace"] for each in made} == {"kyodo"}
    there = {(each["metadata"]["name"], key) for each in made for key in each.get("data", {})}
    there |= {(name, "") for name, _ in there}
    for name in ("production", "single-box"):
        assert asked_for(overlay(name)) - there == set()
    kept = {name: {key for each, key in there if each == name and key} for name, _ in there}
    assert kept["public-keys"] == {f"{issuer}.pub" for issuer in cloud.ISSUERS}
    assert kept["eapply-key"] == {"eapply.key", "eapply-vault.secret"}
    assert kept["backup-key"] == {"backup.key", "backup-vault.secret"}
    assert kept["ebid-key"] == {"ebid.key", "ebid-log.secret"}
    assert ("tenants-files-account", "AWS_ACCESS_KEY_ID") in there
    optional = {
        source["secretRef"]["name"]
        for pod in pods(objects).values()
        for source in pod["containers"][0]["envFrom"]
        if "secretRef" in source
    }
    assert {f"{service}-files-account" for service in cloud.SERVICES} <= optional, (
        "the store's account reaches the pods"
    )


def test_the_databases_that_an_administrator_makes_by_hand_do(tmp_path: Path) -> None:
    server = make_url(os.environ["TEST_DATABASE_URL"]).set(drivername="postgresql")
    name, reader = f"kyodo_{os.getpid()}_byhand", f"kyodo_{os.getpid()}_reader"
    statements = (
        "".join(shell("infra/k8s/README.md", "sql")).replace("kyodo_eapply", name).replace("kyodo_reader", reader)
    )
    roles = [f"{name}_owner", f"{name}_app"]
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as administrator:
        try:
            for statement in statements.strip().split(";\n"):
                administrator.execute(statement.rstrip(";"))  # type: ignore[arg-type]
            by_hand = server.set(database=name, password="password")
            owner, app = (by_hand.set(username=role).render_as_string(hide_password=False) for role in roles)
            own = {"EBID_DATABASE_URL": app, "EBID_OWNER_DATABASE_URL": owner}
            environment = {**os.environ, **own, "DATA_DIR": str(tmp_path), "KEYS_DIR": str(tmp_path), "BUS": "embedded"}
            environment.pop("DATABASE_URL", None)
            command = [sys.executable, "-m", "services.ebid", "migrate"]
            done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]
            with psycopg.connect(app) as connection:
                assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("CREATE TABLE planted (id int)")
            as_reader = by_hand.set(username=reader).render_as_string(hide_password=False)
            with psycopg.connect(as_reader) as connection:
                assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("DELETE FROM outbox")
        finally:
            administrator.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            for role in [*roles, reader]:
                administrator.execute(f'DROP ROLE IF EXISTS "{role}"')


OF_THE_CLUSTER = {
    "Ingress": "Ingress の制御役",
    "NetworkPolicy": "NetworkPolicy を守らせる網",
    "HorizontalPodAutoscaler": "metrics-server",
    "PersistentVolumeClaim": "StorageClass",
}
"""Kinds that any API server takes, although nothing comes of them where the cluster lacks who acts on them."""
OF_THE_NODE = 500
"""Millicores that a small distribution's own pods ask for (DNS, metrics-server, Ingress), with some room."""
OF_ITSELF = {
    "Namespace", "ServiceAccount", "ConfigMap", "Service", "Deployment", "StatefulSet", "Job", "CronJob",
    "PodDisruptionBudget",
}  # fmt: skip


@needs_kubectl
@pytest.mark.parametrize("name", ["production", "single-box"])
def test_what_a_bare_cluster_must_bring_is_listed(name: str) -> None:
    kinds = {each["kind"] for each in overlay(name)}
    assert kinds - OF_ITSELF <= set(OF_THE_CLUSTER), "a new kind: who in a cluster acts on it?"
    [listed] = re.findall(
        r"クラスターに入っていなければならないもの.*?\n\n(\|.*?)\n\n", text_of("docs/operators.md"), re.DOTALL
    )
    assert [word for kind, word in OF_THE_CLUSTER.items() if kind in kinds and word not in listed] == []


@needs_kubectl
def test_the_small_node_holds_every_pod_and_its_successor_while_a_version_is_put_in() -> None:
    """New pods wait for `migrate` and hold their place meanwhile: where no place is left for it, both wait for ever."""
    [cores] = re.findall(r"single-box.*?(\d+) コア", text_of("docs/operators.md"))
    objects = overlay("single-box")
    running = {d["metadata"]["name"] for d in objects if d["kind"] == "Deployment"}
    asked = {
        name: sum(int(each["resources"]["requests"]["cpu"].removesuffix("m")) for each in pod["containers"])
        for name, pod in pods(objects).items()
    }
    everything = sum(each * (2 if name in running else 1) for name, each in asked.items())
    assert everything + OF_THE_NODE <= int(cores) * 1000


@needs_kubectl
@pytest.mark.parametrize("name", ["production", "single-box"])
def test_who_asks_is_known_behind_the_ingress(name: str) -> None:
    """Without TRUSTED_PROXIES everybody has the address of the Ingress controller: one limit for all, and records of no use."""
    [told] = [d["data"] for d in overlay(name) if d["metadata"]["name"].startswith("kyodo-config-")]
    assert json.loads(told["TRUSTED_PROXIES"])


def test_every_overlay_is_one_that_is_checked() -> None:
    there = {path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml")}
    assert there == set(manifests.OVERLAYS)
    assert Settings().mail_from.endswith(".invalid"), "what nobody set is seen"
