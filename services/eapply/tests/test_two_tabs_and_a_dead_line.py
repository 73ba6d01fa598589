"""Two tabs do not undo each other, and a line that dies in the middle of an upload takes nothing that was given before."""

import html
import json
import logging
import re
import socket
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.requests import ClientDisconnect, Request

from infra.local.processes import wait_until
from libs.common.testing.browser import serving
from services.eapply.db import CorrectionRow, DraftRow
from services.eapply.forms import tabs
from services.eapply.tests.people import EVENT, Browser, Town, hidden
from services.eapply.tests.pictures import photograph
from services.eapply.tests.test_staff_decide import returned
from services.eapply.tests.test_the_story_in_a_browser import Door


class Tab:
    """A page as a browser holds it: its inputs as they were, and what somebody types into some of them."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser, self.address = browser, address
        text = browser.get(address).text
        self.inputs = {"_tab": hidden(text, "_tab"), "_base": hidden(text, "_base")}
        for found in re.finditer(
            r'<input class="input[^"]*" id="([\w.]+)" name="([\w.]+)"[^>]*? value="([^"]*)"', text
        ):
            self.inputs[found.group(2)] = html.unescape(found.group(3))

    def save(self, **typed: str) -> int:
        self.inputs |= typed
        return self.browser.post(f"{self.address}/save", self.inputs, page=False).status_code

    def send(self, **typed: str):
        self.inputs |= typed
        return self.browser.post(self.address, {"act": "stay", **self.inputs})


def draft_row(town: Town) -> DraftRow:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(DraftRow)).one()


def kept(town: Town) -> dict[str, list[str]]:
    return draft_row(town).raw


def test_a_tab_keeps_what_the_other_one_typed(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    first, second = Tab(guest, f"{draft}/entry"), Tab(guest, f"{draft}/entry")
    assert first.save(name="髙橋 𠮷郎") == 204
    assert second.save(phone="0942-30-9000") == 204, "it does not know of the name"
    assert (kept(town)["name"], kept(town)["phone"]) == (["髙橋 𠮷郎"], ["0942-30-9000"])
    first.save(event="古文書講座")
    second.send(people="2")
    assert {name: kept(town)[name] for name in ("name", "phone", "event", "people")} == {
        "name": ["髙橋 𠮷郎"], "phone": ["0942-30-9000"], "event": ["古文書講座"], "people": ["2"],
    }  # fmt: skip


def test_one_tab_alone_may_change_its_mind(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    tab = Tab(guest, f"{draft}/entry")
    tab.save(name="まちがい")
    tab.save(name="")
    assert kept(town)["name"] == [""]


def test_who_goes_back_to_a_page_may_take_back_what_they_typed_on_it(town: Town):
    """The browser shows the page as it was left: it knows nothing of the page after it."""
    guest = town.guest()
    draft = guest.start("jido-teate-nintei")
    page = Tab(guest, f"{draft}/claimant")
    page.save(phone="0942-30-9000")
    Tab(guest, f"{draft}/account").save(bank="ちくご銀行")
    page.save(phone="")
    assert (kept(town)["phone"], kept(town)["bank"]) == ([""], ["ちくご銀行"])


def correction_raw(town: Town) -> dict[str, list[str]]:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(CorrectionRow)).one().raw


def test_a_correction_opened_twice_keeps_what_each_of_both_mended(town: Town):
    guest, _, sent = returned(town)
    address = f"applications/{sent.id}/correction"
    first, second = Tab(guest, address), Tab(guest, address)
    assert first.save(people="1") == 204
    assert second.save(wish="車いすの席") == 204, "it does not know of the number"
    assert {name: correction_raw(town)[name] for name in ("people", "wish")} == {
        "people": ["1"],
        "wish": ["車いすの席"],
    }
    first.save(wish="")
    correction = hidden(guest.get(address).text, "correction")
    second.send(correction=correction, act="next")
    answers = guest.get(f"api/applications/{sent.id}", page=False).json()["answers"]
    assert (answers["people"], answers["wish"]) == (1, "車いすの席"), "what the tab that sends shows is what is sent"


def test_one_tab_of_a_correction_may_change_its_mind(town: Town):
    guest, _, sent = returned(town)
    tab = Tab(guest, f"applications/{sent.id}/correction")
    tab.save(wish="まちがい")
    tab.save(wish="")
    assert correction_raw(town)["wish"] == [""]


def test_a_question_changed_in_both_is_as_the_later_one_sent_it(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    first, second = Tab(guest, f"{draft}/entry"), Tab(guest, f"{draft}/entry")
    first.save(name="一つめ")
    second.save(name="二つめ")
    assert kept(town)["name"] == ["二つめ"]


def test_a_date_typed_in_one_tab_is_not_undone_by_the_era_that_the_other_shows(town: Town):
    guest = town.guest()
    draft = guest.start("jido-teate-nintei")
    first, second = Tab(guest, f"{draft}/claimant"), Tab(guest, f"{draft}/claimant")
    first.save(birth_era="showa", birth_year="55", birth_month="8", birth_day="17")
    second.inputs |= {"birth_era": "reiwa", "birth_year": "", "birth_month": "", "birth_day": ""}
    second.save(phone="0942-30-9000")
    assert (kept(town)["birth_era"], kept(town)["birth_year"]) == (["showa"], ["55"])


def test_what_no_page_of_ours_made_is_no_reason_to_lose_anything(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    Tab(guest, f"{draft}/entry").save(name="髙橋")
    for base in ("", "no json", "[1]", '{"name": 5}', "9" * 100):
        answer = guest.post(f"{draft}/entry/save", EVENT | {"_tab": "another", "_base": base}, page=False)
        assert answer.status_code == 204, base
        assert kept(town)["name"] == [EVENT["name"]]


words = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "x", "y", "z"]))


@given(words, words, words)
def test_what_neither_touched_stays_and_what_one_touched_is_kept(base, first, second):
    """Against the rule in words: a tab's own changes stand, else the other's, else what was there."""
    start = {name: [text] for name, text in base.items()}
    saved = start | {name: [text] for name, text in first.items()} | {tabs.last("p"): ["one"]}
    typed = start | {name: [text] for name, text in second.items()}
    result = tabs.joined(saved, typed, "two", json.dumps(start), "abc", "p")
    for name in "abc":
        was, one, two = (each.get(name, [""])[0] for each in (start, saved, typed))
        expected = two if two != was else one
        assert result.get(name, [""])[0] == expected, name


def test_both_tabs_add_files_and_both_stay(town: Town):
    guest = town.guest()
    draft = guest.start("risai-shomei")
    for name in ("first.jpg", "second.jpg"):
        guest.post(f"{draft}/damage", {"act": "stay"}, files={"photos": (name, photograph(), "image/jpeg")})
    assert [each["name"] for each in draft_row(town).files["photos"]] == ["first.jpg", "second.jpg"]


def test_a_line_that_dies_in_the_middle_of_an_upload_takes_nothing(town: Town, caplog, monkeypatch):
    guest = town.guest("phone")
    draft = guest.start("risai-shomei")
    guest.post(f"{draft}/damage", {"act": "stay", "damage": "床上まで水につかった。"},
               files={"photos": ("first.jpg", photograph(), "image/jpeg")})  # fmt: skip
    before = draft_row(town)
    whole = photograph() * 40
    caplog.set_level(logging.WARNING)
    cut: list[bool] = []
    arriving = Request._get_form

    async def noticed(self, **limits):
        try:
            return await arriving(self, **limits)
        except ClientDisconnect:
            cut.append(True)
            raise

    monkeypatch.setattr(Request, "_get_form", noticed)
    with serving(Door(town)) as base:
        logging.getLogger("uvicorn.error").addHandler(caplog.handler)  # it keeps its log to itself
        _send_half(base, f"{draft}/damage", whole)
        assert wait_until(lambda: bool(cut), seconds=20), "the server noticed"
        answered = guest.get(f"{draft}/damage").text
    logging.getLogger("uvicorn.error").removeHandler(caplog.handler)
    assert "床上まで水につかった。" in answered
    after = draft_row(town)
    assert (after.raw, after.files) == (before.raw, before.files)
    assert len(list(town.service.extras["files"].list(town.code))) == 1, "half a file is no file"
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []
    answer = guest.post(f"{draft}/damage", {"act": "stay", "damage": "床上まで水につかった。"},
                        files={"photos": ("second.jpg", photograph(), "image/jpeg")})  # fmt: skip
    assert "first.jpg" in answer.text and "second.jpg" in answer.text, "and going on works"


def _send_half(base: str, path: str, content: bytes) -> None:
    """A form of which half arrives before the line dies without a word."""
    parts = urlsplit(base)
    head = (
        '--edge\r\nContent-Disposition: form-data; name="damage"\r\n\r\n別の文\r\n'
        '--edge\r\nContent-Disposition: form-data; name="photos"; filename="half.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    ).encode()
    body = head + content + b"\r\n--edge--\r\n"
    request = (
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: multipart/form-data; boundary=edge\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    line = socket.create_connection((parts.hostname, parts.port))
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    line.sendall(request + body[: len(body) // 2])
    line.close()
