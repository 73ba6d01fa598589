"""What operators apply: the manifests are valid, harden every container, and name only settings and roles that exist.

`make manifests` judges them more strictly: three minors of Kubernetes, and checkov.
"""

import copy
import ipaddress
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from gateway.settings import Settings as GatewaySettings
from infra.local import cloud, manifests
from libs.common.settings import Settings
from services.__main__ import DEPLOYABLES

ROOT = Path(__file__).parents[2]
K8S = ROOT / "infra" / "k8s"
SERVICES = cloud.SERVICES
NEWEST = manifests.minors()[-1]
OWN_NAMES = {"APPS_HOST", "APPS_PORT", "WORK_METRICS_PORT", "DRAIN_SECONDS"}
"""Read by libs/common/roles.py and leaving.py, for the process and not for the service."""
DOORS = {
    "DATABASE_URL": {5432},
    "AMQP_URL": {5671, 5672},
    "SMTP_URL": {25, 465, 587},
    "FILES_URL": {443},
}
"""Which ports a pod must be let out to, by the end of the setting's name that says where."""
BY_PEOPLE = {
    "oidc_providers": {443},
    "otel_exporter_otlp_endpoint": {manifests.TRACES},
    "clamav_address": {3310},
    "notice_timestamps_url": {80, 443},
    "ebid_tsa_url": {80, 443},
    "fetch_allowed": {80, 443},
    "backup_second_url": {443},
}
"""The same for what people add in an overlay, by the setting."""

Document = dict[str, Any]


def resources(folder: Path) -> Iterator[Document]:
    """What a kustomization lists, without its patches."""
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in listed["resources"]:
        path = folder / name
        if path.is_dir():
            yield from resources(path)
        else:
            yield from yaml.safe_load_all(path.read_text())
    for made in listed.get("configMapGenerator", []):
        lines = [line for name in made["envs"] for line in (folder / name).read_text().splitlines()]
        data = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": made["name"]}, "data": data}


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return list(resources(K8S / "base"))


needs_kubectl = pytest.mark.skipif(
    manifests.renderer() is None, reason="neither kubectl nor kustomize is here; the files themselves are checked below"
)


def overlay(name: str) -> list[Document]:
    command = manifests.renderer()
    assert command
    return list(yaml.safe_load_all(manifests.rendered(command, K8S / "overlays" / name)))


@needs_kubectl
@pytest.mark.parametrize("name", manifests.OVERLAYS)
def test_kubectl_renders_every_overlay_to_valid_objects(name: str) -> None:
    objects = overlay(name)
    assert manifests.violations(yaml.safe_dump_all(objects), NEWEST) == []
    assert {d["metadata"]["namespace"] for d in objects if d["kind"] != "Namespace"} == {"kyodo"}
    tags = {c["image"] for pod in pods(objects).values() for c in pod["containers"]}
    assert {image for image in tags if ":" not in image} == set(), "an overlay says which version of each image"


@pytest.mark.parametrize("name", ["base", *(f"overlays/{name}" for name in manifests.OVERLAYS)])
def test_every_file_is_valid(name: str) -> None:
    listed = list(resources(K8S / name))
    assert len(listed) >= 13
    for document in listed:
        kubernetes_validate.validate(document, NEWEST, strict=True)


def test_misspelt_fields_and_unknown_kinds_are_found(documents: list[Document]) -> None:
    planted = copy.deepcopy(next(d for d in documents if d["kind"] == "Deployment"))
    planted["spec"]["replica"] = 3
    strange = {"apiVersion": "example.jp/v1", "kind": "Strange", "metadata": {"name": "thing"}}
    assert len(manifests.violations(yaml.safe_dump_all([planted, strange]), NEWEST)) == 2


