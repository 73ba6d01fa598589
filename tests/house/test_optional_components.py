"""The optional components of infra/k8s: what they add fits what is there, and the operators they are written for can do their work."""

import json
from itertools import product
from typing import Any

import pytest
import yaml

from infra.local import cloud, manifests
from libs.common import db
from services.__main__ import DEPLOYABLES
from tests.house.test_manifests import K8S, NEWEST, SERVICES, Document, needs_kubectl, overlay, pods, secrets, told


@needs_kubectl
def test_every_optional_component_together_is_valid_and_takes_the_place_of_what_it_replaces() -> None:
    objects = overlay("operators")
    kinds = {d["kind"] for d in objects}
    assert {"Cluster", "ObjectStore", "ScheduledBackup", "RabbitmqCluster", "ScaledObject", "PrometheusRule"} <= kinds
    assert "Ingress" not in kinds, "Gateway API is the way in"
    named = {name for pod in pods(objects).values() for c in pod["containers"] for name in secrets(c)}
    assert "kyodo-broker" not in named
    assert {f"{name}-database" for name in cloud.ISSUERS} & named == set(), "passwords of roles are computed"
    running = {d["metadata"]["name"]: d["spec"] for d in objects if d["kind"] == "Deployment"}
    followed = {d["spec"]["scaleTargetRef"]["name"] for d in objects if d["kind"] == "ScaledObject"}
    assert followed == {f"{name}-work" for name in SERVICES}
    assert not [name for name in followed if "replicas" in running[name]], "KEDA decides, applying again must not"
    assert "AMQP_URL" not in told(pods(objects)["gateway-api"]["containers"][0])


@needs_kubectl
def test_the_gateway_can_find_each_pod_of_a_service_by_a_name_that_exists() -> None:
    """Component `each-replica`: headless Services, whose names the gateway is told, and whose pods are those that take requests."""
    objects = overlay("operators")
    headless = {
        f"http://{d['metadata']['name']}:{d['spec']['ports'][0]['port']}": d["spec"]["selector"]
        for d in objects
        if d["kind"] == "Service" and d["spec"].get("clusterIP") == "None"
    }
    [config] = [d for d in objects if d["kind"] == "ConfigMap" and d["metadata"]["name"].startswith("kyodo-config-")]
    replicas = json.loads(config["data"]["REPLICAS"])
    assert set(replicas) == set(SERVICES)
    running = {d["metadata"]["name"]: d["spec"]["template"] for d in objects if d["kind"] == "Deployment"}
    for name, [base] in replicas.items():
        pod = running[f"{name}-api"]
        assert headless[base].items() <= pod["metadata"]["labels"].items()
        assert int(base.rsplit(":", 1)[1]) in {p["containerPort"] for p in pod["spec"]["containers"][0]["ports"]}, (
            "no kube-proxy stands between: the port is the container's own"
        )


@needs_kubectl
def test_an_unknown_field_of_an_operators_kind_is_found() -> None:
    planted = next(d for d in overlay("operators") if d["kind"] == "RabbitmqCluster")
    planted["spec"]["replica"] = 3
    assert len(manifests.violations(yaml.safe_dump(planted), NEWEST)) == 1


def test_keda_watches_the_queues_that_are_declared() -> None:
    from libs.common.bus import topology

    watched = {
        trigger["metadata"]["queueName"]
        for d in yaml.safe_load_all((K8S / "components" / "keda" / "work.yaml").read_text())
        if d and d["kind"] == "ScaledObject"
        for trigger in d["spec"]["triggers"]
        if trigger["type"] == "rabbitmq"
    }
    sources = {each.name: each.sources() for each in DEPLOYABLES}
    assert watched == {
        topology.reader_queue(reader, source).name for reader, found in sources.items() for source in found
    }


