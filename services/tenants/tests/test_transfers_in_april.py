"""人事異動: people come, go and change at once by a file; each line is shown before anything changes."""

import itertools
import json

import httpx
import pytest

from libs.common import audit
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.testing.service import NOW
from services.tenants.db import members as members_db
from services.tenants.domain import transfer as rules
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, OOKI
from services.tenants.use_cases import members, transfer

pytestmark = pytest.mark.any_store

PAGE = f"/portal/{OOKI}/transfer/"
HEAD = "区分,メールアドレス,氏名,権限\n"
PEOPLE = {
    "person-admin": ("admin@ooki.example", {"portal.admin"}),
    "person-stays": ("stays@ooki.example", {"eapply.reviewer"}),
    "person-goes": ("goes@ooki.example", {"eapply.reviewer", "eapply.manager"}),
    "person-moves": ("moves@ooki.example", {"eapply.reviewer"}),
}


@pytest.fixture
def town(cloud: Cloud) -> Cloud:
    with cloud.database.transaction(OOKI) as session:
        for person, (_, held) in PEOPLE.items():
            members.grant(session, ADMIN, OOKI, person, held, NOW)
    known = [{"id": p, "display_name": p, "email": e, "active": True} for p, (e, _) in PEOPLE.items()]
    cloud.others.answers["GET", "/internal/gateway/persons"] = (200, known)
    numbers = itertools.count(1)
    answer = cloud.others.__call__

    def invite(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/internal/gateway/invitations/many":
            cloud.others.asked.append(request)
            wanted = json.loads(request.content)["invitations"]
            return httpx.Response(201, json={"person_ids": [f"person-new-{next(numbers)}" for _ in wanted]})
        return answer(request)

    cloud.service.extras["neighbours"]._client = httpx.Client(transport=httpx.MockTransport(invite))
    return cloud


def held(database: Database) -> dict[str, set[str]]:
    with database.reading() as session:
        return members_db.roles_of(session, OOKI)


def send(cloud: Cloud, text: str | bytes, actor: Actor = ADMIN) -> httpx.Response:
    content = text if isinstance(text, bytes) else text.encode()
    return cloud.post(PAGE, actor, files={"file": ("異動.csv", content, "text/csv")})


def invited(cloud: Cloud) -> int:
    return sum(request.url.path.endswith("/invitations/many") for request in cloud.others.asked)


FILE = HEAD + (
    "転出,GOES@ooki.example,,\n"
    "変更,moves@ooki.example,,オープンデータの公開、電子申請の審査\n"
    "転入,comes@ooki.example,新任 花子,電子申請の審査\n"
    "変更,stays@ooki.example,,電子申請の審査\n"
)


def test_a_file_is_shown_line_by_line_and_then_taken_as_a_whole(town: Cloud) -> None:
    before = held(town.database)
    page = send(town, FILE)
    assert page.status_code == 200
    assert "3人分を反映する" in page.text and "変わらない行：1行" in page.text and "新任 花子" in page.text
    assert held(town.database) == before and not invited(town), "a preview changes nothing and writes to nobody"
    done = town.post(f"{PAGE}take", ADMIN, {"text": FILE})
    assert done.headers["location"] == f"{PAGE}?done=3", done.text
    assert held(town.database) == {
        "person-admin": {"portal.admin"},
        "person-stays": {"eapply.reviewer"},
        "person-moves": {"eapply.reviewer", "opendata.publisher"},
        "person-new-1": {"eapply.reviewer"},
    }
    with town.database.reading(OOKI) as session:
        assert any(entry.action == "members.transferred" for entry in audit.entries(session))


def test_hundreds_come_on_one_day(town: Cloud) -> None:
    """Not one request for each of them: the browser waits for all."""
    text = HEAD + "".join(f"転入,new{n}@ooki.example,新任 {n},電子申請の審査\n" for n in range(450))
    done = town.post(f"{PAGE}take", ADMIN, {"text": text})
    assert done.headers["location"] == f"{PAGE}?done=450", done.text
    assert len(held(town.database)) == len(PEOPLE) + 450 and invited(town) == 5
    asked = len(town.others.asked)
    assert town.get(PAGE.replace("transfer", "members"), ADMIN).status_code == 200
    sent = [request for request in town.others.asked[asked:] if request.url.path.endswith("/persons")]
    assert len(sent) == 5 and max(len(str(request.url)) for request in sent) < 8_000


def test_a_wrong_line_is_named_and_nothing_of_the_file_is_taken(town: Cloud) -> None:
    before = held(town.database)
    text = HEAD + "変更,moves@ooki.example,,オープンデータの公開\n転出,nobody@ooki.example,,\n"
    page = send(town, text)
    assert "3行目" in page.text and "いまの一覧に、この方がいません" in page.text
    assert town.post(f"{PAGE}take", ADMIN, {"text": text}).status_code == 409
    assert held(town.database) == before and not invited(town)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("退職,goes@ooki.example,,", "区分は「転入」「転出」「変更」"),
        ("転出,nobody@ooki.example,,", "いまの一覧に、この方がいません"),
        ("変更,goes@ooki.example,,市長", "「市長」という権限はありません"),
        ("変更,goes@ooki.example,,", "権限を一つ以上書いてください"),
        ("転入,new@ooki.example,,電子申請の審査", "氏名を100文字まで"),
        ("転入,new.ooki.example,新任,電子申請の審査", "メールアドレスの形"),
        ("転入,new@ooki,新任,電子申請の審査", "メールアドレスの形"),
        ("転入,new@new@ooki.example,新任,電子申請の審査", "メールアドレスの形"),
        ("転入,new name@ooki.example,新任,電子申請の審査", "メールアドレスの形"),
        ("転入,新任<new@ooki.example>,新任,電子申請の審査", "メールアドレスの形"),
        ("転出,admin@ooki.example,,", "ほかの管理者に"),
        ("転出,goes@ooki.example,,\n転出,Goes@ooki.example,,", "同じ方が2行目にもあります"),
        ("転入,new@ooki.example,新任,operator", "「operator」という権限はありません"),
    ],
)
def test_what_can_be_wrong_with_a_line(line: str, sentence: str) -> None:
    known = {email: (person, frozenset(roles)) for person, (email, roles) in PEOPLE.items()}
    plan = rules.plan(rules.read(HEAD + line + "\n"), known, members.ROLES, "person-admin")
    assert [sentence in why for _, why in plan.wrong] == [True]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "見出しがありません"),
        (b"a,b\n1,2\n", "見出しがありません"),
        (HEAD.encode(), "一行もありません"),
        (b"\xff\xfe\x00\x81", "文字を読み取れません"),
        (HEAD.encode() + b"\xff,a@b.example,,\n", "2行目に、読み取れない文字があります"),
        (HEAD.encode() + "転出,a@b.example,,\n".encode() * 501, "500行まで"),
    ],
)
def test_a_file_that_is_none_says_what_to_do(content: bytes, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.read(rules.decode(content))
    assert sentence in refused.value.fields["file"]


def test_a_file_of_a_spreadsheet_in_shift_jis_with_wide_letters(town: Cloud) -> None:
    text = "権限,氏名,メールアドレス,区分\r\n電子申請の審査,新任　花子,ｎｅｗ＠ooki.example, 転入 \r\n"
    assert "新任 花子" in send(town, text.encode("cp932")).text


def test_the_last_administrator_hands_over_only_to_somebody(town: Cloud) -> None:
    with town.database.transaction(OOKI) as session:
        members.grant(session, ADMIN, OOKI, "person-stays", {"portal.admin"}, NOW)
    successor = Actor("staff", "person-stays", "", OOKI, OOKI, frozenset({"portal.admin"}), "password", "sid-9")
    assert send(town, HEAD + "転出,admin@ooki.example,,\n", successor).status_code == 200
    done = town.post(f"{PAGE}take", successor, {"text": HEAD + "転出,admin@ooki.example,,\n"})
    assert done.status_code == 303
    assert "portal.admin" in held(town.database)["person-stays"]


def test_the_present_members_come_as_a_file_that_can_be_sent_back(town: Cloud) -> None:
    given = town.get(f"{PAGE}members.csv", ADMIN)
    assert "goes@ooki.example" in given.text and "admin@ooki.example" not in given.text
    page = send(town, given.content)
    assert "変わらない行：3行" in page.text, "sent back as it is, it changes nothing"


def test_nobody_else_sends_one(town: Cloud) -> None:
    reviewer = Actor("staff", "person-stays", "", OOKI, OOKI, frozenset({"eapply.reviewer"}), "password", "s")
    elsewhere = Actor("staff", "person-x", "", KURUME, KURUME, frozenset({"portal.admin"}), "password", "s")
    assert [send(town, FILE, who).status_code for who in (reviewer, elsewhere, GUEST)] == [403, 404, 401]


def test_while_the_members_cannot_be_asked_for_nobody_is_taken_for_new_and_nobody_loses_a_right(town: Cloud) -> None:
    """Whoever comes keeps what they have, also when the file's writer does not know that they are here already."""
    before = held(town.database)
    town.others.answers["GET", "/internal/gateway/persons"] = (503, {})
    file = HEAD + "転入,stays@ooki.example,在席,データバックアップの管理\n"
    assert send(town, file).status_code == 503
    assert town.post(f"{PAGE}take", ADMIN, {"text": file}).status_code == 503
    assert held(town.database) == before and not invited(town)


def test_whoever_comes_under_another_address_keeps_the_rights_they_have(town: Cloud) -> None:
    """The gateway knows by the new address somebody who is here already; the list of a moment ago did not."""
    line = rules.Line(2, "転入", "stays@new.example", "在席", "データバックアップの管理")
    step = rules.Step(line, "come", line.email, roles=frozenset({"backup.manager"}))
    with town.database.transaction(OOKI) as session:
        ids = {line.email: "person-stays"}
        transfer.take(session, ADMIN, rules.Plan([step]), ids, members.ROLES, NOW)
    assert held(town.database)["person-stays"] == {"eapply.reviewer", "backup.manager"}
