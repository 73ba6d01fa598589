"""The sample's longer stories: what a municipality has after some weeks, so that each page of the desk shows something at the
first opening. Each is one function, and goes through the use cases that people use.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.service import Service
from services.eapply import paying
from services.eapply.db import ApplicationRow, VisitSlotRow
from services.eapply.domain import receipt
from services.eapply.domain.states import OPEN
from services.eapply.forms import document
from services.eapply.forms.definition import Procedure
from services.eapply.sample_answers import Answers, child_allowance, child_medical, event, grant, picture
from services.eapply.simulator import Simulator
from services.eapply.use_cases import (
    assign,
    attach,
    consult,
    cosign,
    drafts,
    fees,
    procedures,
    review,
    searches,
    submit,
    together,
    visits,
    who,
)
from services.eapply.use_cases.drafts import Draft

PROVIDER = Actor("service", "payment-provider", "収納代行")
GRANT = Path(__file__).with_name("sample_procedure.yaml")
APPLICATIONS = 5
"""How many the stories add."""


@dataclass(frozen=True, slots=True)
class Hall:
    """A municipality of the sample: `desk` is whoever signs in first, `colleague` nobody's account."""

    service: Service
    tenant: str
    code: str
    desk: Actor
    colleague: Actor

    @property
    def site(self) -> str:
        return f"{self.service.settings.public_url}/t/{self.code}/eapply"

    def writing(self) -> AbstractContextManager[Session]:
        return self.service.database.transaction(tenant=self.tenant)

    def guest(self, name: str) -> Actor:
        return Actor("guest", f"sample-{name}", tenant=self.tenant, code=self.code, sid=f"sample-{name}")

    def apply(self, actor: Actor, procedure: str, answers: Answers, at: datetime) -> str:
        """One application; its id."""
        with self.writing() as session:
            return self.send(session, actor, drafts.start(session, actor, procedure, at), answers, at)

    def send(self, session: Session, actor: Actor, draft: Draft, answers: Answers, at: datetime) -> str:
        """Fill in, with a photograph wherever a file is needed, and send."""
        drafts.save(draft, list(draft.procedure.fields), answers.typed.items(), at)
        for path in answers.pictures:
            field = attach.file_field(draft.procedure, path)
            kept = attach.keep(
                self.service.extras["files"], self.tenant, field, *picture(), f"{field.label}（見本）.jpg"
            )
            attach.attach(session, draft.row, field, path, kept, at)
        key = receipt.new_enquiry_key()
        return submit.submit(session, actor, draft.row.id, key, at, site=self.site, electronic=True).application.id

    def take(self, actor: Actor, application: str, at: datetime) -> None:
        with self.writing() as session:
            row = session.get_one(ApplicationRow, (self.tenant, application))
            review.take(session, actor, application, row.version, at)

    def decide(self, application: str, decision: review.Decision, at: datetime) -> None:
        self.take(self.desk, application, at)
        with self.writing() as session:
            row = session.get_one(ApplicationRow, (self.tenant, application))
            review.decide(session, self.desk, application, row.version, decision, at, site=self.site)


def own_procedure() -> Procedure:
    """The procedure that a municipality has made by itself."""
    return document.checked(yaml.safe_load(GRANT.read_text("utf-8")))


def tell(hall: Hall, citizen: Actor, now: datetime) -> None:
    """All of them. `citizen`: whose account the life event is filed with."""
    people_of_the_desk(hall, now)
    with hall.writing() as session:
        procedures.publish(session, own_procedure(), now)
    one_signature_is_missing(hall, now - timedelta(days=5))
    other_sections_are_asked(hall, now - timedelta(days=8))
    a_fee_is_paid(hall, now - timedelta(days=12))
    a_birth_brings_two_procedures(hall, citizen, now - timedelta(days=9))
    somebody_comes_to_the_window(hall, now)


def people_of_the_desk(hall: Hall, now: datetime) -> None:
    """Sections, so that cases can be handed on and questions find their section; and a search that both use."""
    with hall.writing() as session:
        assign.remember(session, hall.desk, now, "生涯学習課")
        assign.remember(session, hall.colleague, now, "地域振興課")
        for each, section in ((hall.desk, "生涯学習課"), (hall.colleague, "地域振興課")):
            assign.place(session, hall.desk, each.subject, section, now)
        wanted = {"tab": "soon", "order": "due", "assignee": hall.desk.subject}
        searches.save(session, hall.desk, "自分の担当で期限が近い申請", wanted, False, now)
        searches.save(session, hall.desk, "だれも担当していない申請", {"assignee": "-", "order": "arrived"}, True, now)


def one_signature_is_missing(hall: Hall, at: datetime) -> None:
    """連署: two were asked, one has confirmed. The time stands still."""
    signed, _ = _signers(hall, ("梅満 一郎", "うめみつ いちろう", "梅満町内会"), at, ["南 薫", "西 悠"])
    with hall.writing() as session:
        cosign.confirm(session, hall.guest("signer-南 薫"), signed, "南 薫", at + timedelta(hours=5), site=hall.site)


