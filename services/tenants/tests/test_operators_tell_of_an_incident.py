"""Operators write on the public status page what does not work, how it goes on and when it was over."""

import re
from datetime import date

import pytest

from libs.common.testing.service import NOW
from services.tenants.api import status
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, OOKI, OPERATOR
from services.tenants.tests.test_administrators_hear_of_it import ELSEWHERE, kinds
from services.tenants.tests.test_how_things_run import all_well, said
from services.tenants.use_cases import members, subscribe

pytestmark = pytest.mark.any_store

PAGE = "/operator/incidents"
BEGUN = {"part": "eapply", "began": "2026-11-20T09:30", "text": "申請を送れません。窓口では受け付けています。"}
"""It is 10:52 in Japan."""
OVER = {"ended": "2026-11-20T10:30", "text": "直りました。送り直しはいりません。"}


def begun(cloud: Cloud, **changes: str) -> str:
    """Its id."""
    assert cloud.post(PAGE, OPERATOR, BEGUN | changes).status_code == 303
    found = re.search(rf"{PAGE}/([0-9a-f-]+)/report", cloud.get(PAGE, OPERATOR).text)
    assert found
    return found[1]


def sections(cloud: Cloud) -> tuple[str, str]:
    """What the status page says before and after what is over."""
    now, _, over = cloud.get("/status/", GUEST).text.partition("終わった障害")
    return now, over


def test_everybody_reads_what_does_not_work_how_it_goes_on_and_that_it_was_over(cloud: Cloud) -> None:
    all_well(cloud)
    ident = begun(cloud)
    now, over = sections(cloud)
    assert BEGUN["text"] in now and "11月20日（金）9時30分から" in now and not over
    assert said(cloud)["電子申請サービス"] == status.STATES["incident"][0], "it answers, but it is not said to work"
    assert said(cloud)["電子入札サービス"] == status.STATES["up"][0]
    assert BEGUN["text"] in cloud.get(f"/portal/{OOKI}/", ADMIN).text

    cloud.clock.advance(seconds=600)
    assert cloud.post(f"{PAGE}/{ident}/report", OPERATOR, {"text": "原因がわかりました。"}).status_code == 303
    now, _ = sections(cloud)
    assert 0 < now.index("原因がわかりました。") < now.index(BEGUN["text"]), "the latest first"
    assert "原因がわかりました。" in cloud.get(f"/portal/{OOKI}/", ADMIN).text

    assert cloud.post(f"{PAGE}/{ident}/end", OPERATOR, OVER).status_code == 303
    now, over = sections(cloud)
    assert "いま起きている障害" not in now and all(t in over for t in (BEGUN["text"], OVER["text"], "10時30分"))
    assert said(cloud)["電子申請サービス"] == status.STATES["up"][0]
    assert BEGUN["text"] not in cloud.get(f"/portal/{OOKI}/", ADMIN).text

    cloud.post(f"{PAGE}/{ident}/report", OPERATOR, {"text": "原因は古い証明書でした。"})
    assert "原因は古い証明書でした。" in sections(cloud)[1], "what the cause was is found out afterwards"
    cloud.clock.advance(days=status.PAST.days)
    assert BEGUN["text"] not in cloud.get("/status/", GUEST).text


def test_an_incident_of_everything_is_said_of_every_part_but_does_not_hide_that_one_is_silent(cloud: Cloud) -> None:
    all_well(cloud)
    begun(cloud, part="")
    cloud.others.answers["GET", "/health/ready"] = (503, {})
    cloud.clock.advance(seconds=6)
    found = said(cloud)
    assert found.pop("市町村の台帳と窓口") == status.STATES["incident"][0]
    assert set(found.values()) == {status.STATES["down"][0]}


def test_one_written_by_mistake_is_withdrawn_with_a_reason(cloud: Cloud) -> None:
    ident = begun(cloud)
    refused = cloud.post(f"{PAGE}/{ident}/withdraw", OPERATOR, {"why": " "})
    assert refused.status_code == 422 and "取り下げる理由" in refused.text
    assert cloud.post(f"{PAGE}/{ident}/withdraw", OPERATOR, {"why": "訓練の文を送りました"}).status_code == 303
    assert BEGUN["text"] not in cloud.get("/status/", GUEST).text + cloud.get(PAGE, OPERATOR).text
    assert "訓練の文を送りました" in cloud.get("/operator/records", OPERATOR).text
    for step, form in (("report", {"text": "あ"}), ("end", OVER), ("withdraw", {"why": "あ"})):
        assert cloud.post(f"{PAGE}/{ident}/{step}", OPERATOR, form).status_code == 404, step


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"part": "nothing"}, "一覧から選んで"),
        ({"began": "きのう"}, "日付と時刻を"),
        ({"began": "2026-11-20T11:00"}, "まだ来ていない時刻"),
        ({"began": "2026-08-22T10:52"}, "90日より前"),
        ({"text": ""}, "内容を入力してください"),
        ({"text": "長" * 2001}, "2,000文字まで"),
    ],
)
def test_an_incident_that_cannot_be_is_refused_with_the_form(cloud: Cloud, changes: dict[str, str], told: str) -> None:
    form = BEGUN | changes
    answer = cloud.post(PAGE, OPERATOR, form)
    assert answer.status_code == 422 and told in answer.text and form["text"] in answer.text
    assert "いま起きている障害はありません" in answer.text


def test_an_end_that_cannot_be_is_refused_and_two_who_end_it_at_once_are_told(cloud: Cloud) -> None:
    ident = begun(cloud)
    for ended, told in (
        ("2026-11-20T09:30", "始まった時刻より後"),
        ("2026-11-20T10:53", "まだ来ていない"),
        ("", "日付と"),
    ):
        answer = cloud.post(f"{PAGE}/{ident}/end", OPERATOR, OVER | {"ended": ended})
        assert answer.status_code == 422 and told in answer.text and OVER["text"] in answer.text
    assert cloud.post(f"{PAGE}/{ident}/end", OPERATOR, OVER).status_code == 303
    assert cloud.post(f"{PAGE}/{ident}/end", OPERATOR, OVER).status_code == 409


def test_administrators_of_whom_it_concerns_hear_of_its_beginning_and_its_end(cloud: Cloud) -> None:
    for who in (ADMIN, ELSEWHERE):
        with cloud.database.transaction(tenant=who.tenant) as session:
            members.grant(session, OPERATOR, who.tenant or "", who.subject, set(who.roles), NOW)
    with cloud.database.transaction(tenant=OOKI) as session:
        joined = [Interval(OOKI, "eapply", "joined", date(2018, 4, 1), None, NOW)]
        subscribe.correct_history(session, ADMIN, OOKI, "eapply", joined, "検査", NOW)
    ident = begun(cloud)
    cloud.post(f"{PAGE}/{ident}/report", OPERATOR, {"text": "調べています。"})
    cloud.post(f"{PAGE}/{ident}/end", OPERATOR, OVER)
    assert kinds(cloud) == ["incident"] * 2 and kinds(cloud, ELSEWHERE) == []
    begun(cloud, part="gateway")
    assert kinds(cloud) == ["incident"] * 3 and kinds(cloud, ELSEWHERE) == ["incident"], "the door is everybody's"
