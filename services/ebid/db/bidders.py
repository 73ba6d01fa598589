"""Companies, and what they send for a tender."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.db import Json
from libs.common.files import FileColumns
from libs.common.tenancy import PersonTable, SharedTable, TenantTable
from services.ebid.db.base import ID, Base, points_at


class CompanyRow(SharedTable, Base):
    """A supplier in the register of all municipalities.

    `corporate_number` is held by one company, who was found to be its owner (`verified_at`, `verified_how` of
    `domain.company.CHECKS`); whoever only says so has it as `claimed_number`, and there may be several. `sole_number`: the 業者番号 of a
    sole proprietor. Without any of the three: a 共同企業体, which has `members` [{id, number, name, share (percent), leader}] in place of
    it, the representative first."""

    __tablename__ = "companies"
    __shared_because__ = "one qualification for all municipalities: the register of suppliers is public and common"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    corporate_number: Mapped[str | None] = mapped_column(String(13), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    representative: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(300))
    categories: Mapped[list[str]] = mapped_column(Json)
    valid_until: Mapped[date] = mapped_column(index=True)
    members: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    claimed_number: Mapped[str | None] = mapped_column(String(13), index=True)
    sole_number: Mapped[str | None] = mapped_column(String(10), index=True)
    verified_at: Mapped[datetime | None]
    verified_how: Mapped[str | None] = mapped_column(String(20))
    registered_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CompanyCheckRow(SharedTable, Base):
    """One look at who a registration is of: `outcome` confirmed | refused | withdrawn | changed, `how` of `domain.company.CHECKS`, what
    was seen (`note`), and by whom. Never changed. `by_tenant` None where nobody looked: an identity or the dataset."""

    __tablename__ = "company_checks"
    __shared_because__ = "it belongs to the register of suppliers, which is common to all municipalities"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, index=True)
    number: Mapped[str] = mapped_column(String(13))
    outcome: Mapped[str] = mapped_column(String(20))
    how: Mapped[str] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(Text)
    by_tenant: Mapped[str | None] = mapped_column(String(6))
    by: Mapped[str | None] = mapped_column(String(200))
    by_name: Mapped[str | None] = mapped_column(String(200))
    at: Mapped[datetime]


class CorporateNumberRow(SharedTable, Base):
    """A 法人番号 as the National Tax Agency publishes it (`domain.corporate.Entry`), taken in by the operator."""

    __tablename__ = "corporate_numbers"
    __shared_because__ = "public data of the whole country"

    number: Mapped[str] = mapped_column(String(13), primary_key=True)
    name: Mapped[str] = mapped_column(String(150))
    prefecture: Mapped[str] = mapped_column(String(20))
    address: Mapped[str] = mapped_column(String(600))
    closed_on: Mapped[date | None]
    updated_on: Mapped[date]


class CompanyPersonRow(PersonTable, Base):
    """For which company a signed-in person acts. One at a time. `delegation_id`: as its 受任者; None: for the company itself."""

    __tablename__ = "company_persons"

    person: Mapped[str] = mapped_column(String(200), primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, index=True)
    since: Mapped[datetime]
    delegation_id: Mapped[str | None] = mapped_column(ID)


class DelegationRow(SharedTable, Base):
    """委任状: who acts for a company at a branch. `categories` of the register, `tenants` (empty: all), days `first` to `last` included.
    `code_digest`: of the code that makes somebody the `person`, until `code_until`."""

    __tablename__ = "delegations"
    __shared_because__ = "it belongs to the register of suppliers, which is common to all municipalities"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, index=True)
    branch: Mapped[str] = mapped_column(String(200))
    title: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(300))
    categories: Mapped[list[str]] = mapped_column(Json)
    tenants: Mapped[list[str]] = mapped_column(Json)
    first: Mapped[date]
    last: Mapped[date]
    code_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    code_until: Mapped[datetime | None]
    person: Mapped[str | None] = mapped_column(String(200))
    made_at: Mapped[datetime]
    made_by: Mapped[str] = mapped_column(String(200))
    ended_at: Mapped[datetime | None]


class EndingToldRow(SharedTable, Base):
    """That a company was told of the end of its registration: once for each `valid_until` and each of
    `domain.company.ALERTS` (`days` before the end; -1 the day after)."""

    __tablename__ = "endings_told"
    __shared_because__ = "it belongs to the register of suppliers, which is common to all municipalities"

    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    valid_until: Mapped[date] = mapped_column(primary_key=True)
    days: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    told_at: Mapped[datetime]


class SuspensionRow(SharedTable, Base):
    """指名停止, imposed by one municipality (`by_tenant`) and told to all; `lifted_at` when it was ended early (解除)."""

    __tablename__ = "suspensions"
    __shared_because__ = "指名停止 is published; every municipality must know it before it lets a company bid"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, index=True)
    by_tenant: Mapped[str] = mapped_column(String(6), index=True)
    first: Mapped[date]
    last: Mapped[date]
    reason: Mapped[str] = mapped_column(Text)
    imposed_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]


class SuspensionChangeRow(SharedTable, Base):
    """How a 指名停止 was before it was changed (`first`, `last`), why and when; `lifts`: it was ended by this."""

    __tablename__ = "suspension_changes"
    __shared_because__ = "it belongs to 指名停止, which every municipality must know"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    suspension_id: Mapped[str] = mapped_column(ID, index=True)
    by_tenant: Mapped[str] = mapped_column(String(6), index=True)
    first: Mapped[date]
    last: Mapped[date]
    reason: Mapped[str] = mapped_column(Text)
    lifts: Mapped[bool]
    at: Mapped[datetime]


class ParticipationRow(TenantTable, Base):
    """競争参加資格確認申請, or 指名. `state`: applied → confirmed | refused; invited counts as confirmed; withdrawn. `delegate`: the 受任者
    who applied (branch, title, name, address)."""

    __tablename__ = "participations"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    person: Mapped[str | None] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20))
    statement: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    applied_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    delegate: Mapped[dict[str, Any] | None] = mapped_column(Json)


class ScoreRow(TenantTable, Base):
    """技術点 of one applicant or invited company: `points` place of the criterion → points, `total` their sum as a ratio.
    `entry_id`: where the log has it, once fixed; from then on it does not change."""

    __tablename__ = "scores"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    points: Mapped[dict[str, str]] = mapped_column(Json)
    total: Mapped[str] = mapped_column(String(40))
    scored_by: Mapped[str] = mapped_column(String(200))
    scored_at: Mapped[datetime]
    entry_id: Mapped[str | None] = mapped_column(ID)


class ProposalRow(FileColumns, TenantTable, Base):
    """技術資料, 提案書 and other papers with an application. Read by the tender's officers and by who sent it."""

    __tablename__ = "proposals"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]), Index(None, "tenant_id", "tender_id", "company_id"))

    tender_id: Mapped[str] = mapped_column(ID)
    company_id: Mapped[str] = mapped_column(ID)
    name: Mapped[str] = mapped_column(String(200))