def other_sections_are_asked(hall: Hall, at: datetime) -> None:
    """照会 and 合議: one section has agreed, the desk's own has still to answer; a note tells what was said by telephone."""
    _, application = _signers(
        hall, ("東 みのり", "ひがし みのり", "東町読み聞かせの会"), at, ["北 花", "中 翔"], confirm=True
    )
    hall.take(hall.colleague, application, at + timedelta(days=1))
    asked, site = at + timedelta(days=1, hours=1), hall.site
    with hall.writing() as session:
        tax = consult.Question("concurrence", "税務課", "市町村税の滞納がないかを確かめてください。")
        agreed = consult.ask(session, hall.colleague, application, tax, asked, site=site)
        answered = Actor("staff", "sample-tax", "税務 花子", hall.tenant, hall.code, hall.colleague.roles)
        assign.remember(session, answered, asked)
        session.flush()
        assign.place(session, hall.desk, answered.subject, "税務課", asked)
        consult.answer(
            session, answered, application, agreed.id, "agree", "滞納はありません。", asked + timedelta(hours=3),
            site=site,
        )  # fmt: skip
        rooms = consult.Question("inquiry", "生涯学習課", "公民館の使用の予定と重なりませんか。")
        consult.ask(session, hall.colleague, application, rooms, asked + timedelta(hours=4), site=site)
        text = "代表の方から電話。会場が公民館に変わるかもしれないとのこと。"
        assign.add_note(session, hall.colleague, application, text, asked + timedelta(hours=4))


def _signers(
    hall: Hall, group: tuple[str, str, str], at: datetime, names: list[str], *, confirm: bool = False
) -> tuple[str, str]:
    """(secret of the first link, id) of an application of a group; with `confirm` everybody has confirmed."""
    applicant = hall.guest(group[0])
    application = hall.apply(applicant, "chiiki-hojo", grant(*group), at)
    with hall.writing() as session:
        secrets = [cosign.ask(session, applicant, application, name, "", at, site=hall.site)[1] for name in names]
    if confirm:
        with hall.writing() as session:
            for name, secret in zip(names, secrets, strict=True):
                cosign.confirm(
                    session, hall.guest(f"signer-{name}"), secret, name, at + timedelta(hours=2), site=hall.site
                )
    return secrets[0], application


def a_fee_is_paid(hall: Hall, at: datetime) -> None:
    """The fee that follows the decision was paid with the simulated provider, and its books say so."""
    person = ("上津 節子", "かみつ せつこ")
    application = hall.apply(hall.guest(person[0]), "event-moushikomi", event(person), at)
    paid = at + timedelta(days=2)
    hall.decide(application, review.Decision("approved"), at + timedelta(days=1))
    if not paying.simulated(hall.service):
        return
    with hall.writing() as session:
        charge = fees.charge_of(session, application)
        if charge is None:
            return
        provider = Simulator(session, paid)
        provider.pay(charge.id, fees.owed(charge) or 0)
        session.flush()
        fees.reconcile(session, PROVIDER, provider.statement(paid, paid), paid, paid, paid)


def a_birth_brings_two_procedures(hall: Hall, citizen: Actor, at: datetime) -> None:
    """A life event: both filed at once. One is decided, and nobody has opened its notice, which tomorrow goes to the post."""
    with hall.writing() as session:
        bundle = together.start(session, citizen, "birth", ["jido-teate-nintei", "kodomo-iryo"], at)
        born = local_date(at - timedelta(days=6))
        told = {
            "jido-teate-nintei": child_allowance(citizen.name, born),
            "kodomo-iryo": child_medical(citizen.name, born),
        }
        sent = {
            draft.key: hall.send(session, citizen, draft, told[draft.key], at)
            for draft in together.find(session, citizen, bundle, at)
        }
    hall.decide(sent["jido-teate-nintei"], review.Decision("approved"), at + timedelta(days=3))
    hall.take(hall.colleague, sent["kodomo-iryo"], at + timedelta(days=1))


def somebody_comes_to_the_window(hall: Hall, now: datetime) -> None:
    """One of the applicants who are still waiting has booked the first time at the window."""
    with hall.writing() as session:
        slot = session.scalars(
            select(VisitSlotRow.id).where(VisitSlotRow.starts_at > now).order_by(VisitSlotRow.starts_at)
        )
        waiting = select(ApplicationRow.id).where(
            ApplicationRow.state.in_(OPEN), ApplicationRow.applicant_name == "𠮷田 大輔"
        )
        application = session.scalars(waiting).one()
        who.grant(session, hall.guest("4"), application, now)  # as number and 照会キー do, days later
        visits.book(session, hall.guest("4"), application, slot.first() or "", now)