@needs_kubectl
def test_the_single_box_brings_its_own_broker_and_database_and_needs_no_object_store() -> None:
    objects = overlay("single-box")
    assert {d["metadata"]["name"] for d in objects if d["kind"] == "StatefulSet"} == {"postgresql", "rabbitmq"}
    named = {name for pod in pods(objects).values() for c in pod["containers"] for name in secrets(c)}
    assert named == {"postgresql", "kyodo-broker", "kyodo-mail"}
    told = {n: secrets(pod["containers"][0]) for n, pod in pods(objects).items()}
    administrators = {name for name, found in told.items() if "postgresql" in found}
    assert administrators == {"postgresql", *(f"{name}-migrate" for name in cloud.ISSUERS)}
    claims = {d["metadata"]["name"] for d in objects if d["kind"] == "PersistentVolumeClaim"}
    for name, pod in pods(objects).items():
        held = {v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v}
        assert held <= claims, name
        service = name.split("-")[0]
        assert name.endswith("-migrate") or service not in SERVICES or f"{service}-data" in held


@needs_kubectl
def test_production_follows_the_load_and_survives_the_loss_of_a_node() -> None:
    objects = overlay("production")
    running = {d["metadata"]["name"]: d["spec"] for d in objects if d["kind"] == "Deployment"}
    followed = {d["spec"]["scaleTargetRef"]["name"]: d["spec"] for d in objects if d["kind"].endswith("Autoscaler")}
    assert set(followed) == {name for name in running if name.endswith("-api")}
    for name, spec in running.items():
        assert followed[name]["minReplicas"] >= 2 if name in followed else spec["replicas"] >= 2
        assert "replicas" not in spec or name not in followed, "applying again would undo what the autoscaler decided"
    kept = [d["spec"]["selector"]["matchLabels"] for d in objects if d["kind"] == "PodDisruptionBudget"]
    assert sorted(map(str, kept)) == sorted(str(spec["selector"]["matchLabels"]) for spec in running.values())
    (ingress,) = (d for d in objects if d["kind"] == "Ingress")
    address = next(d for d in objects if d["metadata"]["name"].startswith("kyodo-config-"))["data"]["PUBLIC_URL"]
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == [urlsplit(address).hostname]


def secrets(container: Document) -> set[str]:
    """The secrets that a container's environment names."""
    asked = [e["valueFrom"]["secretKeyRef"]["name"] for e in container.get("env", []) if "valueFrom" in e]
    return set(asked)


def pods(documents: list[Document]) -> dict[str, Document]:
    kinds = ("Deployment", "Job", "StatefulSet")
    return {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in documents if d["kind"] in kinds}


def weaknesses(pod: Document) -> list[str]:
    """What an intruder could use. Empty is what we want."""
    found = [] if pod.get("securityContext", {}).get("runAsNonRoot") else ["may run as root"]
    found += [] if pod.get("automountServiceAccountToken") is False else ["holds a token of the cluster"]
    for container in pod["containers"]:
        context = container.get("securityContext", {})
        found += [] if context.get("readOnlyRootFilesystem") else ["can write its own code"]
        found += [] if context.get("allowPrivilegeEscalation") is False else ["may gain privileges"]
        found += [] if context.get("capabilities", {}).get("drop") == ["ALL"] else ["keeps capabilities"]
        limits = container.get("resources", {}).get("limits", {})
        found += [] if limits.get("memory") else ["may eat all memory"]
        found += [] if quantity(limits.get("ephemeral-storage", "0")) > _folders(pod) else ["may fill the node's disk"]
        plain = [e["name"] for e in container.get("env", []) if e["name"].endswith("_URL") and "value" in e]
        found += [f"{name} stands in plain text" for name in plain]
    return found


def quantity(text: str) -> int:
    """Bytes of `512Mi`, `8Gi`."""
    units = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    return int(text[:-2]) * units[text[-2:]] if text[-2:] in units else int(text)


def _folders(pod: Document) -> int:
    """Bytes that its folders on the node's disk may hold; one without a limit holds more than any. The log comes on top."""
    empty = [volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume]
    return sum(quantity(each.get("sizeLimit", f"{2**30}Gi")) for each in empty if each.get("medium") != "Memory")


