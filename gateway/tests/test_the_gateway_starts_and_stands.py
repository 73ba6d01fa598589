"""What a start refuses, what survives a restart, and the first operator of a production cloud."""

import gc
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway import serve
from gateway.tests.conftest import CODE, ROOT, Running, make_running, running, stop, until


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("stands")) as made:
        yield made


def start_that_ends(made: Running, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **made.environment, **environment}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *(arguments or ("api",))],
        cwd=ROOT,
        env=env,
        input='[["x@example.jp", "x", "xxxxxxxxxxxx"]]',
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_last_known_tenants_serve_after_a_restart_without_the_registry(cloud: Running) -> None:
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 200
    stop(cloud.gateway)
    (cloud.folder / "snapshot.json").rename(cloud.folder / "snapshot.away")
    cloud.start_gateway()
    assert cloud.client().get("/health/ready").json() == {"status": "ok", "snapshot_age": None}
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 200
    assert cloud.client().get("/t/402052/eapply/").status_code == 403
    (cloud.folder / "snapshot.away").rename(cloud.folder / "snapshot.json")
    assert until(lambda: cloud.client().get("/health/ready").json()["snapshot_age"] is not None)
    assert (cloud.folder / "gateway-snapshot.json").stat().st_mode & 0o077 == 0, "it says who holds which role"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "x"}', '{"tenants": 5}', "null"])
def test_a_broken_snapshot_changes_nothing(cloud: Running, content: str) -> None:
    file = cloud.folder / "snapshot.json"
    good = file.read_text()
    file.write_text(content)
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 200
    file.write_text(good)
    assert cloud.client().get(f"/t/{CODE}/eapply/").status_code == 200


@pytest.mark.slow
def test_before_the_tenants_are_known_the_gateway_lives_but_is_not_ready(tmp_path: Path) -> None:
    made = make_running(tmp_path, [])
    try:
        made.command("migrate")
        made.start_upstream()
        env = {**os.environ, **made.environment}
        made.gateway = subprocess.Popen([sys.executable, "-m", "gateway", "api"], cwd=ROOT, env=env)
        live = until(lambda: status(f"{made.url}/health/live") == 200, 300)
        assert live
        assert status(f"{made.url}/health/ready") == 503
        assert status(f"{made.url}/t/{CODE}/eapply/") == 503
        assert status(f"{made.url}/sign-in") == 200
        made.publish()
        assert until(lambda: status(f"{made.url}/health/ready") == 200)
    finally:
        made.stop()


def status(url: str) -> int | None:
    try:
        return httpx.get(url, trust_env=False).status_code
    except httpx.HTTPError:
        return None


def test_nobody_waits_for_python_to_look_at_all_it_has_made_or_for_a_busy_thread() -> None:
    before = sys.getswitchinterval()
    try:
        serve.never_pause_for_long()
        assert gc.get_freeze_count() > 10_000, "what the start made is not looked at again"
        assert sys.getswitchinterval() < 0.001
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)


@pytest.mark.slow
def test_the_sample_is_refused_where_others_could_reach_it(cloud: Running) -> None:
    done = start_that_ends(cloud, PUBLIC_URL="https://cloud.example.jp")
    assert done.returncode != 0
    assert "the sample's passwords are published" in done.stderr
    assert "only with SAMPLE=1" in start_that_ends(cloud, "sample-people", SAMPLE="").stderr
    assert (
        "the sample's passwords are published"
        in start_that_ends(cloud, "sample-people", PUBLIC_URL="http://10.0.0.5").stderr
    )


def test_a_production_start_refuses_a_store_with_sample_accounts(cloud: Running) -> None:
    cloud.person("published@example.jp")
    done = start_that_ends(cloud, SAMPLE="", PUBLIC_URL="https://cloud.example.jp")
    assert done.returncode != 0
    assert "accounts of the sample" in done.stderr


