"""What operators watch: alerts and dashboards name metrics that are told, and every alert leads to its runbook."""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

ROOT = Path(__file__).parents[2]
OBSERVE = ROOT / "infra" / "observe"
RUNBOOKS = ROOT / "docs" / "runbooks.md"
OWN = re.compile(r"\b([a-z]+(?:_[a-z]+)+)\b(?=\s*[{\[)!]|\s*$|\s+>)")
OF_PROMETHEUS = {"max_over_time", "histogram_quantile", "process_resident_memory_bytes", "process_cpu_seconds_total"}


def alerts() -> list[dict]:
    groups = yaml.safe_load((OBSERVE / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in alerts())
    for path in sorted((OBSERVE / "dashboards").glob("*.json")):
        yield from (target["expr"] for panel in json.loads(path.read_text())["panels"] for target in panel["targets"])


def told() -> set[str]:
    """The names under which Prometheus keeps what we tell."""
    for module in ("libs.common.telemetry.metrics", "gateway.proxy"):
        importlib.import_module(module)
    found = {
        sample
        for metric in REGISTRY.collect()
        for sample in (metric.name, f"{metric.name}_total", f"{metric.name}_bucket")
    }
    return found | OF_PROMETHEUS


def named(expression: str) -> set[str]:
    return set(OWN.findall(expression))


def test_every_expression_names_metrics_that_are_told() -> None:
    assert named('rate(no_such_metric{service="x"}[5m])') - told() == {"no_such_metric"}, "a wrong one is found"
    seen = set().union(*(named(expression) for expression in expressions()))
    assert {"http_requests_total", "oldest_waiting_seconds", "queue_rows", "mails_total"} <= seen
    assert seen - told() == set()


SELECTED = re.compile(r"\b([a-z]+(?:_[a-z]+)+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
ADDED = {"pod", "job", "le"}
"""Labels that Prometheus adds."""


def labels_told() -> dict[str, set[str]]:
    """Under each name that Prometheus keeps: the labels that we tell with it. (The client can be asked no other way for a metric that
    has no samples yet.)"""
    told()
    return {
        name: set(metric._labelnames) | ADDED
        for metric in set(REGISTRY._collector_to_names)
        if hasattr(metric, "_labelnames")
        for name in REGISTRY._collector_to_names[metric]
    }


def labels_never_told(expression: str) -> set[str]:
    """Labels by which `expression` selects or groups, although nothing that it names is told with them: Prometheus says nothing
    of such, the alert is silent for ever."""
    known = labels_told()
    names = named(expression) & known.keys()
    found = {
        f"{name}{{{label}}}"
        for name, selector in SELECTED.findall(expression)
        if name in known
        for label in re.findall(r"(\w+)\s*[=!]", selector)
        if label not in known[name]
    }
    grouped = {label.strip() for group in GROUPED.findall(expression) for label in group.split(",")}
    return found | {f"by {label}" for label in grouped if names and not any(label in known[name] for name in names)}


def test_every_expression_asks_for_labels_that_are_told() -> None:
    assert labels_never_told('sum by (role) (build_info{rol="api"})') == {"build_info{rol}"}, "a wrong one is found"
    assert labels_never_told("sum by (rôle_of) (role_ready)") == {"by rôle_of"}
    assert set().union(*(labels_never_told(expression) for expression in expressions())) == set()


def test_every_alert_is_seen_to_ring_and_to_keep_silent() -> None:
    """In rules_test.yaml, which `promtool` plays below."""
    played = yaml.safe_load((OBSERVE / "rules_test.yaml").read_text())["tests"]
    cases = [case for each in played for case in each["alert_rule_test"]]
    every = {rule["alert"] for rule in alerts() if "alert" in rule}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == every
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == every


def test_every_alert_leads_to_a_section_of_the_runbooks_and_back() -> None:
    anchors = set(re.findall(r'<a id="(\w+)">', RUNBOOKS.read_text()))
    wanted = {
        rule["annotations"]["runbook_url"].removeprefix("docs/runbooks.md#") for rule in alerts() if "alert" in rule
    }
    assert wanted == anchors
    missing = [rule["alert"] for rule in alerts() if "alert" in rule and rule["alert"] not in RUNBOOKS.read_text()]
    assert missing == []
    assert {rule["labels"]["severity"] for rule in alerts() if "alert" in rule} == {"page", "ticket"}


def panels_never_drawn(text: str) -> list[str]:
    """What the runbooks send people to look at (`ダッシュボード「title」…「panel」`) and no dashboard has."""
    drawn = {
        made["title"]: {panel["title"] for panel in made["panels"]}
        for made in (json.loads(path.read_text()) for path in (OBSERVE / "dashboards").glob("*.json"))
    }
    found = []
    for line in text.splitlines():
        for board, rest in re.findall(r"ダッシュボード「([^」]+)」((?:(?!ダッシュボード).)*)", line):
            panels = re.findall(r"「([^」]+)」", rest)
            found += [f"{board}: {panel}" for panel in panels or ["?"] if panel not in drawn.get(board, ())]
    return found


def test_every_panel_that_a_runbook_sends_people_to_is_drawn() -> None:
    assert panels_never_drawn("ダッシュボード「共同クラウド」の「応答」と「失敗」") == [
        "共同クラウド: 応答",
        "共同クラウド: 失敗",
    ]
    text = RUNBOOKS.read_text("utf-8")
    assert text.count("ダッシュボード「") == text.count("ダッシュボード") > 4
    assert panels_never_drawn(text) == []


def test_every_word_of_the_log_that_a_runbook_names_is_written_somewhere() -> None:
    said = {
        *re.findall(r"`([a-z]+(?:_[a-z]+)*)` は、RabbitMQ", RUNBOOKS.read_text("utf-8")),
        "step failed",
        "own_backup_failed",
    }
    written = "".join(path.read_text("utf-8") for path in ROOT.glob("libs/common/**/*.py") if "tests" not in path.parts)
    written += (ROOT / "services" / "backup" / "worker.py").read_text("utf-8")
    assert "broker_blocked" in said
    assert [word for word in said if f'"{word}"' not in written or word not in RUNBOOKS.read_text("utf-8")] == []


def test_every_promise_of_the_slo_is_watched() -> None:
    """docs/slo.md names alerts that there are; every municipality has an allowance, and integrity has none."""
    by_name = {rule["alert"]: rule for rule in alerts() if "alert" in rule}
    told = set(re.findall(r"`(Kyodo\w+)`", (ROOT / "docs" / "slo.md").read_text("utf-8")))
    assert {"KyodoIntegrity", "KyodoTenantErrorsFast", "KyodoTenantBudgetSpent"} <= told <= set(by_name)
    assert "by (tenant)" in next(r["expr"] for r in alerts() if r.get("record") == "kyodo:tenant_errors:ratio30d")
    assert by_name["KyodoIntegrity"]["expr"].endswith("> 0") and "for" not in by_name["KyodoIntegrity"]
    assert by_name["KyodoIntegrity"]["labels"]["severity"] == "page"


needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not here"
)


@needs_promtool
@pytest.mark.parametrize("command", [["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]])
def test_prometheus_itself_takes_the_rules_and_raises_what_they_promise(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=OBSERVE, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
