"""Example applications for the sample prefecture: made up, and made by the same use cases that people use.

    sample.load(service, tenant="402036", code="402036", name="久留米市", staff=("<person id>", "古賀 真理"), say=print)

Does nothing where the municipality has applications already.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.room import RoomRequest
from libs.common.room.table import OPEN, set_state
from libs.common.service import Service
from services.eapply import sample_answers, sample_stories
from services.eapply.db import ApplicationRow
from services.eapply.rooms import EapplyRoom
from services.eapply.sample_stories import Hall
from services.eapply.use_cases import (
    approve,
    calendar,
    correct,
    handling,
    inventory,
    numbers,
    paper,
    procedures,
    review,
    templates,
    visits,
    who,
)

Say = Callable[[str], None]

NAMES = [
    ("御井 さくら", "みい さくら"),
    ("合川 ミツ", "あいかわ みつ"),
    ("髙良 健", "こうら けん"),
    ("荒木 直美", "あらき なおみ"),
    ("𠮷田 大輔", "よしだ だいすけ"),
    ("津福 勇", "つぶく いさむ"),
    ("安武 リン", "やすたけ りん"),
    ("国分 恵", "こくぶ めぐみ"),
]
"""Nobody's: place names of Kurume with given names."""
PROPOSED = "kodomo-iryo"
"""The procedure whose decisions a second person approves here."""
AGES = (19, 14, 9, 6, 4, 3, 1, 0)
"""How many days ago each applied."""
APPLICATIONS = len(NAMES) + 1 + sample_stories.APPLICATIONS
"""With the one on paper."""


def load(
    service: Service,
    *,
    tenant: str,
    code: str,
    name: str,
    staff: tuple[str, str],
    citizen: tuple[str, str] = ("sample-citizen", "筑後 陽子"),
    say: Say = print,
) -> None:
    """The room, and applications at every stage, in one municipality. `staff`, `citizen`: (id, name) of accounts."""
    now = service.clock.now()
    _open_room(service, tenant, code, name, now)
    with service.database.reading(tenant=tenant) as session:
        if session.scalar(select(ApplicationRow.id).limit(1)) is not None:
            return
    desk = Actor("staff", staff[0], staff[1], tenant, code, frozenset({"eapply.reviewer", "eapply.manager"}))
    colleague = Actor("staff", "sample-clerk", "見本 太郎", tenant, code, frozenset({"eapply.reviewer"}))
    hall = Hall(service, tenant, code, desk, colleague)
    maker = _Maker(hall)
    maker.set_up_the_desk(now)
    for number, (person, days) in enumerate(zip(NAMES, AGES, strict=True)):
        at = now - timedelta(days=days, minutes=37 * number)
        maker.apply_and_go_on(number, person, at)
    maker.enter_paper_and_propose(now)
    person = Actor("person", citizen[0], citizen[1], tenant, code, acr="password", sid="sample-citizen")
    sample_stories.tell(hall, person, now)
    say(f"{name}の申請（見本）：{APPLICATIONS}件")
    with hall.writing() as session:
        _take_stock(session, desk, now)
        templates.adopt(session, desk, templates.COMMON, "hoiku-riyou", now)
    say(f"{name}の棚卸し（見本）と、ひな型から作った下書き")


STOCK = """手続名,担当課,根拠法令,年間件数,標準処理期間（開庁日）,オンライン,していない理由,備考
保育所の入所申込,保育課,児童福祉法第24条,1200,30,×,これからオンライン化する,
住民票の写しの交付,市民課,住民基本台帳法第12条,45000,1,×,手数料の払い方が決まらない,
婚姻の届出,市民課,戸籍法第74条,900,,×,法令で対面が要る,
道路の占用許可,土木課,道路法第32条,300,14,×,件数が少ない,
犬の登録,環境課,狂犬病予防法第4条,,1,×,,
"""
"""Lines as a municipality would send them; the numbers are made up."""


def _take_stock(session: Session, manager: Actor, now: datetime) -> None:
    """What is online, and a few procedures that are not yet."""
    inventory.take_published(session, manager, now)
    inventory.import_sheet(session, manager, STOCK.encode(), now)


