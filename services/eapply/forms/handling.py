"""How staff work on a procedure's applications. Part of its file, so that it is exported, compared and versioned with it:
an application is handled as its version says."""

from typing import Literal

from pydantic import Field

from services.eapply.forms.model import Model


class Notice(Model):
    """The written notice (通知書). In the texts, {title}, {word} (認定, 却下 …), {name} and {place} are filled in.

    `post_after_days`: an electronic notice that nobody has opened for so many days goes on the list for the post."""

    title: str = "{title} {word}通知書"
    opening: str = "申請のありました{title}について、次のとおり決定しましたので通知します。"
    sender: str = "{place}長"
    post_after_days: int = Field(default=7, ge=1, le=90)


class Fee(Model):
    """手数料. `when`: before (no decision until it is paid) | after (paid on the decision). `amount` in yen for one; `times`
    names the number field that multiplies it (通数); without an amount it is fixed on examination. `exempt`: the grounds for
    a 減免 that may be chosen. `due_days`: calendar days from when the amount is known to the 納付期限; None: no such day."""

    when: Literal["before", "after"] = "before"
    amount: int | None = Field(default=None, ge=0, le=10_000_000)
    times: str = ""
    basis: str = ""
    exempt: tuple[str, ...] = ()
    due_days: int | None = Field(default=None, ge=1, le=365)


class Retention(Model):
    """保存期間 in months after the month in which the application ended, by how it ended."""

    decided_months: int = Field(default=60, ge=1, le=1200)
    withdrawn_months: int = Field(default=12, ge=1, le=1200)


class MyNumber(Model):
    """The applicant's マイナンバー is taken into the vault. `basis`: the provision that allows it (番号法9条, its list, an
    ordinance); `purpose`: what for, as the applicant is told. Without `need` the application goes without it, too."""

    basis: str = Field(min_length=5, max_length=300)
    purpose: str = Field(min_length=5, max_length=300)
    need: bool = True


class Cosign(Model):
    """連署: so many further persons confirm `statement`, each by a link, before the application is complete."""

    persons: int = Field(ge=1, le=5)
    statement: str = Field(min_length=5, max_length=500)


class Column(Model):
    """One column of the export: `name` as the receiving system calls it, `field` the question's key (`address.city` for
    a part). `form`: as_is | date8 (20261120) | wareki7 (5081120: era code, year, month, day) | halfwidth (ｶﾅ)."""

    name: str
    field: str
    form: Literal["as_is", "date8", "wareki7", "halfwidth"] = "as_is"


class Handling(Model):
    """`second_person`: the decision needs a 決裁 by somebody else. `visits`: the applicant may book a time at the window."""

    second_person: bool = False
    visits: bool = False
    notice: Notice = Notice()
    fee: Fee | None = None
    retention: Retention = Retention()
    my_number: MyNumber | None = None
    cosign: Cosign | None = None
    export: tuple[Column, ...] = Field(default=(), max_length=300)
