"""Write what is deployed from templates and from the list of services, so that a new service comes in by itself.

python -m infra.local.manifests            writes compose.yaml, the Kubernetes base and what overlays list, then checks it

The checks: both overlays rendered by kubectl (or kustomize), each object against the strict schemas of the last three minors
of Kubernetes that kubernetes-validate carries, and checkov with the exceptions that infra/k8s/checkov.yaml explains.
"""

import functools
import importlib
import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.settings import Settings as GatewaySettings
from infra.local import cloud, crds, dashboards
from infra.local.needs import needs
from libs.common.settings import Settings

ROOT = Path(__file__).parents[2]
K8S = ROOT / "infra" / "k8s"
OVERLAYS = ("single-box", "production", "operators", "two-doors")
CHECKOV = "checkov==3.3.30"
"""In an environment of its own (uv keeps it): it insists on old versions of much that we use."""
MAIL = [25, 465, 587]
TRACES = 4318
"""A collector's usual port for OTLP over HTTP (`OTEL_EXPORTER_OTLP_ENDPOINT`)."""
BESIDE = {"eapply": [3310]}
"""What else the settings of a service may name: ClamAV's clamd."""
PLAIN = ("eapply", "ebid", "opendata")
"""They ask over plain HTTP: for time stamps (they are signed), and for what municipalities' own sites offer without encryption."""

_templates = Environment(  # noqa: S701 (YAML for operators, made of our own names)
    loader=FileSystemLoader(ROOT / "infra"), undefined=StrictUndefined, keep_trailing_newline=True
)
_templates.globals["needs"] = needs


@dataclass(frozen=True)
class Deployed:
    """One folder of the base. `files`: it reads FILES_URL; `sites`: it holds both sites of the backups."""

    name: str
    files: bool = False
    sites: bool = False

    @property
    def door(self) -> bool:
        return self.name == "gateway"

    @property
    def variable(self) -> str:
        return self.name.upper()

    @property
    def roles(self) -> list[str]:
        """Those that keep running; `migrate` comes and goes."""
        return ["api"] if self.door else ["api", "listen", "work"]

    @property
    def sources(self) -> list[str]:
        """Whose events it reads: it has a queue for each."""
        return importlib.import_module(f"services.{self.name}.worker").subscriptions.sources

    @property
    def scratch(self) -> int:
        """GiB of /tmp. An upload waits there until it is whole; a pod that writes more is ended, with every request it has. So: eight
        of the largest, and a hundred of 40 MB in the last minute before a deadline."""
        largest = cloud.BODY_LIMITS.get(self.name) or int(GatewaySettings.model_fields["body_limit"].default)
        return max(4, math.ceil(8 * largest / 2**30)) if self.files else 1

    @property
    def kept(self) -> int:
        """GiB of /data, where it is not a disk of its own: traces, and what is being sent to the object store."""
        return 8 if self.files else 1

    def scratch_of(self, role: str) -> int:
        """GiB of /tmp in a pod of that role."""
        return self.scratch if role in ("api", "work") else 1

    def storage_of(self, role: str) -> int:
        """GiB of the node's disk that a pod may fill, before it alone is ended and not its neighbours with it: both folders and its
        log. What it takes while nothing large is under way is far less: the request in the template."""
        return self.kept + self.scratch_of(role) + 1

    @property
    def ports(self) -> dict[str, int]:
        return {"people": 8080, "services": 8079, "staff": 8077} if self.door else {"http": 8081}


def deployed() -> list[Deployed]:
    return [Deployed("gateway"), *(_deployed(name) for name in cloud.SERVICES)]


@functools.cache
def _deployed(name: str) -> Deployed:
    """What the service's settings ask for; the base has a volume for each, so a new kind needs a word in the template."""
    settings: type[Settings] = importlib.import_module(f"services.{name}.settings").Settings
    return Deployed(name, files="files_url" in settings.model_fields, sites="backup_first_dir" in settings.model_fields)


def compose() -> str:
    """The sample cloud in containers, each role of each service its own."""
    upstreams = {name: f"http://{name}-api:8081" for name in cloud.SERVICES} | {"gateway": "http://gateway:8079"}
    return _render(
        "docker/compose.yaml.j2",
        services=cloud.SERVICES,
        names=", ".join(f'"{name}"' for name in cloud.SERVICES),
        upstreams=json.dumps(upstreams),
        **_gateway_tables(),
    )


def files() -> dict[Path, str]:
    """Every written file and what it shall hold. What is not here in infra/k8s is written by hand."""
    services = deployed()
    base = K8S / "base"
    found = {ROOT / "infra" / "docker" / "compose.yaml": compose()}
    found[base / "config.env"] = _config()
    found[base / "kustomization.yaml"] = _kustomization(
        ["namespace.yaml", "network.yaml", *(service.name for service in services)], config=True
    )
    for service in services:
        found |= {base / service.name / name: text for name, text in _folder(service).items()}
    production, single_box = K8S / "overlays" / "production", K8S / "overlays" / "single-box"
    found[production / "kustomization.yaml"] = _k8s("production", services=services)
    found[production / "availability.yaml"] = _k8s("availability", services=services)
    found[single_box / "kustomization.yaml"] = _k8s("single-box", services=services)
    found[single_box / "disks.yaml"] = _k8s("disks", services=services)
    found |= {ROOT / "infra" / "observe" / "dashboards" / name: text for name, text in dashboards.files().items()}
    found |= _components(services)
    ingress = _k8s("ingress", largest=max(cloud.BODY_LIMITS.values()))
    return found | {folder / "ingress.yaml": ingress for folder in (production, single_box)}


