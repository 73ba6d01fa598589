"""The sample's applications: made once, at every stage, by the use cases."""

import html
import re
from collections import Counter
from datetime import timedelta
from urllib.parse import urljoin

import pytest
from sqlalchemy import select

from services.eapply import sample
from services.eapply.db import ApplicationRow, NoticeDocumentRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Town, visible
from services.eapply.use_cases import delivery

MANAGER = frozenset({"eapply.reviewer", "eapply.manager"})


@pytest.fixture
def shown(service, issuers) -> Town:
    """The sample's municipality; loaded twice, which is once."""
    service.settings.payment_provider = "simulator"
    for _ in range(2):
        sample.load(
            service, tenant="402036", code="402036", name="久留米市", staff=("staff-1", "古賀 真理"), say=lambda _: None
        )
    return Town(service, issuers, "402036")


def test_the_sample_shows_every_stage_and_every_page_of_the_desk_has_something(shown: Town):
    assert len(shown.events("eapply.application.submitted.v1")) == sample.APPLICATIONS
    with shown.service.database.reading(tenant="402036") as session:
        states = Counter(session.scalars(select(ApplicationRow.state)))
    assert states == {"decided": 4, "correction_requested": 1, "in_review": 5, "submitted": 3, "awaiting_approval": 1}
    manager = shown.staff(roles=MANAGER)
    pages = {
        "desk/procedures/inventory": ["保育所の入所申込のひな型を使う"],
        "desk/procedures/hoiku-riyou": ["公開できます"],
        "desk/": ["補正が届いた", "自分の課への照会 1", "だれも担当していない申請", "自分の担当で期限が近い申請"],
        "desk/fees?state=paid": ["上津 節子", "500円"],
        "desk/fees?state=due": ["御井 さくら"],
        "desk/visits": ["𠮷田 大輔"],
        "desk/?tab=returned": ["荒木 直美"],
        "desk/?tab=approval": ["合川 薫"],
    }
    for address, words in pages.items():
        page = visible(manager.get(address).text)
        for word in words:
            assert word in page, (address, word, page[:1500])


def case_of(town: Town, name: str) -> str:
    with town.service.database.reading(tenant=town.code) as session:
        found = session.scalars(select(ApplicationRow.id).where(ApplicationRow.applicant_name == name)).all()
    return visible("".join(town.staff(roles=MANAGER).get(f"desk/cases/{each}").text for each in found))


def test_cases_of_the_sample_show_signers_changes_and_other_sections(shown: Town):
    signed = case_of(shown, "梅満 一郎")
    assert "2人の確認を待っています" in signed and "南 薫 確認しました" in signed and "月日は不詳" in signed
    assert "補正で変わったところ" in case_of(shown, "荒木 直美")
    asked = case_of(shown, "東 みのり")
    assert "合議 税務課" in asked and "滞納はありません。" in asked and "照会 生涯学習課" in asked
    assert "代表の方から電話" in asked and "この内容で回答する" in asked, "the desk's own section is asked"


def test_the_sample_s_citizen_has_filed_a_life_event_and_a_notice_nobody_opened_is_posted_tomorrow(shown: Town):
    mine = visible(shown.person("sample-citizen").get("mine").text)
    assert "児童手当" in mine and "子ども医療費" in mine
    now = shown.service.clock.now()
    for later, posted in ((timedelta(), []), (timedelta(days=1), ["unopened"])):
        with shown.service.database.transaction(tenant=shown.code) as session:
            delivery.post_unopened(session, now + later)
        with shown.service.database.reading(tenant=shown.code) as session:
            waiting = select(NoticeDocumentRow.post_reason).where(NoticeDocumentRow.delivery == "post")
            assert session.scalars(waiting).all() == posted


def reached(who: Browser, start: list[str], most: int = 400) -> dict[str, int]:
    """Address → status of every page and document that links lead to from `start`, each written path (digits and ids apart) a
    few times."""
    found, waiting, shapes = {}, list(start), Counter()
    while waiting and len(found) < most:
        address = waiting.pop(0).partition("#")[0]
        shape = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+|%[0-9A-F]{2}|after=[^&]+", "#", address)
        if address in found or shapes[shape] >= 3:
            continue
        shapes[shape] += 1
        answer = who.get(address)
        found[address] = answer.status_code
        if answer.headers.get("content-type", "").startswith("text/html"):
            links = [html.unescape(each) for each in re.findall(r'href="([^"]+)"', answer.text)]
            base = str(answer.url)
            joined = [urljoin(base, each).removeprefix("http://testserver") for each in links]
            waiting += [each for each in joined if each.startswith(f"/t/{who.town.code}/eapply/")]
    return found


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_page_that_a_link_leads_to_opens(shown: Town, lang: str):
    people = {
        "guest": (shown.guest(), ["", "mine", "enquiry", "verify"]),
        "citizen": (shown.person("sample-citizen"), ["", "mine"]),
        "manager": (shown.staff(roles=MANAGER), ["desk/"]),
    }
    for name, (who, start) in people.items():
        who.get("", params={"lang": lang})
        found = reached(who, [who.address(each) for each in start])
        assert len(found) > {"guest": 15, "citizen": 20, "manager": 80}[name], sorted(found)
        broken = {address: status for address, status in found.items() if status >= 400}
        assert broken == {}, (name, broken)
