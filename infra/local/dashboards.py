"""Grafana's dashboards, written from a list of panels: `python -m infra.local.manifests` keeps infra/observe/dashboards true.

One for the whole cloud, one for a single service. Every expression names metrics that libs/common/telemetry tells; a test checks it.
"""

import json
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 12, 8


@dataclass(frozen=True)
class Panel:
    """`expression` with `legend`, drawn over time in `unit` (Grafana's name of it). `limit`: where it turns red."""

    title: str
    expression: str
    legend: str
    unit: str = "short"
    limit: float | None = None


CLOUD = (
    Panel("応答（1秒あたり）", "sum by (service) (rate(http_requests_total[5m]))", "{{service}}", "reqps"),
    Panel(
        "失敗した応答の割合（目標 0.1% まで）",
        'sum by (service) (rate(http_requests_total{status=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m]))',
        "{{service}}", "percentunit", 0.001,
    ),
    Panel(
        "応答にかかる時間（100件に1件の遅いもの）",
        "histogram_quantile(0.99, sum by (service, le) (rate(http_request_seconds_bucket[5m])))",
        "{{service}}", "s", 1,
    ),
    Panel("送れていない出来事の待ち", 'max by (service) (oldest_waiting_seconds{queue="outbox"})', "{{service}}", "s", 120),
    Panel("処理できていない出来事の待ち", 'max by (service) (oldest_waiting_seconds{queue="inbox"})', "{{service}}", "s", 300),
    Panel("仕事の遅れ", 'max by (service) (oldest_waiting_seconds{queue="jobs"})', "{{service}}", "s", 900),
    Panel("待っている数", 'max by (service, queue) (queue_rows{state="pending"})', "{{service}} {{queue}}"),
    Panel("あきらめた数", 'max by (service, queue) (queue_rows{state="dead"})', "{{service}} {{queue}}", "short", 1),
    Panel("出来事（1秒あたり）", "sum by (service, result) (rate(events_total[5m]))", "{{service}} {{result}}", "cps"),
    Panel("メール（1時間あたり）", "sum by (service, result) (increase(mails_total[1h]))", "{{service}} {{result}}"),
    Panel(
        "動いている版と設定", "count by (service, role, release, settings) (build_info)",
        "{{service}} {{role}} {{release}} {{settings}}",
    ),
    Panel("使っているメモリー", "sum by (pod) (process_resident_memory_bytes)", "{{pod}}", "bytes"),
    Panel("使っている CPU（コア）", "sum by (pod) (rate(process_cpu_seconds_total[5m]))", "{{pod}}"),
)  # fmt: skip
SERVICE = (
    Panel(
        "道ごとの応答（1秒あたり）",
        'topk(10, sum by (route) (rate(http_requests_total{service="$service"}[5m])))', "{{route}}", "reqps",
    ),
    Panel(
        "道ごとの失敗", 'sum by (route, status) (rate(http_requests_total{service="$service",status=~"5.."}[5m]))',
        "{{route}} {{status}}", "reqps",
    ),
    Panel(
        "遅い道（100件に5件の遅いもの）",
        'topk(10, histogram_quantile(0.95, sum by (route, le) (rate(http_request_seconds_bucket{service="$service"}[5m]))))',
        "{{route}}", "s", 1,
    ),
    Panel("待ち", 'max by (queue) (oldest_waiting_seconds{service="$service"})', "{{queue}}", "s"),
    Panel("待っている数", 'max by (queue, state) (queue_rows{service="$service"})', "{{queue}} {{state}}"),
    Panel(
        "出来事の種類ごと（1秒あたり）",
        'sum by (type, result) (rate(events_total{service=~"$service.*"}[5m]))', "{{type}} {{result}}", "cps",
    ),
    Panel(
        "仕事の種類ごと（1時間あたり）",
        'sum by (kind, result) (increase(jobs_total{service="$service"}[1h]))', "{{kind}} {{result}}",
    ),
)  # fmt: skip


def files() -> dict[str, str]:
    """Name of file → what Grafana reads."""
    made = {"cloud": dashboard("kyodo-cloud", "共同クラウド", CLOUD), "service": _service()}
    return {f"{name}.json": json.dumps(each, ensure_ascii=False, indent=1) + "\n" for name, each in made.items()}


def _service() -> dict[str, Any]:
    made = dashboard("kyodo-service", "共同クラウド：サービス", SERVICE)
    chosen = {"name": "service", "label": "サービス", "type": "query", "datasource": "${source}", "refresh": 2}
    query = {"query": "label_values(http_requests_total, service)", "refId": "services"}
    made["templating"]["list"].append(chosen | {"query": query})
    return made


def dashboard(uid: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    """Two panels a row, in the order of the list. The source is chosen on the page: no name of an installation stands here."""
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    return {
        "uid": uid, "title": title, "tags": ["kyodo"], "timezone": "Asia/Tokyo", "refresh": "30s", "editable": False,
        "schemaVersion": 39, "time": {"from": "now-6h", "to": "now"}, "templating": {"list": [source]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }  # fmt: skip


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, 2)
    steps = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    style = {"thresholdsStyle": {"mode": "line" if panel.limit is not None else "off"}}
    return {
        "id": number + 1, "type": "timeseries", "title": panel.title, "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "thresholds": {"steps": steps}, "custom": style}},
        "targets": [{"refId": "A", "expr": panel.expression, "legendFormat": panel.legend}],
    }  # fmt: skip
