"""Example applications for the sample prefecture: made up, and made by the same use cases that people use.

    sample.load(service, tenant="402036", code="402036", name="久留米市", staff=("<person id>", "古賀 真理"), say=print)

Does nothing where the municipality has applications already.
"""

import io
from collections.abc import Callable
from datetime import datetime, time, timedelta

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.room import RoomRequest
from libs.common.room.table import OPEN, set_state
from libs.common.service import Service
from services.eapply.db import ApplicationRow
from services.eapply.domain import receipt
from services.eapply.rooms import EapplyRoom
from services.eapply.use_cases import (
    approve,
    attach,
    calendar,
    correct,
    drafts,
    handling,
    inventory,
    numbers,
    paper,
    procedures,
    review,
    submit,
    templates,
    visits,
    who,
)

Say = Callable[[str], None]
Answers = dict[str, str]

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


def load(service: Service, *, tenant: str, code: str, name: str, staff: tuple[str, str], say: Say = print) -> None:
    """The room, and applications at every stage, in one municipality."""
    now = service.clock.now()
    _open_room(service, tenant, code, name, now)
    with service.database.reading(tenant=tenant) as session:
        if session.scalar(select(ApplicationRow.id).limit(1)) is not None:
            return
    desk = Actor("staff", staff[0], staff[1], tenant, code, frozenset({"eapply.reviewer"}))
    maker = _Maker(service, tenant, code, desk)
    maker.set_up_the_desk(now)
    for number, (person, days) in enumerate(zip(NAMES, AGES, strict=True)):
        at = now - timedelta(days=days, minutes=37 * number)
        maker.apply_and_go_on(number, person, at)
    maker.enter_paper_and_propose(now)
    say(f"{name}の申請（見本）：{len(NAMES) + 1}件")
    manager = Actor("staff", staff[0], staff[1], tenant, code, frozenset({"eapply.manager"}))
    with service.database.transaction(tenant=tenant) as session:
        _take_stock(session, manager, now)
        templates.adopt(session, manager, templates.COMMON, "hoiku-riyou", now)
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

    def __init__(self, service: Service, tenant: str, code: str, desk: Actor) -> None:
        self._service, self._tenant, self._code, self._desk = service, tenant, code, desk
        self._site = f"{service.settings.public_url}/t/{code}/eapply"

    def set_up_the_desk(self, now: datetime) -> None:
        """A fee after the decision, visits, a second person's approval, a closed day, times at the window, paper counted."""
        fee = {"when": "after", "amount": 500, "basis": "講座の参加費（見本）", "exempt": ["高校生以下の方"]}
        today = local_date(now)
        with self._service.database.transaction(tenant=self._tenant) as session:
            handling.change(session, self._desk, "event-moushikomi", {"fee": fee, "visits": True}, now)
            handling.change(session, self._desk, PROPOSED, {"second_person": True}, now)
            closed = today + timedelta(days=40)
            calendar.close(session, self._desk, closed, closed, "市制施行記念日（見本）", now)
            last = today + timedelta(days=14)
            hours = visits.Hours(today, last, time(9), time(12), minutes=30, capacity=2, place="本庁舎1階 3番窓口")
            visits.offer(session, self._desk, hours, now)
            procedure, _ = procedures.open_procedure(session, "event-moushikomi")
            last_month = today.replace(day=1) - timedelta(days=1)
            numbers.count_paper(session, self._desk, procedure.id, last_month, 12, now)

    def enter_paper_and_propose(self, now: datetime) -> None:
        """A paper application that another member of staff has proposed to grant: it waits for a second person."""
        clerk = Actor("staff", "sample-clerk", "見本 太郎", self._tenant, self._code, self._desk.roles)
        written = paper.Paper("合川 薫", "あいかわ かおる", now - timedelta(days=2), "原本は書庫の棚A（見本）")
        with self._service.database.transaction(tenant=self._tenant) as session:
            row, _ = paper.enter(session, clerk, PROPOSED, written, now, site=self._site)
            review.take(session, clerk, row.id, row.version, now)
            approve.propose(session, clerk, row.id, row.version, review.Decision("approved"), now, site=self._site)

    def apply_and_go_on(self, number: int, person: tuple[str, str], at: datetime) -> None:
        procedure, answers = (_event, _damage)[number % 2](person, at)
        application = self._apply(number, procedure, answers, at)
        later = at + timedelta(hours=3)
        match number:
            case 0:
                self._decide(
                    application, review.Decision("approved", remark="当日は受付で受付番号をお伝えください。"), later
                )
            case 1:
                reason = "提出された写真では、被害の場所を確かめられなかったため。現地の調査を申し込まれると、もう一度申請できます。"
                self._decide(application, review.Decision("refused", reason), later)
            case 2:
                self._return(application, "people", "1つの申し込みは4人までです。人数を確かめてください。", later)
            case 3:
                self._return(application, "damage", "水につかった高さ（床から何cmか）を書いてください。", later)
                self._mend(
                    application,
                    number,
                    {"damage": "床上30cmまで水につかった。畳と壁が使えない。"},
                    later + timedelta(hours=9),
                )
            case 4 | 5:
                self._take(application, later)

    def _apply(self, number: int, procedure: str, answers: Answers, at: datetime) -> str:
        actor = self._guest(number)
        with self._service.database.transaction(tenant=self._tenant) as session:
            draft = drafts.start(session, actor, procedure, at)
            fields = list(draft.procedure.fields)
            drafts.save(draft, fields, answers.items(), at)
            if procedure == "risai-shomei":
                self._add_photograph(session, draft, at)
            return submit.submit(
                session, actor, draft.row.id, receipt.new_enquiry_key(), at, site=self._site
            ).application.id

    def _add_photograph(self, session, draft: drafts.Draft, at: datetime) -> None:  # type: ignore[no-untyped-def]
        field = attach.file_field(draft.procedure, "photos")
        picture = io.BytesIO()
        Image.new("RGB", (640, 480), "#97d3ff").save(picture, "JPEG")
        size = picture.tell()
        picture.seek(0)
        kept = attach.keep(self._service.extras["files"], self._tenant, field, picture, size, "被害の写真（見本）.jpg")
        attach.attach(session, draft.row, field, "photos", kept, at)

    def _take(self, application: str, at: datetime) -> None:
        with self._service.database.transaction(tenant=self._tenant) as session:
            review.take(session, self._desk, application, 1, at)

    def _decide(self, application: str, decision: review.Decision, at: datetime) -> None:
        self._take(application, at)
        with self._service.database.transaction(tenant=self._tenant) as session:
            review.decide(session, self._desk, application, 2, decision, at + timedelta(minutes=9), site=self._site)

    def _return(self, application: str, field: str, reason: str, at: datetime) -> None:
        self._take(application, at)
        due = local_date(at) + timedelta(days=21)
        wanted = [correct.Wanted(field, reason)]
        with self._service.database.transaction(tenant=self._tenant) as session:
            correct.request(session, self._desk, application, 2, wanted, "", due, at, site=self._site)

    def _mend(self, application: str, number: int, answers: Answers, at: datetime) -> None:
        actor = self._guest(number)
        with self._service.database.transaction(tenant=self._tenant) as session:
            who.grant(session, actor, application, at)  # as number and 照会キー do, days later
            mending = correct.find(session, actor, application, at, lock=True)
            correct.save(mending, answers.items())
            correct.send(session, actor, application, mending.correction.id, at, site=self._site)

    def _guest(self, number: int) -> Actor:
        return Actor("guest", f"sample-{number}", tenant=self._tenant, code=self._code, sid=f"sample-{number}")


def _event(person: tuple[str, str], at: datetime) -> tuple[str, Answers]:
    return "event-moushikomi", {
        "event": "はじめての古文書講座",
        "name": person[0],
        "kana": person[1],
        "phone": "090-0000-0000",
        "people": "2",
    }


def _damage(person: tuple[str, str], at: datetime) -> tuple[str, Answers]:
    day = local_date(at - timedelta(days=2))
    home = {"postal": "830-0022", "city": "福岡県久留米市", "street": "城南町0番地（見本）", "house": ""}
    return "risai-shomei", {
        "name": person[0],
        "kana": person[1],
        **{f"address.{part}": text for part, text in home.items()},
        **{f"place.{part}": text for part, text in home.items()},
        "phone": "090-0000-0000",
        "relation": "owner_living",
        "disaster_date_era": "seireki",
        "disaster_date_year": str(day.year),
        "disaster_date_month": str(day.month),
        "disaster_date_day": str(day.day),
        "cause": "rain",
        "damage": "床上まで水につかった。",
        "copies": "1",
    }
