"""What the sample's applicants fill in. Nobody's: place names of Kurume with given names, numbers that nobody has."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from PIL import Image

from libs.common.clock import local_date

Person = tuple[str, str]
"""Name and kana."""
PHONE = "090-0000-0000"


@dataclass(frozen=True, slots=True)
class Answers:
    """`typed`: input → text. `pictures`: the inputs that get a photograph."""

    typed: Mapping[str, str]
    pictures: tuple[str, ...] = ()


def picture() -> tuple[io.BytesIO, int]:
    """A photograph of nothing, and its size in bytes."""
    out = io.BytesIO()
    Image.new("RGB", (640, 480), "#97d3ff").save(out, "JPEG")
    size = out.tell()
    out.seek(0)
    return out, size


def event(person: Person) -> Answers:
    told = {"event": "はじめての古文書講座", "name": person[0], "kana": person[1], "phone": PHONE, "people": "2"}
    return Answers(told)


def damage(person: Person, at: datetime) -> Answers:
    """Of a house that was flooded two days before `at`."""
    told = {"name": person[0], "kana": person[1], **_home("address"), **_home("place"), "phone": PHONE}
    told |= {"relation": "owner_living", **_day("disaster_date", local_date(at - timedelta(days=2))), "cause": "rain"}
    return Answers(told | {"damage": "床上まで水につかった。", "copies": "1"}, ("photos",))


def grant(name: str, kana: str, group: str) -> Answers:
    """Of a group that knows only the year in which it began."""
    told = {
        "group": group,
        "since_era": "showa",
        "since_year": "58",
        "since_unknown": "yes",
        "name": name,
        "kana": kana,
    }
    told |= {**_home("address"), "phone": PHONE, "work": "月に1度の集まりと、年に2度の地域の清掃。"}
    return Answers(told | {"amount": "80000"})


def child_allowance(name: str, born: date) -> Answers:
    told = {"reason": "birth", **_day("reason_date", born), "public_servant": "no_servant", "agree": "yes"}
    told |= {
        "name": name,
        "kana": "ちくご ようこ",
        **_day("birth", date(1992, 8, 17)),
        **_home("address"),
        "phone": PHONE,
    }
    told |= {
        "pension": "employees",
        "children.items": "1",
        "children.1.relation": "child",
        "children.1.living": "together",
    }
    told |= {**_child("children.1", born), "bank": "ちくご銀行", "branch": "本店", "account_kind": "ordinary"}
    return Answers(told | {"account_number": "0012345", "account_holder": "ちくご ようこ"}, ("passbook",))


def child_medical(name: str, born: date) -> Answers:
    told = {"name": name, "kana": "ちくご ようこ", **_home("address"), "phone": PHONE, "children.items": "1"}
    told |= {**_child("children.1", born), "children.1.insurance": "見本 123", "agree": "yes"}
    return Answers(told, ("children.1.insurance_paper",))


def _child(at: str, born: date) -> dict[str, str]:
    return {f"{at}.name": "筑後 陽菜", f"{at}.kana": "ちくご ひな", **_day(f"{at}.birth", born)}


def _home(at: str) -> dict[str, str]:
    parts = {"postal": "830-0022", "city": "福岡県久留米市", "street": "城南町0番地（見本）", "house": ""}
    return {f"{at}.{part}": text for part, text in parts.items()}


def _day(at: str, day: date) -> dict[str, str]:
    parts = {"era": "seireki", "year": str(day.year), "month": str(day.month), "day": str(day.day)}
    return {f"{at}_{part}": text for part, text in parts.items()}
