"""The desk's search asks pairs of characters first, and finds exactly what looking at every application finds."""

import random

import pytest
from sqlalchemy import delete, func, select, update

from libs.common.room import RoomRequest, drain
from libs.common.service import Service
from services.eapply.db import ApplicationRow, PairRow, ProcedureRow
from services.eapply.domain import receipt
from services.eapply.forms.text import search_key
from services.eapply.rooms import EapplyRoom
from services.eapply.tests.people import EVENT, Town, visible
from services.eapply.tests.test_after_the_decision import delete_over, ended, there
from services.eapply.tests.test_staff_decide import DUE, mended, step, taken
from services.eapply.use_cases import erase, pairs, procedures, queue, submit

pytestmark = pytest.mark.any_store

SURNAMES = [
    "荒木",
    "𠮷田",
    "吉田",
    "髙橋",
    "高橋",
    "山﨑",
    "渡邉󠄀",
    "辻󠄀",
    "神",
    "ﾔﾏﾀﾞ",
    "ヤマダ",
    "やまだ",
    "O'Hara",
    "ＡＢＥ",
    "Ā b%_",
]
GIVEN = ["直美", "一郎", "𠮷郎", "ガブリエル", "ｶﾞﾌﾞﾘｴﾙ", "はな子", "・", "2世", "木直"]
KANA = ["アラキ ナオミ", "よしだ いちろう", "ﾔﾏﾀﾞ ﾊﾅｺ", "ジ"]


def arrived(town: Town, names: list[tuple[str, str]]) -> None:
    """One application for each (name, kana)."""
    actor = town.guest().actor
    with town.service.database.transaction(tenant=town.code) as session:
        row = session.scalars(select(ProcedureRow).where(ProcedureRow.key == "event-moushikomi")).one()
        procedure = procedures.definition(session, row.id, row.version)
        for name, kana in names:
            answers = EVENT | {"name": name, "kana": kana, "people": 2}
            arrival = submit.Arrival(row.id, row.version, procedure, answers, None, None)
            submit.arrive(
                session, actor, arrival, receipt.new_enquiry_key(), town.service.clock.now(), site="https://example.jp"
            )


def found(town: Town, words: str) -> set[str]:
    with town.service.database.reading(tenant=town.code) as session:
        wanted = queue.Filter(words=words)
        return {row.id for row in queue.every(session, town.staff().actor, wanted, town.service.clock.now())}


def looked_for(town: Town, words: str) -> set[str]:
    """The plain search: every application is looked at."""
    keys = [search_key(word) for word in words.split()]
    with town.service.database.reading(tenant=town.code) as session:
        return {row.id for row in session.scalars(select(ApplicationRow)) if all(key in row.search for key in keys)}


def asked(chance: random.Random, texts: list[str]) -> str:
    """One to three pieces of what was written, or of what nobody wrote."""
    words = []
    for _ in range(chance.randint(1, 3)):
        text_ = chance.choice(texts)
        first = chance.randrange(len(text_))
        words.append(text_[first : first + chance.randint(1, 5)])
    return " ".join(words)


def pairs_kept(town: Town) -> set[str]:
    with town.service.database.reading(tenant=town.code) as session:
        return set(session.scalars(select(PairRow.pair)))


@pytest.mark.parametrize("most", [1, 5, 2000])
def test_pairs_find_what_looking_at_every_application_finds(town: Town, monkeypatch: pytest.MonkeyPatch, most: int):
    chance = random.Random(most)
    names = [
        (f"{chance.choice(SURNAMES)} {chance.choice(GIVEN)}", f"{chance.choice(KANA)}{number % 3}")
        for number in range(60)
    ]
    arrived(town, names)
    monkeypatch.setattr(pairs, "MOST", most)
    texts = [*SURNAMES, *GIVEN, *KANA, *(each for both in names for each in both), "402036-2611", "木荒", "田髙"]
    hits = 0
    for _ in range(150):
        words = asked(chance, texts)
        assert found(town, words) == looked_for(town, words), words
        hits += bool(found(town, words))
    assert 20 < hits < 150, "some are found, some are not"


