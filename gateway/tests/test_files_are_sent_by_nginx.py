"""A service names a file instead of sending it: an nginx sends it, to nobody but whom it is for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from gateway.answers import BadGateway
from gateway.fairness.closures import Closure
from gateway.identity import Caller, Machine
from gateway.offload import Handing, Offload, Opened
from gateway.routes import Onward
from gateway.settings import Settings
from gateway.snapshot import Tenant, parse
from gateway.tests.conftest import CODE, running, snapshot_document
from gateway.tests.inside import Given, Inside, inside
from gateway.tests.nginx import nginx
from gateway.tests.test_an_account_moves_stops_and_closes import as_browser
from gateway.tests.test_nginx_asks_the_door import Fronted, printed
from infra.local.processes import free_port
from libs.common.clock import FixedClock
from libs.common.errors import Forbidden
from libs.common.testing.service import NOW

EAPPLY = Onward("eapply", "eapply", Tenant(CODE, CODE, "見本市"))
CONTENT = os.urandom(5_000_000)
PATH = f"/t/{CODE}/eapply/plan?do=named&name="
PLAN = f"{PATH}/402036/aa/plan"


@contextmanager
def fronting(folder: Path, **more: str) -> Iterator[Fronted]:
    files, port = folder / "eapply-files", free_port()
    (files / "402036" / "aa").mkdir(parents=True)
    (files / "402036" / "aa" / "plan").write_bytes(CONTENT)
    folder.chmod(0o755)
    (folder / "secret").write_text("secret")
    told = {
        "OFFLOAD": f'{{"eapply": "{files}"}}',
        "GATEWAY_DECISION_PORT": str(free_port()),
        "TRUSTED_PROXIES": '["127.0.0.2/32"]',
        **more,
    }
    with running(folder, **told) as cloud:
        written = printed(cloud, port).replace(
            "proxy_http_version 1.1;", "proxy_http_version 1.1; proxy_bind 127.0.0.2;", 1
        )
        with nginx(folder / "nginx", port, written):
            yield Fronted(cloud, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    """The nginx in front is told by a header which file it sends."""
    with fronting(tmp_path_factory.mktemp("told")) as made:
        yield made


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronted]:
    """Browsers are led to a signed address."""
    with fronting(tmp_path_factory.mktemp("signed"), OFFLOAD_SIGNED_SECONDS="60") as made:
        yield made


def test_nginx_sends_the_file_that_the_service_named(told: Fronted) -> None:
    answer = told.client().get(PLAN)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="plan.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "x-accel-redirect" not in answer.headers
    part = told.client().get(PLAN, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, CONTENT[100:200])
    assert told.client().head(PLAN).headers["content-length"] == str(len(CONTENT))


def test_nobody_reaches_the_folder_by_its_inner_address(told: Fronted) -> None:
    assert told.client().get("/_files/eapply/402036/aa/plan").content != CONTENT


@pytest.mark.parametrize(
    "name", ["/../secret", "/402036/%2e%2e/%2e%2e/secret", "//secret", "secret", "/a%2f..%2fsecret"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(told: Fronted, name: str) -> None:
    answer = told.client().get(PATH + quote(name, safe=""))
    assert (answer.status_code, answer.json()["code"]) == (502, "service-broke")
    assert "x-accel-redirect" not in answer.headers and "secret" not in answer.text


def test_whoever_comes_past_nginx_is_never_told_a_name(told: Fronted) -> None:
    """The service is not offered it; one that names a file all the same is not believed."""
    direct = told.cloud.client().get(PLAN)
    assert (direct.status_code, direct.content[:8]) == (200, b"streamed")
    stubborn = told.cloud.client().get(f"{PLAN}&always=1")
    assert stubborn.status_code == 502 and "x-accel-redirect" not in stubborn.headers
    claimed = told.cloud.client(headers={"x-accel-offered": "1", "x-forwarded-for": "127.0.0.2"}).get(PLAN)
    assert claimed.content[:8] == b"streamed"


def test_a_service_that_is_not_configured_may_name_nothing(told: Fronted) -> None:
    answer = told.client().get(f"/t/{CODE}/backup/plan?do=named&always=1&name=/402036/aa/plan")
    assert answer.status_code != 200 or answer.content != CONTENT
    assert "x-accel-redirect" not in answer.headers


def test_a_change_is_never_answered_by_a_file(told: Fronted) -> None:
    assert told.client().post(f"{PLAN}&always=1", content=b"x").content != CONTENT


# ---- signed addresses ------------------------------------------------------------------------------------------------


def address(client: httpx.Client, path: str = PLAN) -> str:
    answer = client.get(path)
    assert answer.status_code == 307, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


def test_a_browser_is_led_to_the_file(signed: Fronted) -> None:
    client = signed.client()
    answer = client.get(address(client))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="plan.pdf"'
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    part = client.get(address(client), headers={"range": "bytes=-10"})
    assert (part.status_code, part.content) == (206, CONTENT[-10:])


def test_an_address_opens_nothing_for_anybody_else(signed: Fronted) -> None:
    client, person = signed.client(), signed.cloud.person("files@example.jp")
    assert person
    where = address(client)
    assert client.get(where).status_code == 200
    for other in (signed.client(), signed.cloud.signed_in("files@example.jp")):
        other.base_url = signed.front
        answer = other.get(where)
        assert (answer.status_code, answer.json()["code"]) == (403, "signed-address")


@pytest.mark.parametrize("change", ["path", "seal", "without", "forged", "method"])
def test_a_changed_or_forged_address_is_refused(signed: Fronted, change: str) -> None:
    client = signed.client()
    path, _, seal = address(client).partition("?s=")
    (signed.cloud.folder / "eapply-files" / "402036" / "aa" / "other").write_text("another's")
    method = "POST" if change == "method" else "GET"
    changed = {
        "path": f"{path.removesuffix('plan')}other?s={seal}",
        "seal": f"{path}?s={seal[:-4]}{'AAAA' if seal[-4:] != 'AAAA' else 'BBBB'}",
        "without": path,
        "forged": f"{path}?s={'A' * len(seal)}",
        "method": f"{path}?s={seal}",
    }[change]
    answer = client.request(method, changed)
    assert (answer.status_code, answer.json()["code"]) == (403, "signed-address")
    page = client.get(changed, headers={"accept": "text/html"}) if method == "GET" else None
    assert page is None or "もう一度開いてください" in page.text


def test_the_door_itself_sends_no_file_at_a_signed_address(signed: Fronted) -> None:
    client = signed.client()
    where = address(client)
    client.base_url = signed.cloud.url
    assert client.get(where).status_code == 404


def test_an_address_ends_at_its_time_and_holds_for_one_caller_one_method_one_path(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    settings = Settings(data_dir=tmp_path, keys_dir=tmp_path, offload={"eapply": tmp_path}, offload_signed_seconds=60)
    offload = Offload(settings, b"k" * 32, clock)
    machine = Caller(machine=Machine("key-1", CODE, frozenset()))
    handing = offload.offer(EAPPLY, "GET", machine, behind_proxy=False)
    assert handing == Handing("eapply", "GET", "machine key-1", CODE)
    named = [(b"x-accel-redirect", b"/402036/aa/plan"), (b"content-type", b"application/pdf")]
    status, headers = offload.hand_over(handing, 200, named)
    path, _, query = dict(headers)[b"location"].partition(b"?")
    assert status == 307 and path == b"/files/eapply/402036/aa/plan"
    clock.advance(seconds=59)
    assert offload.check("GET", path, query, machine) == Opened(
        [(b"content-type", b"application/pdf")], "eapply", CODE, False
    )
    for asked in (("HEAD", path, machine), ("GET", path + b"x", machine), ("GET", path, Caller(guest_sid="g-1"))):
        with pytest.raises(Forbidden):
            offload.check(asked[0], asked[1], query, asked[2])
    with pytest.raises(Forbidden):
        Offload(settings, b"x" * 32, clock).check("GET", path, query, machine)
    clock.advance(seconds=2)
    with pytest.raises(Forbidden):
        offload.check("GET", path, query, machine)


@pytest.mark.parametrize("status", [201, 206, 304, 403, 404, 500])
def test_an_answer_that_is_not_the_whole_file_names_none(tmp_path: Path, status: int) -> None:
    """A refusal that names a file all the same must not become that file."""
    settings = Settings(data_dir=tmp_path, keys_dir=tmp_path, offload={"eapply": tmp_path}, offload_signed_seconds=60)
    offload = Offload(settings, b"k" * 32, FixedClock(NOW))
    handing = offload.offer(EAPPLY, "GET", Caller(guest_sid="g-1"), behind_proxy=False)
    with pytest.raises(BadGateway):
        offload.hand_over(handing, status, [(b"x-accel-redirect", b"/402036/aa/plan")])


# ---- what has changed since an address was signed --------------------------------------------------------------------


def opened(door: Inside, where: str) -> int:
    """The door's answer to whoever nginx sends back to it: 404 where nginx itself would have sent the file."""
    return as_browser(door, lambda c: c.get(where), {}).status_code


