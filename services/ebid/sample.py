"""Example tenders at every stage for the sample prefecture: made up, and made by the same use cases that people use.

    sample.load(service, town, officer, manager, trustees, companies, passphrase, say=print)

Bids are sealed here as a company's own tool would. The trustees' key files are written into DATA_DIR: whoever tries the sample
plays the trustees, too. Does nothing where the municipality has tenders already.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from libs.common import room
from libs.common.actor import Actor
from libs.common.clock import JST, fiscal_year
from libs.common.room import RoomRequest
from libs.common.room.table import OPEN, set_state
from libs.common.service import Service
from services.ebid.db import TenderRow
from services.ebid.domain import procedure
from services.ebid.domain.company import check_digit
from services.ebid.domain.opened import bid_payload
from services.ebid.domain.procedure import Dates
from services.ebid.domain.terms import SETTLE
from services.ebid.rooms import EbidRoom
from services.ebid.sealing import envelope, trustee
from services.ebid.settings import office_of
from services.ebid.use_cases import (
    announcing,
    awards,
    bids,
    companies,
    contracts,
    log,
    opening,
    participation,
    plans,
    questions,
    scores,
    sealed,
    tenders,
    trustees,
    verifying,
)
from services.ebid.use_cases.plans import Plan
from services.ebid.use_cases.tenders import Draft

Say = Callable[[str], None]
Person = tuple[str, str]
"""Id and name."""

COMPANIES = ("株式会社高良建設", "合資会社筑後川工業", "有限会社城島舗装", "田主丸土木株式会社", "株式会社荒木組")
INSTITUTIONS = ("会計課", "監査委員事務局", "県共同クラウド協議会")
KEY_FILE = "sample-trustee-{number}.json"


@dataclass(frozen=True)
class Town:
    tenant: str
    code: str
    name: str


def load(
    service: Service, town: Town, officer: Person, manager: Person, keys: list[Person], people: list[Person], passphrase: str,
    say: Say = print,
) -> None:  # fmt: skip
    """The room, trustees, companies, and a tender at each stage. `keys`: three trustees; `people`: for whom companies act."""
    now = service.clock.now()
    _open_room(service, town, now)
    with service.database.reading(tenant=town.tenant) as session:
        if session.scalar(select(TenderRow.id).limit(1)) is not None:
            return
    maker = _Maker(service, town, officer, manager)
    maker.register_trustees(keys, passphrase, now - timedelta(days=60))
    maker.register_companies(people, now - timedelta(days=50))
    maker.plan("田主丸運動公園照明改修工事", 90, now)
    maker.plan("庁舎清掃業務", 150, now, category="services")
    stages = [
        maker.concluded("市道日吉町線舗装補修工事", now, 30, [9_000_000, 9_000_000, 9_500_000, 7_999_999, 10_000_001]),
        maker.failed("旧庁舎書庫整理業務", now, 20),
        maker.opened("中央公民館空調更新工事", now, 10, [8_700_000, 8_900_000, 9_100_000]),
        maker.waiting("東部小学校トイレ改修工事", now, [9_200_000, 9_050_000]),
        maker.accepting("津福浄水場ポンプ更新工事", now),
        maker.scored("耳納山麓橋りょう補修工事", now),
        maker.review("児童遊園遊具更新", now),
        maker.draft("図書館書架購入", now),
        maker.cancelled("城南町水路浚渫工事", now, 15),
    ]
    say(f"{town.name}の入札（見本）：{len(stages)}件。開封のかぎは {service.data_dir / KEY_FILE.format(number='1〜3')}")


def _open_room(service: Service, town: Town, now: datetime) -> None:
    """As on a request of the registry, which will come as well and change nothing more."""
    request = RoomRequest("sample", town.tenant, "provision", code=town.code, name=town.name)
    room.drain(EbidRoom(service).provision(request))
    with service.database.transaction(tenant=town.tenant) as session:
        if room.state_of(session, town.tenant) is None:
            set_state(session, request, OPEN, now)


class _Maker:
    """Takes one tender after another to its stage, at times in the past."""

    def __init__(self, service: Service, town: Town, officer: Person, manager: Person) -> None:
        self._service, self._town, self._office = service, town, office_of(service)
        self._officer = self._staff(officer, "ebid.officer")
        self._manager = self._staff(manager, "ebid.manager")
        self._trustees: list[tuple[Actor, bytes]] = []
        self._bidders: list[Actor] = []

    def _staff(self, person: Person, role: str) -> Actor:
        return Actor("staff", person[0], person[1], self._town.tenant, self._town.code, frozenset({role}))

    def _transaction(self) -> Any:
        return self._service.database.transaction(tenant=self._town.tenant)

    def register_trustees(self, people: list[Person], passphrase: str, at: datetime) -> None:
        for number, (person, institution) in enumerate(zip(people, INSTITUTIONS, strict=True), start=1):
            actor, private = self._staff(person, "ebid.trustee"), trustee.generate()
            with self._transaction() as session:
                trustees.register(session, actor, institution, trustee.public_of(private), self._office, at)
            locked = trustee.lock(private, passphrase)
            path = self._service.data_dir / KEY_FILE.format(number=number)
            path.write_text(json.dumps(locked), "utf-8")
            path.chmod(0o600)
            self._trustees.append((actor, private))

    def register_companies(self, people: list[Person], at: datetime) -> None:
        """The first ones belong to accounts that can sign in, the others to nobody's."""
        extra = [(f"sample-company-{number}", "見本") for number in range(len(people), len(COMPANIES))]
        for serial, ((person, name), company) in enumerate(zip([*people, *extra], COMPANIES, strict=True), start=1):
            actor = Actor("person", person, name, self._town.tenant, self._town.code, acr="password")
            base = f"{990_000_000_000 + serial}"
            given = {
                "name": f"{company}（見本）",
                "corporate_number": f"{check_digit(base)}{base}",
                "representative": "見本 太郎",
                "address": f"{self._town.name}（見本）",
            }
            with self._service.database.transaction() as session:
                registered = companies.register(session, actor, given, ["works", "goods"], at).id
            with self._transaction() as session:
                verifying.confirm(session, self._officer, registered, "registry", "履歴事項全部証明書（見本）", at)
            self._bidders.append(actor)

    # ---- the stages

    def plan(self, title: str, days: int, now: datetime, category: str = "works") -> None:
        """発注見通し: to be announced so many days from now."""
        day = (now + timedelta(days=days)).astimezone(JST).date()
        wanted = Plan(
            title=f"{title}（見本）", summary="見本の見通しです。", place=self._town.name, period="約4か月", category=category,
            method="open_after", fiscal_year=fiscal_year(day), quarter=(day.month - 4) % 12 // 3 + 1,
        )  # fmt: skip
        with self._transaction() as session:
            plans.publish(session, self._officer, wanted, self._office, now - timedelta(days=20))

    def draft(self, title: str, now: datetime) -> str:
        return self._draft(title, now, "goods", now + timedelta(days=14))

    def review(self, title: str, now: datetime) -> str:
        return self._submitted(title, now, "works", now + timedelta(days=12))

    def accepting(self, title: str, now: datetime) -> str:
        tender = self._published(title, now - timedelta(days=3), "works", now + timedelta(days=9))
        with self._transaction() as session:
            question, answer = "ポンプの製造者の指定はありますか。", "指定はありません。同等品でかまいません。"
            day = timedelta(days=1)
            asked = questions.ask(session, self._bidders[0], tender, question, self._office, now - 2 * day)
            questions.answer(session, self._officer, tender, asked.id, answer, self._office, now - day)
        self._bid(tender, [9_300_000], now - timedelta(hours=5))
        return tender

    def scored(self, title: str, now: datetime) -> str:
        """総合評価: two companies have applied, one is scored."""
        at, until = now - timedelta(days=4), now + timedelta(days=10)
        criteria = [
            {"name": "施工計画", "full": "20"},
            {"name": "企業の施工実績", "full": "10"},
            {"name": "地域貢献", "full": "5"},
        ]
        terms = {
            "limits": {"kind": "sealed", "target": "investigation"},
            "evaluation": {"kind": "division", "standard": "100", "scale": "100000000", "rounding": {"mode": "half_up", "unit": "1/10000"}},
            "criteria": criteria, "tie_chain": ["technical"], "standard_value": True, "review_after": False,
            "hearing": {"on": f"{at:%Y-%m-%d}", "text": "大学教授2人から意見を聴いた（見本）"},
        }  # fmt: skip
        tender = self._published(title, at, "works", until, method="open", terms=terms)
        for actor in self._bidders[:2]:
            with self._transaction() as session:
                applied = participation.apply(
                    session, actor, tender, "建設業の許可があります。", at + timedelta(days=1)
                )
                decided, company = at + timedelta(days=2), applied.company_id
                participation.decide(session, self._officer, tender, company, True, "", self._office, decided)
        with self._transaction() as session:
            company = companies.require_own(session, self._bidders[0]).id
            scores.give(
                session, self._officer, tender, company, {"0": "16", "1": "8", "2": "5"}, at + timedelta(days=3)
            )
        return tender

    def waiting(self, title: str, now: datetime, amounts: list[int]) -> str:
        """Closed; waits for the trustees."""
        until = now - timedelta(hours=2)
        tender = self._published(title, now - timedelta(days=9), "works", until)
        self._bid(tender, amounts, until - timedelta(hours=3))  # the deadline is the full hour before `until`
        self._close(tender, until)
        return tender

    def opened(self, title: str, now: datetime, days: int, amounts: list[int]) -> str:
        """Open; the candidate is examined (事後審査)."""
        until = now - timedelta(days=days - 9)
        tender = self._published(title, now - timedelta(days=days), "works", until)
        self._bid(tender, amounts, until - timedelta(hours=3))
        self._close(tender, until)
        self._open(tender, until + timedelta(hours=2))
        return tender

    def concluded(self, title: str, now: datetime, days: int, amounts: list[int]) -> str:
        until = now - timedelta(days=days - 10)
        tender = self._published(title, now - timedelta(days=days), "works", until)
        self._bid(tender, amounts, until - timedelta(hours=3))
        self._close(tender, until)
        self._open(tender, until + timedelta(hours=2))
        with self._transaction() as session:
            seen, cleared = self._version(session, tender), until + timedelta(days=1)
            awards.clear(session, self._officer, tender, seen, self._office, cleared)
        self._conclude(tender, "", until + timedelta(days=2))
        signed = (until + timedelta(days=5)).astimezone(JST)
        with self._transaction() as session:
            first, last = signed.date() + timedelta(days=7), signed.date() + timedelta(days=120)
            contracts.sign(session, self._officer, tender, signed.date(), first, last, self._office, signed)
        return tender

    def failed(self, title: str, now: datetime, days: int) -> str:
        until = now - timedelta(days=days - 10)
        tender = self._published(title, now - timedelta(days=days), "services", until)
        self._close(tender, until)
        self._open(tender, until + timedelta(hours=2))
        self._conclude(tender, "応札者がなかったため", until + timedelta(days=1))
        return tender

    def cancelled(self, title: str, now: datetime, days: int) -> str:
        at = now - timedelta(days=days)
        tender = self._published(title, at, "works", at + timedelta(days=10))
        with self._transaction() as session:
            seen, later = self._version(session, tender), at + timedelta(days=2)
            announcing.cancel(session, self._officer, tender, seen, "設計の見直しのため", self._office, later)
        return tender

    # ---- the steps

    def _draft(
        self, title: str, at: datetime, category: str, until: datetime, method: str = "open_after", terms: Mapping[str, Any] = {},
    ) -> str:  # fmt: skip
        until = until.astimezone(JST).replace(minute=0, second=0, microsecond=0)
        apply_until = until - timedelta(days=3) if method == "open" else None
        dates = Dates(until - timedelta(hours=2), apply_until, until, until + timedelta(hours=1))
        terms = {
            "disclosure": "after",
            "lottery": "core",
            "tax": {"percent": 10, "comparison": {"mode": "floor", "unit": "1"}},
            "limits": {"kind": "sealed" if procedure.KINDS[category].contract else "none"},
            "rebids": 2 if category == "works" else 1,
            "review_after": True,
            **terms,
        }
        with self._transaction() as session:
            chosen = tuple(row.id for row in trustees.active(session))
            wanted = Draft(
                title=f"{title}（見本）", summary="見本の案件です。実際の契約にはなりません。", place=self._town.name,
                category=category, method=method, requirements="市内に本店があること。", dates=dates, terms=terms,
                trustees=chosen,
            )  # fmt: skip
            return tenders.draft(session, self._officer, wanted, self._office, at).id

    def _submitted(self, title: str, at: datetime, category: str, until: datetime, **more: Any) -> str:
        tender = self._draft(title, at, category, until, **more)
        with self._transaction() as session:
            row = tenders.load(session, tender)
            limits = {"reserve_with_tax": 11_000_000, "reserve": 10_000_000}
            if row.terms["limits"]["kind"] != "none":
                limits[row.terms["limits"].get("target", "minimum")] = 8_000_000
            made = envelope.seal(limits, sealed.limits_header(row))
            row = announcing.seal_limits(session, self._officer, tender, row.version, made, at)
            announcing.submit(session, self._officer, tender, row.version, at)
        return tender

    def _published(self, title: str, at: datetime, category: str, until: datetime, **more: Any) -> str:
        tender = self._submitted(title, at, category, until, **more)
        with self._transaction() as session:
            announcing.publish(session, self._manager, tender, self._version(session, tender), self._office, at)
        return tender

    def _version(self, session: Any, tender: str) -> int:
        return tenders.load(session, tender).version

    def _bid(self, tender: str, amounts: list[int], at: datetime) -> None:
        for number, (actor, amount) in enumerate(zip(self._bidders, amounts, strict=False)):
            with self._transaction() as session:
                log.lock(session)
                row, own = tenders.load(session, tender), companies.require_own(session, actor)
                payload = bid_payload(amount, f"{(number * 271 + 418) % 1000:03d}")
                made = envelope.seal(payload, sealed.header(row, "bid", 1, own.id))
                moment = at + timedelta(minutes=7 * number, seconds=11 * number)
                bids.keep(session, bids.bid(session, actor, tender, made, moment), self._office, moment, moment)

    def _close(self, tender: str, at: datetime) -> None:
        with self._transaction() as session:
            opening.close(session, tender, 1, self._office, at + SETTLE)

    def _open(self, tender: str, at: datetime) -> None:
        for number, (actor, private) in enumerate(self._trustees[:2]):
            moment = at + timedelta(minutes=number)
            with self._transaction() as session:
                request = opening.request(session, actor, tender, moment)
                opening.give(session, actor, tender, trustee.answer(request, private, moment), moment)
        with self._transaction() as session:
            opening.open_round(session, tender, 1, self._office, at + timedelta(minutes=2))

    def _conclude(self, tender: str, reason: str, at: datetime) -> None:
        with self._transaction() as session:
            seen = self._version(session, tender)
            awards.conclude(session, self._officer, tender, seen, reason, self._office, at)