@pytest.mark.parametrize("folder", ["base", "overlays/single-box"])
def test_every_pod_is_hardened(folder: str) -> None:
    listed = pods(list(resources(K8S / folder)))
    assert {name: found for name, pod in listed.items() if (found := weaknesses(pod))} == {}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("securityContext", "runAsNonRoot"), False, "may run as root"),
        (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False, "can write its own code"),
        (("containers", 0, "resources", "limits"), {}, "may eat all memory"),
        (
            ("containers", 0, "resources", "limits"),
            {"memory": "1Gi", "ephemeral-storage": "2Gi"},
            "may fill the node's disk",
        ),
        (("containers", 0, "env"), [{"name": "AMQP_URL", "value": "amqp://a:b@c"}], "AMQP_URL stands in plain text"),
    ],
)
def test_a_weakened_pod_is_found(documents: list[Document], path: tuple[Any, ...], value: Any, expected: str) -> None:
    pod = copy.deepcopy(next(iter(pods(documents).values())))
    place: Any = pod
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert expected in weaknesses(pod)


def test_every_service_has_every_role_and_an_account_of_its_own(documents: list[Document]) -> None:
    expected = {"gateway-api", "gateway-migrate"}
    expected |= {f"{service}-{role}" for service in SERVICES for role in ("api", "listen", "work", "migrate")}
    assert set(pods(documents)) == expected
    accounts = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}
    for name, pod in pods(documents).items():
        service, role = name.split("-")
        assert pod["containers"][0]["args"] == [role]
        assert pod["containers"][0]["image"] == f"kyodo-{service}"
        assert pod["serviceAccountName"] == service
        assert service in accounts


def test_every_long_running_container_is_probed(documents: list[Document]) -> None:
    for name, pod in pods(documents).items():
        container = pod["containers"][0]
        wanted = {"startupProbe", "livenessProbe", "readinessProbe"}
        assert name.endswith("-migrate") or wanted <= set(container), name


def told(container: Document) -> dict[str, str | None]:
    """Settings by name; None where a secret holds the value."""
    return {e["name"]: e.get("value") for e in container.get("env", [])}


def test_probes_and_services_ask_where_the_process_listens(documents: list[Document]) -> None:
    for name, pod in pods(documents).items():
        container = pod["containers"][0]
        ports = {p["name"]: p["containerPort"] for p in container.get("ports", [])}
        settings = told(container)
        if name == "gateway-api":
            fields = GatewaySettings.model_fields
            opened = {"people": "gateway_port", "services": "gateway_internal_port", "staff": "gateway_staff_port"}
            wanted = {port: fields[setting].default for port, setting in opened.items()}
        else:
            wanted = {"http": int(settings["APPS_PORT"] or 0)} if name.endswith("-api") else {}
        figures = settings.get("METRICS_PORT") or settings.get("WORK_METRICS_PORT")
        wanted |= {"metrics": int(figures)} if figures else {}
        assert ports == wanted, name
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind, {})
            assert probe.get("httpGet", {}).get("port") in (None, *ports), name
            asked = "health/ready" if kind == "readinessProbe" else "metrics"
            assert "exec" not in probe or f":{figures}/{asked}'" in probe["exec"]["command"][-1], name


@needs_kubectl
def test_a_changed_setting_replaces_the_pods_that_read_it(tmp_path: Path) -> None:
    """kubectl replaces pods only when their template changes: so the settings' ConfigMap is named after its content."""
    named = {}
    for ratio in ("0.01", "0.5"):
        folder = tmp_path / ratio
        shutil.copytree(K8S, folder)
        file = folder / "base" / "config.env"
        file.write_text(file.read_text().replace("TRACE_RATIO=0.01", f"TRACE_RATIO={ratio}"))
        command = manifests.renderer()
        assert command
        objects = list(yaml.safe_load_all(manifests.rendered(command, folder / "overlays" / "production")))
        made = {d["metadata"]["name"] for d in objects if d["kind"] == "ConfigMap"}
        asked = {
            source["configMapRef"]["name"]
            for pod in pods(objects).values()
            for source in pod["containers"][0]["envFrom"]
            if "configMapRef" in source
        }
        assert asked == made, "every pod reads the one that is there"
        named[ratio] = asked
    assert named["0.01"] != named["0.5"]