def _open_room(service: Service, tenant: str, code: str, name: str, now: datetime) -> None:
    """As on a request of the registry, which will come as well and change nothing more."""
    request = RoomRequest("sample", tenant, "provision", code=code, name=name)
    room.drain(EapplyRoom(service).provision(request))
    with service.database.transaction(tenant=tenant) as session:
        if room.state_of(session, tenant) is None:
            set_state(session, request, OPEN, now)


class _Maker:
    """Makes one application after another; what becomes of it depends on its number."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    def set_up_the_desk(self, now: datetime) -> None:
        """A fee after the decision, visits, a second person's approval, a closed day, times at the window, paper counted."""
        fee = {"when": "after", "amount": 500, "basis": "講座の参加費（見本）", "exempt": ["高校生以下の方"]}
        today, desk = local_date(now), self._hall.desk
        with self._hall.writing() as session:
            for key, changed in (
                ("event-moushikomi", {"fee": fee, "visits": True}),
                (PROPOSED, {"second_person": True}),
            ):
                handling.change(session, desk, key, procedures.find(session, key).version, changed, now)
            closed = today + timedelta(days=40)
            calendar.close(session, desk, closed, closed, "市制施行記念日（見本）", now)
            last = today + timedelta(days=14)
            hours = visits.Hours(today, last, time(9), time(12), minutes=30, capacity=2, place="本庁舎1階 3番窓口")
            visits.offer(session, desk, hours, now)
            procedure, _ = procedures.open_procedure(session, "event-moushikomi")
            last_month = today.replace(day=1) - timedelta(days=1)
            numbers.count_paper(session, desk, procedure.id, last_month, 12, now)

    def enter_paper_and_propose(self, now: datetime) -> None:
        """A paper application that another member of staff has proposed to grant: it waits for a second person."""
        clerk, site = self._hall.colleague, self._hall.site
        written = paper.Paper("合川 薫", "あいかわ かおる", now - timedelta(days=2), "原本は書庫の棚A（見本）")
        with self._hall.writing() as session:
            row, _ = paper.enter(session, clerk, PROPOSED, written, now, site=site)
            review.take(session, clerk, row.id, row.version, now)
            approve.propose(session, clerk, row.id, row.version, review.Decision("approved"), now, site=site)

    def apply_and_go_on(self, number: int, person: tuple[str, str], at: datetime) -> None:
        guest = self._hall.guest(str(number))
        if number % 2:
            application = self._hall.apply(guest, "risai-shomei", sample_answers.damage(person, at), at)
        else:
            application = self._hall.apply(guest, "event-moushikomi", sample_answers.event(person), at)
        later = at + timedelta(hours=3)
        match number:
            case 0:
                remark = "当日は受付で受付番号をお伝えください。"
                self._hall.decide(application, review.Decision("approved", remark=remark), later)
            case 1:
                reason = "提出された写真では、被害の場所を確かめられなかったため。現地の調査を申し込まれると、もう一度申請できます。"
                self._hall.decide(application, review.Decision("refused", reason), later)
            case 2:
                self._return(application, "people", "1つの申し込みは4人までです。人数を確かめてください。", later)
            case 3:
                self._return(application, "damage", "水につかった高さ（床から何cmか）を書いてください。", later)
                mended = {"damage": "床上30cmまで水につかった。畳と壁が使えない。"}
                self._mend(application, guest, mended, later + timedelta(hours=9))
            case 4 | 5:
                self._hall.take(self._hall.desk, application, later)

    def _return(self, application: str, field: str, reason: str, at: datetime) -> None:
        self._hall.take(self._hall.desk, application, at)
        due = local_date(at) + timedelta(days=21)
        wanted = [correct.Wanted(field, reason)]
        with self._hall.writing() as session:
            correct.request(session, self._hall.desk, application, 2, wanted, "", due, at, site=self._hall.site)

    def _mend(self, application: str, guest: Actor, answers: Mapping[str, str], at: datetime) -> None:
        with self._hall.writing() as session:
            who.grant(session, guest, application, at)  # as number and 照会キー do, days later
            mending = correct.find(session, guest, application, at, lock=True)
            correct.save(mending, answers.items())
            correct.send(session, guest, application, mending.correction.id, at, site=self._hall.site)
