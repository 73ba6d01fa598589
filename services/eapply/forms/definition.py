"""A procedure as one definition: steps, sections, fields, conditions, law, period, texts.

An application stays on the version of the definition it was made with. Files (YAML) are read in `document.py`; what a
definition can promise (no circle, no dead end) is looked at in `analysis.py`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from services.eapply.forms.conditions import Condition, fields_of
from services.eapply.forms.handling import Handling
from services.eapply.forms.kinds import NAMES, OPTIONED, FieldType
from services.eapply.forms.model import Key, Model
from services.eapply.forms.order import deciding, depends_on, sorted_by_need

Use = Literal["applicant_name", "applicant_kana", "email", "phone", "birth", "address"]
"""What an answer is used for besides being read: the queue's name, search, notices, and the profile that is offered."""

Language = Literal["en", "ja-easy"]
"""Languages a definition may be translated to (libs/common/web/i18n.py)."""

RESERVED = frozenset(
    {"api", "applications", "confirm", "desk", "discard", "drafts", "enquiry", "files", "fragments", "import", "inventory",
     "life", "mine", "new", "postal", "profile", "resume", "sign", "submit", "templates", "together"}
)  # fmt: skip
"""Names of pages that stand where keys of procedures and steps do."""
ADDRESS_PARTS = ("postal", "city", "street", "house")
DATE_PARTS = ("era", "year", "month", "day", "unknown")
"""Ends of the names of a date's inputs."""


class Option(Model):
    """`amount`: what the choice counts as in formulas."""

    value: Key
    label: str
    help: str = ""
    amount: int | None = None


class FormField(Model):
    """One question. Limits mean what the type makes of them: graphemes for texts, yen for yen, items for groups.

    `visible`: shown and read only while it holds. `required`: needed while it holds, instead of `need`. `partial`: a date
    of which month or day, or everything, may be unknown (不詳). `places`: decimal places.
    """

    key: Key
    type: FieldType
    label: str = Field(min_length=1, max_length=200)
    need: bool = True
    help: str = Field("", max_length=2000)
    use: Use | None = None
    visible: Condition | None = None
    required: Condition | None = None
    min: int | None = None
    max: int | None = None
    places: int = Field(1, ge=1, le=6)
    unit: str = ""
    options: tuple[Option, ...] = Field((), max_length=500)
    when: Literal["any", "past", "future"] = "any"
    partial: bool = False
    accept: tuple[Literal["pdf", "jpeg", "png", "heic"], ...] = ("pdf", "jpeg", "png", "heic")
    max_bytes: int = Field(10 * 1024 * 1024, gt=0, le=25 * 1024 * 1024)
    formula: str = ""
    item: str = ""
    fields: tuple["FormField", ...] = Field((), max_length=100)

    @model_validator(mode="after")
    def _fits_its_type(self) -> "FormField":
        if (self.type in OPTIONED) != bool(self.options):
            raise ValueError(
                f"「{self.label}」に選択肢がありません。1つ以上書いてください。"
                if self.type in OPTIONED
                else f"「{self.label}」（{NAMES[self.type]}）は選択肢を持てません。"
            )
        _no_twins(f"「{self.label}」の選択肢", (option.value for option in self.options))
        if (self.type == "group") != bool(self.fields):
            raise ValueError(
                f"くり返し「{self.label}」の中に項目がありません。"
                if self.type == "group"
                else f"「{self.label}」（{NAMES[self.type]}）の中に、ほかの項目は置けません。"
            )
        if any(inner.type == "group" for inner in self.fields):
            raise ValueError(f"くり返し「{self.label}」の中に、くり返しは置けません。")
        if any(inner.use for inner in self.fields):
            raise ValueError(f"くり返し「{self.label}」の中の項目は、氏名欄や連絡先として使えません。")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"「{self.label}」の下限（{self.min}）が上限（{self.max}）より大きくなっています。")
        if (self.type == "computed") != bool(self.formula):
            raise ValueError(
                f"「{self.label}」に式がありません。"
                if self.type == "computed"
                else f"「{self.label}」は式を持てません。"
            )
        return self