@needs_kubectl
def test_staff_s_door_is_reached_by_its_own_address_and_no_other() -> None:
    objects = overlay("two-doors")
    config = next(d for d in objects if d["kind"] == "ConfigMap" and "STAFF_URL" in d.get("data", {}))["data"]
    doors = {
        rule["host"]: rule["http"]["paths"][0]["backend"]["service"]["port"]["name"]
        for d in objects
        if d["kind"] == "Ingress"
        for rule in d["spec"]["rules"]
    }
    assert doors == {urlsplit(config["PUBLIC_URL"]).hostname: "people", urlsplit(config["STAFF_URL"]).hostname: "staff"}


def test_upstreams_are_services_of_this_cluster_on_the_ports_they_open(documents: list[Document]) -> None:
    config = next(d for d in documents if d["kind"] == "ConfigMap")["data"]
    opened = {
        (d["metadata"]["name"], p["port"]) for d in documents if d["kind"] == "Service" for p in d["spec"]["ports"]
    }
    upstreams = json.loads(config["UPSTREAMS"])
    assert set(upstreams) == {"gateway", *SERVICES}
    assert {(urlsplit(url).hostname, urlsplit(url).port or 80) for url in upstreams.values()} <= opened
    assert json.loads(config["BODY_LIMITS"]) == cloud.BODY_LIMITS
    assert json.loads(config["MACHINE_SCOPES"]) == cloud.MACHINE_SCOPES


def test_only_settings_that_exist_are_set(documents: list[Document]) -> None:
    classes = [Settings, GatewaySettings, *(type(deployable.settings()) for deployable in DEPLOYABLES)]
    known = {name.upper() for kind in classes for name in kind.model_fields} | OWN_NAMES
    known |= {f"{name.upper()}_{which}DATABASE_URL" for name in cloud.ISSUERS for which in ("", "OWNER_")}
    assert "DATA_DIRECTORY" not in known
    config = next(d for d in documents if d["kind"] == "ConfigMap")
    named = set(config["data"])
    named |= {name for pod in pods(documents).values() for c in pod["containers"] for name in told(c)}
    assert named - known == set()


def nightly(folder: Path) -> tuple[Document, list[Document]]:
    """The pod of the cloud's own backup and everything beside it."""
    listed = list(yaml.safe_load_all((folder / "own-backup.yaml").read_text()))
    [job] = [d for d in listed if d["kind"] == "CronJob"]
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"], listed


def strangers_secrets(pod: Document) -> list[str]:
    """What a container of the own backup could read that is another's. Empty is what we want."""
    keys = {
        volume["name"]: [s["secret"]["name"] for s in volume["projected"]["sources"] if "secret" in s]
        for volume in pod["volumes"]
        if "projected" in volume
    }
    found = []
    for container in [*pod["initContainers"], *pod["containers"]]:
        own = {f"{container['name']}-{what}" for what in ("key", "database", "files", "files-account")}
        own |= {"own-backup"} if container["name"] == "send" else set()
        named = secrets(container) | {e["secretRef"]["name"] for e in container.get("envFrom", []) if "secretRef" in e}
        named |= {name for mount in container["volumeMounts"] for name in keys.get(mount["name"], [])}
        found += [f"{container['name']}: {name}" for name in sorted(named - own)]
    return found


def test_the_cloud_s_own_backup_gathers_from_every_service_with_that_service_s_secrets_only() -> None:
    pod, listed = nightly(K8S / "components" / "own-backup")
    assert (
        [c["name"] for c in pod["initContainers"]] == [*cloud.ISSUERS] == [c["args"][3] for c in pod["initContainers"]]
    )
    assert strangers_secrets(pod) == []
    assert weaknesses({**pod, "containers": [*pod["initContainers"], *pod["containers"]]}) == []
    [policy] = [d for d in listed if d["kind"] == "NetworkPolicy"]
    out = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert out == DOORS["DATABASE_URL"] | DOORS["FILES_URL"] and "ingress" not in policy["spec"]
    pod["containers"][0]["volumeMounts"].append({"name": "ebid-keys", "mountPath": "/keys"})
    assert strangers_secrets(pod) == ["send: ebid-key"], "one too many is found"