@contextmanager
def signing(folder: Path, **settings) -> Iterator[tuple[Inside, str]]:
    """A door that has just led a visitor to a file, and where."""

    def play(service: str, method: str, target: bytes) -> Given:
        named = [(b"x-accel-redirect", b"/402036/aa/plan"), (b"content-type", b"application/pdf")]
        return Given(headers=named)

    with inside(folder, play, offload={"eapply": folder}, offload_signed_seconds=60, **settings) as door:
        door.parts.callers.find = nobody  # type: ignore[method-assign]
        answer = as_browser(door, lambda c: c.get(f"/t/{CODE}/eapply/plan"), {})
        assert answer.status_code == 307
        yield door, answer.headers["location"]


async def nobody(headers: object) -> Caller:
    return Caller(guest_sid="g-1", by_cookie=True)


@pytest.mark.parametrize(
    ("closed", "status"),
    [
        (Closure(None, None, "maintenance", "", NOW, None), 503),
        (Closure(CODE, "eapply", "maintenance", "", NOW, None), 503),
        (Closure(CODE, "eapply", "read-only", "", NOW, None), 404),
        (Closure("402044", "eapply", "maintenance", "", NOW, None), 404),
        (Closure(CODE, "backup", "maintenance", "", NOW, None), 404),
    ],
)
def test_an_address_signed_before_a_closure_opens_nothing_while_it_lasts(
    tmp_path: Path, closed: Closure, status: int
) -> None:
    """Reading goes on where only changes are closed."""
    with signing(tmp_path) as (door, where):
        assert opened(door, where) == 404
        door.parts.fairness.closures.known = [closed]
        assert opened(door, where) == status


def test_files_count_for_the_municipality_like_other_requests(tmp_path: Path) -> None:
    with signing(tmp_path, limits={"tenant": "3/minute"}) as (door, where):
        assert [opened(door, where) for _ in range(3)] == [404, 404, 429]


def test_an_address_of_a_service_that_was_suspended_since_opens_nothing(tmp_path: Path) -> None:
    with signing(tmp_path) as (door, where):
        document = snapshot_document()
        document["tenants"][0]["services"]["eapply"] = {"status": "suspended", "from": "2018-04-01", "until": None}
        door.parts.snapshots.current = parse(document)
        assert opened(door, where) == 403


def test_nothing_is_offered_where_nothing_is_configured(tmp_path: Path) -> None:
    offload = Offload(Settings(data_dir=tmp_path, keys_dir=tmp_path), b"k" * 32, FixedClock(NOW))
    assert offload.offer(EAPPLY, "GET", Caller(), behind_proxy=True) is None