@pytest.mark.slow
def test_a_production_cloud_gets_its_first_operator_and_hardens_its_cookies(tmp_path: Path) -> None:
    public = "https://cloud.example.jp"
    with running(tmp_path, SAMPLE="", PUBLIC_URL=public) as made:
        given = made.command("first-operator", "--email", "ops@example.jp", "--name", "運用 太郎")
        assert given["link"].startswith(f"{public}/welcome/?t=")
        front = made.client(headers={"host": "cloud.example.jp", "origin": public, "sec-fetch-site": "same-origin"})
        moved = front.get(given["link"].removeprefix(public))
        assert moved.status_code == 303
        ticket = moved.headers["set-cookie"]
        assert ticket.startswith("__Host-kyodo_ticket=") and "Secure" in ticket
        cookie = {"cookie": ticket.split(";")[0]}
        form = {"display_name": "運用 太郎", "password": "yama no ue no shiroi kumo"}
        done = front.post("/welcome/", data=form, headers=cookie)
        session = next(c for c in done.headers.get_list("set-cookie") if "kyodo_session" in c)
        assert session.startswith("__Host-kyodo_session=") and "Secure" in session and "Domain" not in session
        assert done.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        assert front.get("/mail/").status_code == 404
        assert made.client().get("/sign-in").status_code == 421, "by another name it is not reached"
        again = start_that_ends(made, "first-operator", "--email", "ops@example.jp")
        assert again.returncode != 0


def test_one_document_of_all_services_without_their_internal_routes(cloud: Running) -> None:
    def document(path: str, model: str) -> str:
        answer = {
            "description": "OK",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}},
        }
        return json.dumps(
            {
                "openapi": "3.1.0",
                "paths": {
                    path: {"get": {"operationId": "list", "summary": "一覧", "responses": {"200": answer}}},
                    "/internal/x/queues": {"get": {"responses": {}}},
                },
                "components": {"schemas": {model: {"type": "object"}}},
            }
        )

    (cloud.folder / "openapi-eapply.json").write_text(document("/t/{code}/eapply/api/things", "Thing"))
    (cloud.folder / "openapi-tenants.json").write_text(document("/participation.json", "Thing"))
    (cloud.folder / "openapi-backup.json").write_text(document("/participation.json", "Copy"))
    merged = cloud.client().get("/docs/openapi.json").json()
    assert set(merged["paths"]) == {"/t/{code}/eapply/api/things", "/participation.json"}
    assert set(merged["components"]["schemas"]) == {"eapply.Thing", "tenants.Thing", "backup.Copy"}
    operation = merged["paths"]["/t/{code}/eapply/api/things"]["get"]
    assert operation["operationId"] == "eapply.list"
    assert "eapply.Thing" in json.dumps(operation)
    assert "two services claim one path" in cloud.log() and "GET /participation.json" in cloud.log()
    page = cloud.client().get("/docs/").text
    assert "/t/{code}/eapply/api/things" in page and "<script>" not in page


def test_while_the_store_is_away_guests_go_on_and_the_others_are_told(cloud: Running) -> None:
    cloud.person("storeless@example.jp")
    client = cloud.signed_in("storeless@example.jp")
    path = f"/t/{CODE}/eapply/"
    assert client.get(path).status_code == 200
    with sqlite3.connect(cloud.folder / "gateway.sqlite") as store:
        store.execute("ALTER TABLE sessions RENAME TO sessions_away")
    try:
        answer = until(lambda: a if (a := client.get(path)).status_code == 503 else None, 10)
        assert answer.json()["code"] == "store-unreachable"
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["retry-after"] == "10"
        assert cloud.client().get(path).status_code == 200, "a guest needs no store"
    finally:
        with sqlite3.connect(cloud.folder / "gateway.sqlite") as store:
            store.execute("ALTER TABLE sessions_away RENAME TO sessions")
    assert until(lambda: client.get(path).status_code == 200, 10), "and nobody had to sign in again"


@pytest.mark.slow
def test_a_form_that_never_ends_is_given_up(cloud: Running) -> None:
    stop(cloud.gateway)
    cloud.start_gateway(UPSTREAM_IDLE_SECONDS="1.0")
    with socket.create_connection(("127.0.0.1", cloud.port)) as client:
        client.settimeout(20)
        client.sendall(
            b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nContent-Length: 100\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\nemail="
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 408")
    large = cloud.client().post("/sign-in", data={"email": "x" * 100_000})
    assert large.status_code == 413
    chunked = cloud.client().post(
        "/sign-in",
        content=iter([b"email=" + b"x" * 40_000, b"x" * 40_000]),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert chunked.status_code == 413