@needs_kubectl
@pytest.mark.parametrize("name", ["single-box", "operators"])
def test_every_overlay_keeps_the_cloud_itself_every_night(name: str) -> None:
    objects = overlay(name)
    [job] = [d for d in objects if d["kind"] == "CronJob"]
    assert (job["spec"]["schedule"], job["spec"]["timeZone"]) == ("30 1 * * *", "Asia/Tokyo")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"]]
    assert {c["image"].rpartition(":")[0] for c in containers} == {"kyodo-box"}
    for container in pod["initContainers"]:  # computed roles: the administrator's address, no role's own
        assert {n for n in told(container) if n.endswith("DATABASE_URL")} == {"DATABASE_URL"}
        assert "postgresql" in secrets(container)
        assert name == "operators" or "FILES_URL" not in told(container)
    if name == "single-box":
        held = {v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v}
        assert held == {f"{service}-data" for service in SERVICES}, "files lie there"
    labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    store = next(d for d in objects if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "postgresql")
    peers = [peer["podSelector"] for rule in store["spec"]["ingress"] for peer in rule["from"] if "podSelector" in peer]
    assert any(selects(peer, labels) for peer in peers), "the database lets it in"


def test_every_role_of_a_service_is_told_of_the_broker(documents: list[Document]) -> None:
    """Also `api`: the operator's page of lost events reads the broker's queues through it."""
    without = [name for name, pod in pods(documents).items() if "AMQP_URL" not in told(pod["containers"][0])]
    assert sorted(without) == ["gateway-api", "gateway-migrate"]


