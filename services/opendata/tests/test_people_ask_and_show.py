"""People ask for data and vote, staff answer and tie it to what is published; what was made is shown; followers hear of new versions."""

import io
import re
from typing import Any

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from sqlalchemy import select

from libs.common import jobs, notices, room
from libs.common.actor import Actor
from libs.common.testing.service import Issuers
from services.opendata import worker
from services.opendata.tests.people import AED, Browser, Town, fields, visible

pytestmark = pytest.mark.any_store

REQUESTS = "/opendata/requests/"


def person(town: Town, subject: str = "person-1") -> Browser:
    return Browser(town, Actor("person", subject, "江上 澄子", sid=f"sid-{subject}"))


def ask(who: Browser, town: Town, title: str = "コミュニティバスの時刻表", **more: str) -> Any:
    return who.post(REQUESTS, {"municipality": town.code, "title": title, "body": "乗り換え案内に使います。"} | more)


def at_the_desk(town: Town) -> str:
    """The id of the first request that stands on the desk."""
    return re.findall(r'action="[^"]*/desk/requests/([0-9a-f-]{36})"', town.staff().get("desk/voices").text)[0]


def answer(town: Town, ident: str, state: str, **more: str) -> Any:
    return town.staff().post(f"desk/requests/{ident}", {"state": state, "answer": "", "dataset": ""} | more)


def told(town: Town, who: Browser) -> list[str]:
    town.service.clock.advance(seconds=5)
    while jobs.run_next(town.service, worker.jobs):
        pass
    with town.service.database.reading() as session:
        return [row.subject for row in notices.inbox(session, who.actor.subject)]


def test_where_operators_switched_requests_off_the_text_stays_and_the_rest_goes_on(town: Town):
    town.publish()
    with town.service.database.transaction() as session:
        room.switches.take(session, town.code, {"requests": False})
    refused = ask(person(town), town)
    assert (
        refused.status_code == 422 and "いま止めています" in refused.text and "コミュニティバスの時刻表" in refused.text
    )
    assert town.visitor().get("/opendata/").status_code == 200
    with town.service.database.transaction() as session:
        room.switches.take(session, town.code, {"requests": True})
    assert ask(person(town), town).status_code == 303


def test_a_request_is_tracked_from_the_first_voice_to_the_data(town: Town):
    asking, other = person(town), person(town, "person-2")
    assert ask(asking, town).headers["location"] == "/opendata/requests/?sent=1"
    assert "時刻表" not in visible(asking.get(REQUESTS).text).split("ほしいデータを伝える")[0], (
        "nothing is public unseen"
    )
    ident = at_the_desk(town)
    answer(town, ident, "open")
    page = f"{REQUESTS}{ident}"
    for wanted in ("true", "true", "false", "true"):
        other.post(f"{page}/vote", fields(other.get(page).text, f"{page}/vote") | {"wanted": wanted})
    assert "2人" in visible(other.get(page).text), "one voice each: given, given again, taken back and given"
    town.visitor().post(f"{page}/vote")
    assert "ほしい 3人" in visible(town.visitor().get(REQUESTS).text)
    assert answer(town, ident, "published").status_code == 422, "published means a data set"
    name = town.name_of(town.publish(AED, title="バスの時刻表"))
    answer(town, ident, "published", dataset=f"http://127.0.0.1:8080/opendata/datasets/{name}", answer="公開しました。")
    shown = town.visitor().get(page).text
    assert f"/opendata/datasets/{name}" in shown and "公開しました。" in shown
    desk = fields(town.staff().get("desk/voices").text, f"/t/{town.code}/opendata/desk/requests/{ident}")
    assert desk["dataset"].endswith(f"/opendata/datasets/{name}"), "who mends the answer need not look for it again"
    assert answer(town, ident, "published", dataset=desk["dataset"], answer="公開しています。").status_code == 303
    assert any("コミュニティバスの時刻表" in subject for subject in told(town, asking)) and told(town, other)


def test_a_town_s_own_catalogue_leads_to_a_request_to_that_town(town: Town, neighbour: Town):
    town.publish()
    page = town.guest().get("/t/405221/opendata/")
    assert "大木町のオープンデータ" in visible(page.text) and "大木町が公開しているデータです" in visible(page.text)
    [href] = re.findall(r'href="(/opendata/requests/\?municipality=\d+)"', page.text)
    assert fields(town.visitor().get(href).text, "/opendata/requests/")["municipality"] == "405221"