def test_a_rare_name_is_looked_for_among_few(town: Town):
    arrived(town, [("荒木 直美", "アラキ ナオミ"), ("国分 大輔", "コクブ ダイスケ")])
    with town.service.database.reading(tenant=town.code) as session:
        assert len(pairs.among(session, ["荒木"]) or []) == 1
        assert pairs.among(session, ["木荒"]) == [], "nobody: no application is looked at"
        assert pairs.among(session, ["木"]) is None and pairs.among(session, ["402036-26"]) is None


def test_a_corrected_name_is_found_and_the_old_one_no_more(town: Town):
    guest, staff, sent = taken(town)
    step(staff, sent, "correction", fields=["name"], message="", **{"reason:name": "戸籍のとおりに。"}, **DUE)
    mended(guest, sent, name="荒木 直美")
    assert found(town, "荒木") == {sent.id} and found(town, "髙橋") == set()
    assert "荒木" in pairs_kept(town) and "𠮷郎" not in pairs_kept(town)


def test_what_the_release_before_wrote_is_found_before_and_after_the_timer(town: Town):
    """While processes are replaced one by one, old ones file and correct without pairs."""
    arrived(town, [("荒木 直美", "アラキ ナオミ"), ("国分 大輔", "コクブ ダイスケ"), ("堀 慎一", "ホリ シンイチ")])
    with town.service.database.transaction(tenant=town.code) as session:
        new, corrected, _ = session.scalars(select(ApplicationRow).order_by(ApplicationRow.serial))
        session.execute(delete(PairRow).where(PairRow.application_id == new.id))
        session.execute(update(ApplicationRow).where(ApplicationRow.id == new.id).values(paired=None))
        session.execute(
            update(ApplicationRow).where(ApplicationRow.id == corrected.id).values(search="1\n樋口\nヒグチ")
        )
        ids = new.id, corrected.id
    assert (found(town, "荒木"), found(town, "樋口")) == ({ids[0]}, {ids[1]}), "before"
    with town.service.database.transaction(tenant=town.code) as session:
        assert pairs.keep_missing(session) is False
        assert pairs.among(session, ["荒木"]) == [ids[0]] and pairs.among(session, ["樋口"]) == [ids[1]]
    assert found(town, "国分") == set() and "国分" not in pairs_kept(town)
    assert "堀慎" in pairs_kept(town), "the others' stay"


def test_pairs_go_with_their_application(town: Town):
    ended(town)
    assert pairs_kept(town)
    town.service.clock.advance(days=62)
    assert delete_over(town).certificate is not None and there(town) == 0
    assert pairs_kept(town) == set()


def test_pairs_go_even_if_the_release_before_deletes(town: Town, monkeypatch: pytest.MonkeyPatch):
    """It does not know the table: without the cascade its deletion would fail, or leave pieces of names behind."""
    known = tuple(model for model in erase._BELONGING if model is not PairRow)
    assert len(known) == len(erase._BELONGING) - 1
    monkeypatch.setattr(erase, "_BELONGING", known)
    arrived(town, [("荒木 直美", "アラキ ナオミ")])
    with town.service.database.transaction(tenant=town.code) as session:
        erase.erase(session, list(session.scalars(select(ApplicationRow.id))))
    assert there(town) == 0 and pairs_kept(town) == set()


def test_what_was_taken_in_from_an_archive_is_found(town: Town, elsewhere: Service):
    arrived(town, [("荒木 直美", "アラキ ナオミ")])
    made = drain(EapplyRoom(town.service).export(RoomRequest("r", town.code, "export")))
    with town.service.extras["files"].open(town.code, made["file"]) as archive:
        carried = elsewhere.extras["files"].put(town.code, archive.chunks, limit=10**9)
    drain(EapplyRoom(elsewhere).import_(RoomRequest("i", town.code, "import", archive=carried.id)))
    with elsewhere.database.transaction(tenant=town.code) as session:
        (row,) = session.scalars(select(ApplicationRow))
        assert row.paired is None and pairs.among(session, ["荒木"]) == [row.id]
        pairs.keep_missing(session)
        assert row.paired == row.search and session.scalar(select(func.count()).select_from(PairRow))


def test_another_municipality_finds_nothing(town: Town, neighbour: Town):
    arrived(town, [("荒木 直美", "アラキ ナオミ")])
    assert found(neighbour, "荒木") == set() and pairs_kept(neighbour) == set()
    assert "荒木 直美" in visible(town.staff().get("desk/", params={"words": "荒木"}).text)