def test_nothing_is_open_by_default(documents: list[Document]) -> None:
    (default,) = (d for d in documents if d["kind"] == "NetworkPolicy" and d["spec"]["podSelector"] == {})
    assert default["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in default["spec"]


def test_names_are_looked_up_at_the_cluster_s_dns_or_the_node_s_cache_only(documents: list[Document]) -> None:
    (default,) = (d for d in documents if d["kind"] == "NetworkPolicy" and d["spec"]["podSelector"] == {})
    [rule] = default["spec"]["egress"]
    assert {port["port"] for port in rule["ports"]} == {53}
    [cluster, node] = rule["to"]
    assert cluster["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
    cache, secrets_of_the_node = ipaddress.ip_address("169.254.25.10"), "169.254.169.254/32"
    assert cache in ipaddress.ip_network(node["ipBlock"]["cidr"]) and node["ipBlock"]["except"] == [secrets_of_the_node]


@needs_kubectl
@pytest.mark.parametrize("name", ["production", "single-box", "two-doors"])
def test_the_usual_ingress_lets_an_upload_through(name: str) -> None:
    """ingress-nginx refuses bodies of more than 1 MB unless it is told otherwise; the gateway is the one that limits."""
    for each in (d for d in overlay(name) if d["kind"] == "Ingress"):
        said = each["metadata"]["annotations"]
        assert said["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"
        assert said["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"


def closed_doors(documents: list[Document]) -> list[str]:
    """What a pod is told to call and its policy does not let it. Empty is what we want."""
    rules = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "NetworkPolicy"}
    found = []
    for name, pod in pods(documents).items():
        anywhere = [rule for rule in rules[name].get("egress", []) if "to" not in rule]
        out = {port["port"] for rule in anywhere for port in rule["ports"]}
        settings = told(pod["containers"][0])
        needed = {end: ports for end, ports in DOORS.items() if any(setting.endswith(end) for setting in settings)}
        found += [f"{name}: {end}" for end, ports in needed.items() if not ports <= out]
    return found


def test_every_pod_may_call_what_it_is_told_of(documents: list[Document]) -> None:
    assert closed_doors(documents) == []


def test_what_an_overlay_may_name_can_be_reached(documents: list[Document]) -> None:
    """Sign-in providers, a collector, ClamAV, time stamps: whoever sets one should not have to find out which door is shut."""
    somewhere = ipaddress.ip_address("203.0.113.80")
    out = {d["metadata"]["name"]: let_out(d, somewhere) for d in documents if d["kind"] == "NetworkPolicy"}
    classes = {"gateway": GatewaySettings} | {each.name: type(each.settings()) for each in DEPLOYABLES}
    fields = {name: set(kind.model_fields) - set(Settings.model_fields) for name, kind in classes.items()}
    asked = {
        (f"{service}-{role}", name)
        for service, known in fields.items()
        for name in known & set(BY_PEOPLE)
        for role in ("api", "work")
    }
    asked.add(("opendata-work", "fetch_allowed"))
    asked |= {(name, "otel_exporter_otlp_endpoint") for name in out if name.endswith(("-api", "-listen", "-work"))}
    assert {name for _, name in asked} >= {"oidc_providers", "clamav_address", "ebid_tsa_url", "notice_timestamps_url"}
    assert [(pod, name) for pod, name in sorted(asked) if pod in out and not BY_PEOPLE[name] <= out[pod]] == []


def let_out(policy: Document, address: ipaddress.IPv4Address) -> set[int | str]:
    """The ports at `address`, outside the cluster, that the policy lets its pods reach."""
    return {
        port["port"]
        for rule in policy["spec"].get("egress", [])
        if "to" not in rule or any("ipBlock" in peer and _is_of(address, peer["ipBlock"]) for peer in rule["to"])
        for port in rule["ports"]
    }


def _is_of(address: ipaddress.IPv4Address, block: Document) -> bool:
    ranges = [ipaddress.ip_network(each) for each in [block["cidr"], *block.get("except", [])]]
    return address in ranges[0] and not any(address in each for each in ranges[1:])


def test_no_pod_may_ask_the_node_for_the_node_s_account(documents: list[Document]) -> None:
    """Clouds answer at this address, over plain HTTP, to whoever asks. What municipalities tell us to fetch must never lead there."""
    of_the_node = ipaddress.ip_address("169.254.169.254")
    policies = [d for d in documents if d["kind"] == "NetworkPolicy"]
    assert len(policies) > len(SERVICES)
    assert {d["metadata"]["name"]: 80 for d in policies if 80 in let_out(d, of_the_node)} == {}
    planted = {"spec": {"egress": [{"ports": [{"port": 80}]}]}}
    assert let_out(planted, of_the_node) == {80}, "one without addresses lets everybody be asked"


def test_a_door_that_was_forgotten_is_found(documents: list[Document]) -> None:
    planted = copy.deepcopy(documents)
    policy = next(d for d in planted if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "tenants-listen")
    policy["spec"]["egress"][0]["ports"] = [{"port": 5432, "protocol": "TCP"}]
    assert closed_doors(planted) == ["tenants-listen: AMQP_URL"]


def may_call(documents: list[Document], caller: Document, called: Document, port: str) -> bool:
    """Whether both sides' policies let `caller`'s pods (by their labels) reach `port` of `called`'s."""
    policies = [d["spec"] for d in documents if d["kind"] == "NetworkPolicy"]

    def one_side(here: Document, there: Document, direction: str, peer: str) -> bool:
        rules = [r for p in policies if selects(p["podSelector"], here) for r in p.get(direction, [])]
        peers = lambda r: [p for p in r.get(peer, []) if "podSelector" in p]  # noqa: E731
        reached = [r for r in rules if peer not in r or any(selects(p["podSelector"], there) for p in peers(r))]
        return any(item["port"] == port for rule in reached for item in rule["ports"])

    return one_side(caller, called, "egress", "to") and one_side(called, caller, "ingress", "from")


def selects(selector: Document, labels: Document) -> bool:
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    listed = {"In": lambda value, values: value in values, "NotIn": lambda value, values: value not in values}
    return all(listed[e["operator"]](labels.get(e["key"]), e["values"]) for e in selector.get("matchExpressions", []))


def test_only_the_arrows_of_the_architecture_are_open(documents: list[Document]) -> None:
    """gateway → every service; services' api and work → the gateway's inner port; tenants → every service; nothing else."""
    labels = {
        d["metadata"]["name"]: d["spec"]["template"]["metadata"]["labels"]
        for d in documents
        if d["kind"] == "Deployment"
    }
    for called, port in (("eapply-api", "http"), ("gateway-api", "services"), ("tenants-api", "http")):
        callers = {
            name for name in labels if name != called and may_call(documents, labels[name], labels[called], port)
        }
        tenants = {"tenants-api", "tenants-work"} - {called}
        inside = {f"{service}-{role}" for service in SERVICES for role in ("api", "work")}
        assert callers == (inside if port == "services" else {"gateway-api", *tenants}), called


def test_a_pod_holds_no_private_key_but_its_own(documents: list[Document]) -> None:
    for name, pod in pods(documents).items():
        sources = [s for v in pod["volumes"] if "projected" in v for s in v["projected"]["sources"]]
        assert [s["secret"]["name"] for s in sources if "secret" in s] == [f"{name.split('-')[0]}-key"]


def unshared_sites(documents: list[Document]) -> list[str]:
    """Claims that several pods hold, or would hold when scaled, although only one node may. Empty is what we want."""
    claims = {
        d["metadata"]["name"]: d["spec"]["accessModes"] for d in documents if d["kind"] == "PersistentVolumeClaim"
    }
    volumes = [(name, v) for name, pod in pods(documents).items() for v in pod["volumes"]]
    held = {(name, v["persistentVolumeClaim"]["claimName"]) for name, v in volumes if "persistentVolumeClaim" in v}
    return sorted(f"{name}: {claim}" for name, claim in held if claims.get(claim) != ["ReadWriteMany"])


def test_the_roles_of_backup_share_both_sites(documents: list[Document]) -> None:
    for role in ("api", "listen", "work"):
        pod = pods(documents)[f"backup-{role}"]
        claims = {
            v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v
        }
        places = {m["mountPath"]: claims.get(m["name"]) for m in pod["containers"][0]["volumeMounts"]}
        folders = told(pod["containers"][0])
        assert places[folders["BACKUP_FIRST_DIR"]] == "backup-first-site"
        assert places[folders["BACKUP_SECOND_DIR"]] == "backup-second-site"
    assert unshared_sites(documents) == []


def test_a_site_only_one_node_may_hold_is_found(documents: list[Document]) -> None:
    planted = copy.deepcopy(documents)
    claim = next(d for d in planted if d["metadata"]["name"] == "backup-first-site")
    claim["spec"]["accessModes"] = ["ReadWriteOnce"]
    assert unshared_sites(planted) == [f"backup-{role}: backup-first-site" for role in ("api", "listen", "work")]


def too_small(documents: list[Document]) -> list[str]:
    """Pods whose /tmp does not hold eight uploads of the largest kind: Kubernetes ends them, with every request they have."""
    largest = {
        name: cloud.BODY_LIMITS.get(name, GatewaySettings.model_fields["body_limit"].default) for name in SERVICES
    }
    found = []
    for name, pod in pods(documents).items():
        service, _, role = name.rpartition("-")
        [tmp] = [v["emptyDir"]["sizeLimit"] for v in pod["volumes"] if v["name"] == "tmp"]
        if (
            role in ("api", "work")
            and service in largest
            and int(tmp.removesuffix("Gi")) * 2**30 < 8 * largest[service]
        ):
            found.append(name)
    return found


def test_uploads_that_come_together_fit_where_they_wait(documents: list[Document]) -> None:
    assert too_small(documents) == []
    planted = copy.deepcopy(documents)
    for volume in pods(planted)["ebid-api"]["volumes"]:
        if volume["name"] == "tmp":
            volume["emptyDir"]["sizeLimit"] = "1Gi"
    assert too_small(planted) == ["ebid-api"]


def test_services_find_their_pods(documents: list[Document]) -> None:
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in documents if d["kind"] == "Deployment"]
    for service in (d for d in documents if d["kind"] == "Service"):
        assert service["spec"]["selector"] in labels


def test_the_image_is_built_from_verified_packages_and_does_not_run_as_root() -> None:
    dockerfile = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
    assert "--require-hashes" in dockerfile
    assert dockerfile.rstrip().splitlines()[-1].startswith("ENTRYPOINT")
    user = [line for line in dockerfile.splitlines() if line.startswith("USER")]
    assert user == ["USER 10001:10001"]