def test_what_may_not_be_shown_is_hidden_and_refusals_say_why(town: Town, neighbour: Town):
    asking = person(town)
    ask(asking, town, title="田中さんの電話番号")
    ident = at_the_desk(town)
    answer(town, ident, "open")
    letters = len(told(town, asking))
    answer(town, ident, "hidden")
    assert len(told(town, asking)) == letters, "nobody is sent to a page that is not there"
    assert town.visitor().get(f"{REQUESTS}{ident}").status_code == 404
    assert answer(town, ident, "declined").status_code == 422
    assert neighbour.staff().post(f"desk/requests/{ident}", {"state": "open"}).status_code == 404
    assert ask(town.visitor(), town, title="短").status_code == 422
    assert ask(town.visitor(), town, municipality="999999").status_code == 422


def test_one_visitor_cannot_flood_the_desk(town: Town):
    codes = [ask(town.visitor(), town, title=f"データその{n}").status_code for n in range(12)]
    assert codes[:10] == [303] * 10 and codes[10:] == [429, 429]


def png() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(target, "PNG")
    return target.getvalue()


def send_app(town: Town, name: str, picture: bytes = b"", **more: str) -> Any:
    form = {
        "title": "AEDマップ",
        "url": "https://example.com/aed",
        "maker": "大木シビックテック",
        "description": "近いAED",
    } | more
    files = {"file": ("a.png", picture)} if picture else None
    return town.visitor().post(f"/opendata/datasets/{name}/apps/new", form, files=files)


def test_what_was_made_with_the_data_is_shown_with_its_picture(town: Town):
    name = town.name_of(town.publish())
    assert town.visitor().get(f"/opendata/datasets/{name}/apps/new").status_code == 200
    assert send_app(town, name, png()).status_code == 303
    assert "AEDマップ" not in town.visitor().get("/opendata/apps/").text
    [ident] = re.findall(r'action="[^"]*/desk/apps/([0-9a-f-]{36})"', town.staff().get("desk/voices").text)
    assert town.staff().get(f"desk/apps/{ident}/picture").content == png()
    town.staff().post(f"desk/apps/{ident}", {"state": "shown"})
    assert "AEDマップ" in town.visitor().get("/opendata/apps/").text
    assert "AEDマップ" in town.visitor().get(f"/opendata/datasets/{name}").text
    picture = town.visitor().get(f"/opendata/apps/{ident}/picture")
    assert picture.content == png() and picture.headers["x-content-type-options"] == "nosniff"
    town.staff().post(f"desk/apps/{ident}", {"state": "hidden"})
    assert "AEDマップ" not in town.visitor().get("/opendata/apps/").text
    assert town.visitor().get(f"/opendata/apps/{ident}/picture").status_code == 404


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_screenshot_keeps_no_place_and_no_camera_and_nothing_behind_it(town: Town, format_: str):
    exif, sent = Image.Exif(), io.BytesIO()
    exif[Base.Make] = "CANARY-CAMERA"
    exif.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (33.0, 19.0, 9.0)
    Image.new("RGB", (2000, 100), "navy").save(sent, format_, exif=exif)
    assert b"CANARY" in sent.getvalue()
    name = town.name_of(town.publish())
    assert send_app(town, name, sent.getvalue() + b"CANARY BEHIND").status_code == 303
    [ident] = re.findall(r'action="[^"]*/desk/apps/([0-9a-f-]{36})"', town.staff().get("desk/voices").text)
    kept = town.staff().get(f"desk/apps/{ident}/picture").content
    assert b"CANARY" not in kept
    with Image.open(io.BytesIO(kept)) as picture:
        assert picture.format == format_ and picture.size == (1600, 80) and not picture.getexif()


@pytest.mark.parametrize(
    ("picture", "more"),
    [(b"<svg onload=alert(1)>", {}), (b"<html>", {}), (b"", {"url": "javascript:alert(1)"}), (b"", {"url": "http://example.com"}),
     (b"", {"title": ""}), (b"", {"maker": ""}), (png() + b"x" * 3_000_000, {}),
     (png()[:60], {}), (b"x" * 3_000_000, {})],
)  # fmt: skip
def test_nothing_that_could_act_is_taken_in(town: Town, picture: bytes, more: dict[str, str]):
    name = town.name_of(town.publish())
    assert send_app(town, name, picture, **more).status_code in (413, 422)