class Section(Model):
    title: str = ""
    text: str = ""
    visible: Condition | None = None
    fields: tuple[FormField, ...] = ()


class FormStep(Model):
    key: Key
    title: str = Field(min_length=1, max_length=100)
    text: str = ""
    visible: Condition | None = None
    sections: tuple[Section, ...] = ()

    @property
    def fields(self) -> Iterator[FormField]:
        return (field for section in self.sections for field in section.fields)


class Rule(Model):
    """What follows when a condition holds: `text` says it to the applicant. `at`: the field beside which it stands."""

    when: Condition
    text: str = Field(min_length=1, max_length=1000)
    at: Key | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """A field, where it stands, and every condition under which it is shown."""

    field: FormField
    step: FormStep
    conditions: tuple[Condition, ...]


class Legal(Model):
    """Where the procedure comes from. `disposition`: the decision is a 処分, so that 8条 and 教示 bind."""

    basis: str
    disposition: bool = True
    source: str = ""


class Standard(Model):
    """標準処理期間. `working_days` None: not set, and nothing is forecast. Where the application goes through a 経由機関,
    `transit` names it and `transit_days` are the working days usual until it reaches the deciding office (6条)."""

    working_days: int | None = Field(default=None, ge=1, le=400)
    note: str = ""
    transit: str = ""
    transit_days: int | None = Field(default=None, ge=1, le=400)

    @model_validator(mode="after")
    def _names_the_way(self) -> "Standard":
        if bool(self.transit) != (self.transit_days is not None):
            raise ValueError(
                "経由する機関は、名前と日数の両方を入力してください（どちらも空にすると、経由しないことになります）。"
            )
        return self


class Words(Model):
    """What the outcomes are called in this procedure: 認定 and 却下, 交付 and 不交付."""

    approved: str = "承認"
    partly: str = "一部承認"
    refused: str = "不承認"


