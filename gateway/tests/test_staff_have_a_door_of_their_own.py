"""With STAFF_URL staff's pages are on one listener and exist on no other; people, cookies and sessions of the two are apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.pages.second_factor import _helped
from gateway.parts import staff_side
from gateway.tests.conftest import CODE, PASSWORD, PREFECTURE, Running, running, until
from gateway.tests.inside import inside
from gateway.tests.test_requests_pass_to_services import actor
from gateway.tests.test_the_gateway_starts_and_stands import start_that_ends
from infra.local.processes import free_port

FOR_STAFF = [
    f"/t/{CODE}/eapply/desk/",
    f"/t/{CODE}/desk/",
    f"/portal/{CODE}/",
    "/portal/",
    "/council/",
    "/council/applications",
    "/operator/",
    "/door/",
    "/door/closures/",
]
FOR_ALL = ["/", f"/t/{CODE}/", f"/t/{CODE}/eapply/", "/sign-in", "/opendata/", "/status/"]


@dataclass
class Sides:
    cloud: Running
    staff_url: str
    person: str

    def staff(self) -> httpx.Client:
        """A browser on the staff's network."""
        client = self.cloud.client(headers={"origin": self.staff_url, "sec-fetch-site": "same-origin"})
        client.base_url = self.staff_url
        return client

    def signed_in(self, client: httpx.Client) -> httpx.Client:
        answer = client.post("/sign-in", data={"email": "staff@example.jp", "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return client


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(tmp_path_factory.mktemp("sides"), STAFF_URL=url, GATEWAY_STAFF_PORT=str(port)) as cloud:
        person = cloud.person("staff@example.jp")
        cloud.publish(
            **{person: {CODE: ["eapply.reviewer", "portal.admin"], PREFECTURE: ["operator", "council.member"]}}
        )
        made = Sides(cloud, url, person)
        seen = made.signed_in(made.staff())
        assert until(lambda: seen.get("/door/closures/").status_code == 200), "the registry's roles have arrived"
        yield made


@pytest.mark.parametrize("path", FOR_STAFF)
def test_staff_s_pages_are_not_on_the_internet_not_even_for_staff(sides: Sides, path: str) -> None:
    outside, within = sides.signed_in(sides.cloud.client()), sides.signed_in(sides.staff())
    sides.cloud.forget_seen()
    for client in (outside, sides.cloud.client()):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        none = client.get(path.rstrip("/") + "/no-such-page-here" if path != "/door/" else "/internal/x")
        assert {**answer.json(), "request_id": ""} == {**none.json(), "request_id": ""}, "as if it did not exist"
    assert sides.cloud.seen() == [], "no service heard of it"
    assert within.get(path).status_code in (200, 303, 404 if path == "/door/" else 200)


@pytest.mark.parametrize("path", FOR_ALL)
def test_what_is_for_everybody_is_on_both(sides: Sides, path: str) -> None:
    assert sides.cloud.client().get(path).status_code == sides.staff().get(path).status_code == 200


def test_staff_are_one_of_the_public_on_the_internet_and_staff_inside(sides: Sides) -> None:
    outside, within = sides.signed_in(sides.cloud.client()), sides.signed_in(sides.staff())
    sides.cloud.forget_seen()
    for client in (outside, within):
        assert client.get(f"/t/{CODE}/eapply/").status_code == 200
    public, staff = (actor(sides.cloud, seen) for seen in sides.cloud.seen())
    assert (public.kind, public.roles) == ("person", frozenset())
    assert (staff.kind, staff.has("eapply.reviewer")) == ("staff", True)
    assert public.subject == staff.subject == sides.person


def test_what_rights_allow_on_the_account_page_is_allowed_only_inside(sides: Sides) -> None:
    """Keys for programs, and help for those who have lost everything, follow the same rights, read elsewhere."""
    outside, within = sides.signed_in(sides.cloud.client()), sides.signed_in(sides.staff())
    assert "申請の一覧を読む" in within.get("/account/").text
    assert "申請の一覧を読む" not in outside.get("/account/").text
    assert f"/portal/{CODE}/" in within.get("/account/").text
    assert "/portal/" not in outside.get("/account/").text


def test_a_cookie_of_one_side_opens_nothing_on_the_other(sides: Sides) -> None:
    outside, within = sides.signed_in(sides.cloud.client()), sides.signed_in(sides.staff())
    theirs, ours = dict(outside.cookies), dict(within.cookies)
    names = {"kyodo_session", "kyodo_life", "kyodo_known"}
    assert set(theirs) == names and set(ours) == {f"staff_{name}" for name in names}
    for value in (theirs["kyodo_session"], ours["staff_kyodo_session"]):
        for base, name in ((sides.staff_url, "staff_kyodo_session"), (sides.cloud.url, "kyodo_session")):
            mine = (base == sides.staff_url) == (value in ours.values())
            answer = httpx.get(f"{base}/account/", headers={"cookie": f"{name}={value}"}, trust_env=False)
            assert answer.status_code == (200 if mine else 401), (base, name)
    sides.cloud.forget_seen()
    outside.get(f"/t/{CODE}/eapply/", headers={"cookie": f"staff_kyodo_session={ours['staff_kyodo_session']}"})
    assert "kyodo" not in dict(sides.cloud.seen()[-1]["headers"]).get("cookie", ""), "no service sees either's cookie"


def test_the_rights_of_one_person_on_each_side(tmp_path: Path) -> None:
    with inside(tmp_path, staff_url="http://127.0.0.1:8077") as made:
        made.publish(**{"p": {CODE: ["portal.admin"]}})
        assert made.parts.memberships("p") == {}
        assert staff_side(made.parts).memberships("p") == {CODE: frozenset({"portal.admin"})}
        assert _helped(made.parts.memberships("p")) == []
        assert _helped(staff_side(made.parts).memberships("p")) == [CODE]
    (tmp_path / "one").mkdir()
    with inside(tmp_path / "one") as made:
        made.publish(**{"p": {CODE: ["portal.admin"]}})
        assert made.parts.memberships("p"), "without STAFF_URL one door is for all"


def test_guests_of_the_two_sides_are_two(sides: Sides) -> None:
    outside, within = sides.cloud.client(), sides.staff()
    sides.cloud.forget_seen()
    outside.get(f"/t/{CODE}/eapply/")
    guest = outside.cookies["kyodo_guest"]
    within.get(f"/t/{CODE}/eapply/", headers={"cookie": f"staff_kyodo_guest={guest}"})
    one, two = (actor(sides.cloud, seen) for seen in sides.cloud.seen())
    assert one.sid != two.sid


def test_signing_out_inside_leaves_the_internet_side_as_it_was(sides: Sides) -> None:
    outside, within = sides.signed_in(sides.cloud.client()), sides.signed_in(sides.staff())
    assert within.post("/sign-out").status_code == 303
    assert within.get("/door/closures/").status_code in (303, 401)
    assert outside.get("/account/").status_code == 200


def test_a_form_of_one_side_is_not_taken_by_the_other(sides: Sides) -> None:
    within = sides.signed_in(sides.staff())
    assert within.post(f"/t/{CODE}/eapply/desk/x", content=b"a").status_code == 200
    answer = within.post(f"/t/{CODE}/eapply/desk/x", content=b"a", headers={"origin": "http://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")


def test_each_side_answers_only_to_its_own_name(tmp_path: Path) -> None:
    port = free_port()
    told = {
        "SAMPLE": "",
        "PUBLIC_URL": "https://cloud.example.jp",
        "STAFF_URL": "https://staff.example.jp",
        "GATEWAY_STAFF_PORT": str(port),
    }
    with running(tmp_path, **told) as made:
        for where, name, status in (
            (made.port, "cloud.example.jp", 200),
            (made.port, "staff.example.jp", 421),
            (made.port, "cloud.example.jp:443", 200),
            (made.port, "cloud.example.jp:80", 421),
            (port, "staff.example.jp", 200),
            (port, "cloud.example.jp", 421),
        ):
            answer = httpx.get(f"http://127.0.0.1:{where}/sign-in", headers={"host": name}, trust_env=False)
            assert answer.status_code == status, (where, name)
        path = f"http://127.0.0.1:{port}/t/{CODE}/eapply/"
        begun = httpx.get(path, headers={"host": "staff.example.jp"}, trust_env=False).headers["set-cookie"]
        assert begun.startswith("__Host-staff_kyodo_guest=") and "Secure" in begun
        done = start_that_ends(made, SAMPLE="1", PUBLIC_URL=made.url)
        assert done.returncode != 0 and "STAFF_URL is not on this machine" in done.stderr