def test_a_follower_hears_of_a_new_version_once(town: Town):
    dataset = town.publish()
    name, follower = town.name_of(dataset), person(town)
    assert town.visitor().post(f"/opendata/datasets/{name}/follow").status_code in (401, 303)
    follower.post(f"/opendata/datasets/{name}/follow")
    follower.post(f"/opendata/datasets/{name}/follow")
    assert "更新の知らせをやめる" in follower.get(f"/opendata/datasets/{name}").text
    staff = town.staff()
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    staff.publish(staff.send(AED.replace(b"H31", b"H30"), dataset=dataset, resource=resource))
    assert len(told(town, follower)) == 1
    follower.post(f"/opendata/datasets/{name}/unfollow")
    staff.post(f"desk/datasets/{dataset}/withdraw", {"reason": "内容を確かめています。"})
    staff.post(f"desk/datasets/{dataset}/again")
    assert len(told(town, follower)) == 1


def follow_and_renew(town: Town, follower: Browser) -> tuple[str, str]:
    """The data set's name, and the path of the link in the mail of its new version."""
    dataset = town.publish()
    name, staff = town.name_of(dataset), town.staff()
    follower.post(f"/opendata/datasets/{name}/follow")
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    staff.publish(staff.send(AED.replace(b"H31", b"H30"), dataset=dataset, resource=resource))
    town.service.clock.advance(seconds=5)
    mail = select(jobs.JobRow).where(jobs.JobRow.job_kind == "notices.mail")
    while True:
        with town.service.database.reading(tenant=town.code) as session:
            if job := session.scalars(mail).first():
                body = notices.inbox(session, follower.actor.subject)[0].body
                break
        assert jobs.run_next(town.service, worker.jobs), "a mail is ordered"
    [link] = re.findall(r"^http://127.0.0.1:8080(/opendata/unfollow/\S+)$", body, re.MULTILINE)
    assert job.payload["unsubscribe"].endswith(link), "mail programs are given the same link"
    return name, link


def test_a_link_in_the_mail_ends_the_notices_without_a_sign_in(town: Town):
    follower, other = person(town), person(town, "person-2")
    name, link = follow_and_renew(town, follower)
    other.post(f"/opendata/datasets/{name}/follow")
    page = town.visitor().get(link)
    assert page.status_code == 200 and "更新の知らせをやめる" in visible(page.text)
    assert "更新の知らせをやめる" in follower.get(f"/opendata/datasets/{name}").text, "looking ends nothing"
    for _ in range(2):
        pressed = town.visitor().post(link, {"List-Unsubscribe": "One-Click"})
        assert pressed.status_code == 200 and "止まっています" in visible(pressed.text), (
            "answered at once, twice the same"
        )
    assert "更新の知らせを受け取る" in follower.get(f"/opendata/datasets/{name}").text
    assert "更新の知らせをやめる" in other.get(f"/opendata/datasets/{name}").text


def test_a_link_that_was_changed_or_made_for_something_else_ends_nothing(town: Town, issuers: Issuers):
    follower = person(town)
    name, link = follow_and_renew(town, follower)
    token = link.rpartition("/")[2]
    others = [
        token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), token.rpartition(".")[0] + ".", "x", token + "x",
        town.service.signer.sign_link("confirm", who="person:person-1", dataset="x"),
        town.service.signer.sign_as_service("opendata"),
        issuers.signer("tenants").sign_link("unfollow", who="person:person-1", dataset="x"),
    ]  # fmt: skip
    for forged in others:
        assert town.visitor().get(f"/opendata/unfollow/{forged}").status_code == 404, forged
        assert town.visitor().post(f"/opendata/unfollow/{forged}").status_code == 404, forged
    assert "更新の知らせをやめる" in follower.get(f"/opendata/datasets/{name}").text
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    assert town.visitor().client.get("/opendata/", headers=headers).status_code == 401, "it signs nobody in"


def test_the_notices_of_a_data_set_that_is_gone_can_be_ended_too(town: Town):
    follower = person(town)
    name, link = follow_and_renew(town, follower)
    town.machine().result("package_delete", id=name)
    assert town.visitor().get(link).status_code == 200
    assert "止まっています" in visible(town.visitor().post(link).text)