class Procedure(Model):
    """The whole definition. `remedy` is the 教示 (行政不服審査法82条), needed where the decision is a 処分.

    `translations`: language → text as it stands in the definition → the same in that language. What is not there is
    shown in Japanese, which stays the text that counts. `ineligible`: who cannot apply, and why; nothing can be sent then.
    `checks`: answers that do not fit together; each needs a field beside which it is said.
    """

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,59}$")]
    version: int = Field(ge=1)
    title: str
    kana: str
    category: str
    words: tuple[str, ...] = ()
    summary: str
    who: str = ""
    deadline: str = ""
    minutes: int = Field(10, ge=1, le=240)
    bring: tuple[str, ...] = ()
    department: str
    legal: Legal
    standard: Standard = Standard()
    outcomes: Words = Words()
    remedy: str = ""
    after: str = ""
    handling: Handling = Handling()
    ineligible: tuple[Rule, ...] = Field((), max_length=50)
    checks: tuple[Rule, ...] = Field((), max_length=200)
    steps: tuple[FormStep, ...] = Field(min_length=1, max_length=30)
    translations: dict[Language, dict[str, str]] = Field({})

    @model_validator(mode="after")
    def _holds_together(self) -> "Procedure":
        _no_twins("画面の名前", (step.key for step in self.steps))
        _no_twins("項目の名前", (field.key for field in self.fields))
        _no_twins("項目の使いみち", (field.use for field in self.fields if field.use))
        for field in self.fields:
            _no_twins(f"「{field.label}」の中の項目の名前", (inner.key for inner in field.fields))
        self._keeps_names_apart()
        if self.legal.disposition and not self.remedy:
            raise ValueError("結果が処分にあたる手続きには、教示の文が要ります（行政不服審査法82条）。")
        if any(check.at is None for check in self.checks):
            raise ValueError("入力の確かめには、文を出す項目を選んでください。")
        present = set(texts(self.document))
        for lang, words in self.translations.items():
            if strangers := [text for text in words if text not in present]:
                raise ValueError(f"この手続きにない文の訳があります（{lang}）：{'；'.join(strangers)}")
        return self

    def _keeps_names_apart(self) -> None:
        keys = {field.key for field in self.fields}
        parts = {f"{field.key}_{part}" for field in self.fields for part in DATE_PARTS}
        if clashes := parts & keys:
            raise ValueError(f"日付の欄が使う名前なので、項目の名前にできません：{'、'.join(sorted(clashes))}")
        if self.key in RESERVED or any(step.key in RESERVED for step in self.steps):
            raise ValueError("この名前は、ほかのページが使っています。別の名前にしてください。")

    def in_language(self, lang: str) -> "Procedure":
        """The same procedure to be shown in `lang`. For pages only: what is kept and sent is always the original."""
        return self.spoken.get(lang, self)

    @cached_property
    def spoken(self) -> dict[str, "Procedure"]:
        """Language → the procedure in it, for each there is."""
        return {lang: from_document(_replaced(self.document, words)) for lang, words in self.translations.items()}

    @property
    def fields(self) -> Iterator[FormField]:
        return (field for step in self.steps for field in step.fields)

    @cached_property
    def placed(self) -> dict[str, Placed]:
        """Every field by its key, in order."""
        return {
            field.key: Placed(field, step, _given(step.visible, section.visible, field.visible))
            for step in self.steps
            for section in step.sections
            for field in section.fields
        }

    @cached_property
    def order(self) -> list[str]:
        """Every field after those it depends on."""
        return sorted_by_need(depends_on(self.placed))

    @cached_property
    def deciding(self) -> frozenset[str]:
        """`field` or `group.field` for every answer on which something else on the form depends."""
        rules = (key for rule in (*self.ineligible, *self.checks) for key in fields_of(rule.when))
        return frozenset(deciding(self.placed)) | frozenset(rules)

    def step(self, key: str) -> FormStep | None:
        return next((step for step in self.steps if step.key == key), None)

    def field(self, key: str) -> FormField | None:
        placed = self.placed.get(key)
        return placed.field if placed else None

    def used_for(self, use: Use) -> FormField | None:
        return next((field for field in self.fields if field.use == use), None)

    def field_at(self, path: str) -> FormField | None:
        """The field of `email` or of `children.2.birth`; None when there is none."""
        head, _, rest = path.partition(".")
        field = self.field(head)
        if field is None or not rest:
            return field
        inner = rest.partition(".")[2]
        return next((candidate for candidate in field.fields if candidate.key == inner), None)

    @property
    def document(self) -> dict[str, Any]:
        """As kept in the database: only what differs from the defaults."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def digest(self) -> str:
        """SHA-256 of the content, the same whatever way the file was written."""
        text = json.dumps(self.document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def from_document(document: dict[str, Any]) -> Procedure:
    return Procedure.model_validate(document)


NOT_SHOWN = frozenset(
    {"key", "value", "type", "use", "accept", "kana", "words", "translations", "visible", "required", "when", "formula",
     "at"}
)  # fmt: skip
"""Entries of a definition that no page shows: they are the same in every language."""


def texts(part: Any) -> Iterator[str]:
    """Every text of a definition that pages show."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        yield from (text for key, inner in part.items() if key not in NOT_SHOWN for text in texts(inner))
    elif isinstance(part, list):
        yield from (text for inner in part for text in texts(inner))


def _replaced(part: Any, words: dict[str, str]) -> Any:
    """`part` with each shown text that `words` knows in its translation, and without `translations`."""
    if isinstance(part, str):
        return words.get(part) or part
    if isinstance(part, dict):
        kept = {key: inner for key, inner in part.items() if key != "translations"}
        return {key: inner if key in NOT_SHOWN else _replaced(inner, words) for key, inner in kept.items()}
    if isinstance(part, list):
        return [_replaced(inner, words) for inner in part]
    return part


def _given(*conditions: Condition | None) -> tuple[Condition, ...]:
    return tuple(condition for condition in conditions if condition is not None)


def _no_twins(what: str, keys: Iterable[str | None]) -> None:
    twins = [str(key) for key, count in Counter(keys).items() if count > 1]
    if twins:
        raise ValueError(f"{what}が重なっています：{'、'.join(twins)}")