class QuestionRow(TenantTable, Base):
    """A question, shown without its asker, and its answer."""

    __tablename__ = "questions"
    __table_args__ = (points_at(["tender_id"], "tenders", ["id"]), Index(None, "tenant_id", "tender_id"))

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    tender_id: Mapped[str] = mapped_column(ID)
    company_id: Mapped[str] = mapped_column(ID)
    text: Mapped[str] = mapped_column(Text)
    asked_at: Mapped[datetime]
    answer: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None]


class SubmissionRow(TenantTable, Base):
    """What a bidder sent in a round: a sealed 入札書 (`bid`) or 辞退届 (`decline`). One, by the key; never changed
    (地方自治法施行令167条の8第3項). `envelope` is of one length for all; `entry_id` is what stands in the log; `delegate`: the 受任者
    who sent it."""

    __tablename__ = "submissions"
    __table_args__ = (points_at(["tender_id", "round"], "rounds", ["tender_id", "number"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    person: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(10))
    envelope: Mapped[dict[str, Any] | None] = mapped_column(Json)
    digest: Mapped[str] = mapped_column(String(64))
    entry_id: Mapped[str] = mapped_column(ID)
    received_at: Mapped[datetime]
    delegate: Mapped[dict[str, Any] | None] = mapped_column(Json)


class BreakdownRow(TenantTable, Base):
    """内訳書 that came with a bid: `sealed` its ciphertext (base64, whole blocks), `envelope` that of its key. After the opening `opened`
    has the key and `problems` what is wrong with the file."""

    __tablename__ = "breakdowns"
    __table_args__ = (points_at(["tender_id", "round"], "rounds", ["tender_id", "number"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    envelope: Mapped[dict[str, Any]] = mapped_column(Json)
    digest: Mapped[str] = mapped_column(String(64))
    sealed: Mapped[str] = mapped_column(Text)
    kept_at: Mapped[datetime]
    opened: Mapped[dict[str, Any] | None] = mapped_column(Json)
    problems: Mapped[list[str] | None] = mapped_column(Json)


class PaperRow(TenantTable, Base):
    """A 紙入札. `serial` stands on the envelope; `counted` False for who has bid electronically, too. `first`: what the first person
    typed, and who; `typed`: what two persons agreed on (amount, lottery_number, invalid)."""

    __tablename__ = "papers"
    __table_args__ = (points_at(["tender_id", "round"], "rounds", ["tender_id", "number"]),)

    tender_id: Mapped[str] = mapped_column(ID, primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    company_id: Mapped[str] = mapped_column(ID, primary_key=True)
    serial: Mapped[str] = mapped_column(String(60))
    digest: Mapped[str] = mapped_column(String(64))
    entry_id: Mapped[str] = mapped_column(ID)
    received_at: Mapped[datetime]
    received_by: Mapped[str] = mapped_column(String(200))
    counted: Mapped[bool]
    first: Mapped[dict[str, Any] | None] = mapped_column(Json)
    typed: Mapped[dict[str, Any] | None] = mapped_column(Json)


class LetterRow(TenantTable, Base):
    """A notice (通知書) to one company, as it was written; `kind` is a word of `use_cases/letters.py`; `addressee`: its 受任者."""

    __tablename__ = "letters"
    __table_args__ = (
        points_at(["tender_id"], "tenders", ["id"]),
        Index(None, "tenant_id", "company_id", "id"),
        Index(None, "tenant_id", "tender_id"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    tender_id: Mapped[str] = mapped_column(ID)
    company_id: Mapped[str] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(String(30))
    title: Mapped[str] = mapped_column(String(200))
    body: Mapped[str] = mapped_column(Text)
    addressee: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime]