@needs_kubectl
@pytest.mark.parametrize("name", ["operators", "production", "single-box", "two-doors"])
def test_every_way_in_leads_to_a_port_that_the_service_has(name: str) -> None:
    objects = overlay(name)
    opened = {
        (d["metadata"]["name"], port[key])
        for d in objects
        if d["kind"] == "Service"
        for port, key in product(d["spec"]["ports"], ("name", "port"))
        if key in port
    }
    ways = [
        (backend["name"], backend["port"])
        for d in objects
        if d["kind"] == "HTTPRoute"
        for rule in d["spec"]["rules"]
        for backend in rule["backendRefs"]
    ]
    ways += [
        (path["backend"]["service"]["name"], *path["backend"]["service"]["port"].values())
        for d in objects
        if d["kind"] == "Ingress"
        for rule in d["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert ways
    assert [way for way in ways if way not in opened] == []


@needs_kubectl
def test_prometheus_finds_the_figures_of_every_role() -> None:
    """Its operator drops every pod that does not declare the port that is asked for, by name or by number."""
    objects = overlay("operators")
    [monitor] = [d["spec"] for d in objects if d["kind"] == "PodMonitor"]
    [end] = monitor["podMetricsEndpoints"]
    running = {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in objects if d["kind"] == "Deployment"}
    declared = {
        name: {
            port["name"]: port["containerPort"]
            for container in pod["containers"]
            for port in container.get("ports", [])
        }
        for name, pod in running.items()
    }
    opened = {
        name: int(value)
        for name, pod in running.items()
        for setting in [told(pod["containers"][0])]
        if (value := setting.get("METRICS_PORT") or setting.get("WORK_METRICS_PORT"))
    }
    assert opened.keys() == running.keys()
    assert {name: ports.get(end["port"]) for name, ports in declared.items()} == opened


@needs_kubectl
def test_keda_may_ask_the_database_and_the_broker_that_are_in_the_cluster() -> None:
    rules = [d["spec"] for d in overlay("operators") if d["kind"] == "NetworkPolicy"]
    for labels, port in (({"cnpg.io/cluster": "postgresql"}, 5432), ({"app.kubernetes.io/name": "rabbitmq"}, 5672)):
        assert "keda" in let_in(rules, labels, port), labels


def let_in(rules: list[Document], labels: dict[str, str], port: int) -> set[Any]:
    """The namespaces whose pods may reach the port of the pods with those labels."""
    return {
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in rules
        if rule["podSelector"].get("matchLabels") == labels
        for ingress in rule.get("ingress", [])
        if port in [each["port"] for each in ingress["ports"]]
        for peer in ingress["from"]
        if "namespaceSelector" in peer
    }


@needs_kubectl
def test_the_databases_of_the_cluster_take_the_connections_that_every_process_keeps() -> None:
    """Of all that the autoscalers may start: one refused with "too many clients" is a failed request while nothing is wrong."""
    small = overlay("single-box")
    [plain] = [d for d in small if d["kind"] == "StatefulSet" and d["metadata"]["name"] == "postgresql"]
    [argument] = [each for each in plain["spec"]["template"]["spec"]["containers"][0]["args"] if "=" in each]
    assert argument.startswith("max_connections=")
    assert int(argument.split("=")[1]) >= most_kept(small)
    large = overlay("operators")
    [cluster] = [d["spec"] for d in large if d["kind"] == "Cluster"]
    assert int(cluster["postgresql"]["parameters"]["max_connections"]) >= most_kept(large)


def most_kept(objects: list[Document]) -> int:
    """Connections kept by as many replicas of each role as an autoscaler may start, or as are written down."""
    most = {d["spec"]["scaleTargetRef"]["name"]: d["spec"] for d in objects if "scaleTargetRef" in d.get("spec", {})}
    running = {d["metadata"]["name"]: d["spec"].get("replicas", 1) for d in objects if d["kind"] == "Deployment"}
    for name, spec in most.items():
        running[name] = spec.get("maxReplicas") or spec["maxReplicaCount"]
    return db.KEPT * sum(running.values())