def test_a_visitor_learns_that_signing_in_allows_to_follow_and_comes_back(town: Town):
    name = town.name_of(town.publish())
    page = f"/opendata/datasets/{name}"
    assert f'href="/sign-in?next={page}"' in town.visitor().get(page).text
    assert "/sign-in?next" not in person(town).get(page).text.partition("<main")[2]


def test_a_manager_has_another_system_told_of_publications(town: Town):
    page = town.staff().get("desk/webhooks/")
    assert page.status_code == 200 and "データセットを公開・更新した" in page.text
    answer = town.staff().post(
        "desk/webhooks/",
        {"url": "https://hooks.example.com/x", "purpose": "庁内の通知", "types": ["opendata.dataset.published.v1"]},
    )
    assert answer.status_code == 303, visible(answer.text)
    assert "庁内の通知" in town.staff().get("desk/webhooks/").text
    log = town.staff().get(answer.headers["location"])
    assert log.status_code == 200 and "https://hooks.example.com/x" in visible(log.text), log.status_code
    assert "付けて送ります" not in visible(log.text)
    rotated = town.staff().post(f"{answer.headers['location']}/rotate")
    assert rotated.status_code == 303
    assert "前の文字列での署名も" in visible(town.staff().get(answer.headers["location"]).text)
    assert town.staff("clerk", frozenset({"opendata.publisher"})).get("desk/webhooks/").status_code in (403, 404)


def asked_and_open(town: Town) -> str:
    """The page of a request that staff let through."""
    ask(person(town), town)
    ident = at_the_desk(town)
    answer(town, ident, "open")
    return f"{REQUESTS}{ident}"


def test_a_double_click_on_the_button_is_one_voice(town: Town):
    page, visitor = asked_and_open(town), town.visitor("clicker")
    form = fields(visitor.get(page).text, f"{page}/vote")
    visitor.post(f"{page}/vote", form)
    visitor.post(f"{page}/vote", form)
    assert "2人" in visible(visitor.get(page).text) and "取り消す" in visitor.get(page).text
    visitor.post(f"{page}/vote", fields(visitor.get(page).text, f"{page}/vote"))
    assert "1人" in visible(visitor.get(page).text)


def test_who_signs_in_after_voting_has_no_second_voice(town: Town):
    page = asked_and_open(town)
    town.visitor("before").post(f"{page}/vote")
    after = Browser(town, Actor("person", "person-9", "江上 澄子", sid="sid-9", earlier_guest="before"))
    assert "取り消す" in after.get(page).text
    after.post(f"{page}/vote", {"wanted": "true"})
    assert "2人" in visible(after.get(page).text)


def test_programs_have_no_voice_and_one_address_not_any_number(town: Town):
    page = asked_and_open(town)
    assert town.visitor("r").post(f"{page}/vote", headers={"User-Agent": "python-requests/2.32"}).status_code == 403
    codes = [
        town.visitor(f"throw-away-{n}").post(f"{page}/vote", headers={"X-Forwarded-For": "203.0.113.7"}).status_code
        for n in range(15)
    ]
    assert codes == [303] * 10 + [429] * 5
    assert "11人" in visible(town.visitor().get(page).text)
    again = town.visitor("throw-away-1").post(
        f"{page}/vote", {"wanted": "false"}, headers={"X-Forwarded-For": "203.0.113.7"}
    )
    assert again.status_code == 303, "what was given can be taken back"
    signed = person(town, "person-3").post(f"{page}/vote", headers={"X-Forwarded-For": "203.0.113.7"})
    assert signed.status_code == 303, "an account is one voice wherever it is"


def test_an_answer_never_shows_a_data_set_that_is_not_public(town: Town):
    ask(person(town), town)
    ident = at_the_desk(town)
    machine = town.machine()
    machine.result("package_create", name="secret-plan", title="公開前の計画", private=True, owner_org=town.code)
    for dataset in ("secret-plan", "no-such-data"):
        refused = answer(town, ident, "published", dataset=f"http://127.0.0.1:8080/opendata/datasets/{dataset}")
        assert refused.status_code == 422, dataset
        assert answer(town, ident, "open", dataset=dataset).status_code == 422, (
            "a name mistyped is not left out silently"
        )
    assert "公開前の計画" not in town.visitor().get(REQUESTS).text