def _components(services: list[Deployed]) -> dict[Path, str]:
    """What of the optional components follows the list of services, the alerts or the dashboards."""
    folder, rules = K8S / "components", (ROOT / "infra" / "observe" / "rules.yaml").read_text("utf-8")
    each = {name: [f"http://{name}-each:8081"] for name in cloud.SERVICES}
    return {
        folder / "each-replica" / "kustomization.yaml": _k8s("each-replica-kustomization", replicas=json.dumps(each)),
        folder / "each-replica" / "services.yaml": _k8s("each-replica", services=services),
        folder / "own-backup" / "own-backup.yaml": _k8s("own-backup", services=services),
        folder / "computed-roles" / "kustomization.yaml": _k8s("computed-roles", services=services),
        folder / "keda" / "work.yaml": _k8s("keda", services=services),
        folder / "monitoring" / "alerts.yaml": _k8s("alerts", rules=rules[rules.index("groups:") :].rstrip()),
        folder / "monitoring" / "dashboards.yaml": _k8s("dashboards", dashboards=dashboards.files()),
    }


def _folder(service: Deployed) -> dict[str, str]:
    found = {f"{role}.yaml": _k8s("deployment", service=service, role=role) for role in service.roles}
    found["migrate.yaml"] = _k8s("migrate", service=service)
    found["service.yaml"] = _k8s("service", service=service)
    found["network.yaml"] = _k8s(
        "network", service=service, services=cloud.SERVICES, mail=MAIL, traces=TRACES, beside=BESIDE, plain=PLAIN
    )
    found["kustomization.yaml"] = _kustomization([*found, *(["sites.yaml"] if service.sites else [])])
    return found


def _config() -> str:
    upstreams = {name: f"http://{name}" for name in cloud.SERVICES} | {"gateway": "http://gateway:8079"}
    return _render("k8s/templates/config.env.j2", upstreams=json.dumps(upstreams), **_gateway_tables())


def _gateway_tables() -> dict[str, str]:
    """What the gateway is told of services that it does not know, as JSON."""
    scopes = json.dumps(cloud.MACHINE_SCOPES, ensure_ascii=False)
    return {"body_limits": json.dumps(cloud.BODY_LIMITS), "machine_scopes": scopes}


def _kustomization(resources: list[str], *, config: bool = False) -> str:
    return _k8s("service-kustomization", resources=resources, config=config)


def _k8s(template: str, **values: Any) -> str:
    return _render(f"k8s/templates/{template}.yaml.j2", **values)


def _render(template: str, **values: Any) -> str:
    return _templates.get_template(template).render(**values).rstrip() + "\n"


def write() -> list[Path]:
    """Bring every file up to date; those that changed."""
    wanted = files()
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], "utf-8")
    return changed


def renderer() -> list[str] | None:
    """The program that puts an overlay together, or None where there is none."""
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    return ["kustomize", "build"] if shutil.which("kustomize") else None


def rendered(command: list[str], folder: Path) -> str:
    """What would be applied, as YAML. Raises CalledProcessError; what is wrong stands in its `stderr`."""
    return subprocess.run([*command, str(folder)], check=True, capture_output=True, text=True).stdout


def minors() -> list[str]:
    """The last three minors of Kubernetes whose schemas are here: `["1.35", "1.36", "1.37"]`."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    versions = {tuple(map(int, path.name[1:].split("-")[0].split("."))) for path in folder.glob("v*-local-strict")}
    return [f"{major}.{minor}" for major, minor, *_ in sorted(versions)[-3:]]


def violations(text: str, minor: str) -> list[str]:
    """What the strict schema of that minor says against the objects in `text`, or that of the operator that brings their kind. A
    kind that nobody knows is a violation, too."""
    found = []
    for document in yaml.safe_load_all(text):
        of_operators = crds.violations(document)
        if of_operators is not None:
            found += [f"{document['kind']} {document['metadata']['name']}: {each}" for each in of_operators]
            continue
        try:
            kubernetes_validate.validate(document, minor, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            found.append(f"{minor} {document['kind']} {document['metadata']['name']}: {error}")
    return found


def judged_by_checkov(text: str, folder: Path) -> bool:
    """Whether checkov finds nothing but what is explained; it prints what it finds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rendered.yaml").write_text(text, "utf-8")
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", CHECKOV, "checkov", "--directory"]
    command += [str(folder), "--framework", "kubernetes", "--config-file", str(K8S / "checkov.yaml")]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def check() -> int:
    command = renderer()
    if command is None:
        print("  not checked: neither kubectl nor kustomize is installed here", file=sys.stderr)
        return 1
    good = True
    for name in OVERLAYS:
        text = rendered(command, K8S / "overlays" / name)
        found = [violation for minor in minors() for violation in violations(text, minor)]
        print(f"  {name}: {text.count(chr(10) + 'kind: ')} objects, Kubernetes {', '.join(minors())}", flush=True)
        print(*found, sep="\n", end="\n" if found else "")
        good = judged_by_checkov(text, ROOT / "var" / "manifests" / name) and not found and good
    return 0 if good else 1


def main() -> int:
    for path in write():
        print(f"  wrote {path.relative_to(ROOT)}", flush=True)
    return check()


if __name__ == "__main__":
    sys.exit(main())
