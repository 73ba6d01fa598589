"""The part of a tender's form that says how the winner is found: 落札方式, 評価項目, and for 随意契約 its ground."""

import re
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from typing import Any

from fastapi import Request

from libs.common.errors import Invalid, say
from services.ebid.api.shell import Form, spoken_all
from services.ebid.domain import procedure, scoring
from services.ebid.domain.evaluation import CURVES

AWARDS = {
    "price": say("価格だけで決める"),
    "division": say("総合評価・除算方式（技術評価点÷価格）"),
    "addition": say("総合評価・加算方式（技術評価点＋価格評価点）"),
}
CURVE_WORDS = {
    "linear": say("満点×（1－価格÷予定価格）"),
    "kinked": say("調査基準価格を下回ると、下がった分を割り引いて数える"),
    "floored": say("予定価格の決まった割合より低い価格は、その割合とみなす"),
    "ratio": say("満点×最低の価格÷価格"),
    "tent": say("予定価格の決まった割合で最高になる"),
}
CURVE_HELP = {
    "linear": say("予定価格から下げた分だけ、まっすぐに点が増えます。"),
    "kinked": say("調査基準価格までは同じで、それより下げても点の増え方がゆるくなります。"),
    "floored": say("ある割合より下げても、点はそれ以上増えません。"),
    "ratio": say("いちばん低い入札が満点で、ほかは価格の比で決まります。"),
    "tent": say("ある割合まで下げるほど点が増え、それより下げると減ります。"),
}
BASES = {"kinked": "0.5", "floored": "0.75", "tent": "0.8"}
"""The published ratio of the curves that have one."""
SCALES = {"1000000": say("100万円あたり"), "100000000": say("1億円あたり")}
MODES = {"floor": say("切捨て"), "half_up": say("四捨五入"), "ceiling": say("切上げ")}
CHAINS = {
    "": say("すぐにくじを引く"),
    "technical": say("技術評価点の高い方、それも同じならくじ"),
    "price": say("価格の低い方、それも同じならくじ"),
    "technical,price": say("技術評価点の高い方、次に価格の低い方、それも同じならくじ"),
    "price,technical": say("価格の低い方、次に技術評価点の高い方、それも同じならくじ"),
}
assert set(CURVE_WORDS) == set(CURVE_HELP) == set(CURVES)


def read(sent: Form) -> dict[str, Any]:
    """The announcement's part: `evaluation`, `criteria`, `hearing`, `scored_why`, `tie_chain`; nothing where price alone decides."""
    kind = sent.get("award") or "price"
    if kind not in AWARDS:
        raise _wrong("award", say("決め方を選んでください。"))
    if kind == "price":
        return {}
    criteria = scoring.read_criteria(sent.get("criteria"))
    rule = _division(sent) if kind == "division" else _addition(sent)
    return {
        "evaluation": {
            "kind": kind,
            **rule,
            **_compressed(sent, criteria),
            "rounding": _rounding(sent, "decimals", "4"),
        },
        "criteria": criteria,
        "tie_chain": [each for each in sent.get("tie_chain").split(",") if each]
        if sent.get("tie_chain") in CHAINS
        else [],
        "standard_value": kind == "division",
        **_hearing(sent),
        **({"scored_why": why} if (why := sent.get("scored_why").strip()[:1000]) else {}),
    }


def _division(sent: Form) -> dict[str, Any]:
    scale, standard = sent.get("scale"), sent.get("standard").strip() or "100"
    if not 0 < _ratio(standard) <= 10_000:
        raise _wrong("standard", say("標準点を、0より大きい数字で入力してください。"))
    return {"standard": standard, "scale": scale if scale in SCALES else "100000000"}


def _compressed(sent: Form, criteria: list[dict[str, str]]) -> dict[str, str]:
    """A×(X÷B): the points given count as if the full marks B of all criteria were A."""
    weight = sent.get("technical_weight").strip()
    if not weight:
        return {}
    if not 0 < _ratio(weight) <= 10_000:
        raise _wrong("technical_weight", say("換算後の満点を、0より大きい数字で入力してください。"))
    return {"technical_weight": weight, "technical_full": str(scoring.full_marks(scoring.criteria_of(criteria)))}


def _ratio(text: str) -> Fraction:
    """What was typed, −1 for what is no short number."""
    plain = text.replace(",", "")
    return Fraction(plain) if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", plain) else Fraction(-1)


def _addition(sent: Form) -> dict[str, Any]:
    curve, weight = sent.get("curve") or "linear", sent.get("weight").strip() or "0"
    if curve not in CURVES:
        raise _wrong("curve", say("価格評価点の式を選んでください。"))
    if not 0 <= _ratio(weight) <= 1000:
        raise _wrong("weight", say("価格評価点の満点を、0から1000までの数字で入力してください。"))
    if curve == "kinked" and sent.get("limits") != "investigation":
        raise _wrong("curve", say("この式は、調査基準価格を設けるときだけ使えます。"))
    rounded = {"price_rounding": _rounding(sent, "price_decimals", "")} if sent.get("price_decimals") else {}
    return {"curve": curve, "weight": weight, **_base(sent, curve), **rounded}


def _base(sent: Form, curve: str) -> dict[str, str]:
    """The curve's own ratio, where it has one."""
    if curve not in BASES:
        return {}
    base = sent.get("base").strip() or BASES[curve]
    if not 0 < _ratio(base) <= 1:
        raise _wrong("base", say("式の割合を、0.75 のように、0より大きく1以下の数字で入力してください。"))
    return {"base": base}


def _rounding(sent: Form, name: str, usual: str) -> dict[str, str]:
    mode, places = sent.get("rounding_mode"), sent.get(name) or usual
    if places not in map(str, range(9)):
        raise _wrong(name, say("小数点以下の桁数を、0から8までで入力してください。"))
    return {"mode": mode if mode in MODES else "half_up", "unit": f"1/{10 ** int(places)}"}


def _is_day(typed: str) -> bool:
    try:
        return date.fromisoformat(typed).year >= 2000
    except ValueError:
        return False


def _hearing(sent: Form) -> dict[str, Any]:
    """施行令167条の10の2第4項・第5項, 施行規則12条の4: two or more 学識経験者 are heard before, also on whether they must be heard again
    before the award. プロポーザル is no 競争入札."""
    method = procedure.METHODS.get(sent.get("method"))
    on, who = sent.get("hearing_on").strip(), sent.get("hearing").strip()[:500]
    if method is not None and method.competitive and not (on and who):
        raise _wrong(
            "hearing",
            say("学識経験者2人以上から意見を聴いた日と、意見の要旨を入力してください（施行令167条の10の2）。"),
        )
    if on and not _is_day(on):
        raise _wrong("hearing_on", say("意見を聴いた日を入力してください。年を確かめてください。"))
    again = {"again": True} if sent.get("hearing_again") == "1" else {}
    return {"hearing": {"on": on, "text": who, **again}} if on or who else {}


def read_ground(sent: Form) -> dict[str, Any]:
    """随意契約: which number of 施行令167条の2第1項, and why."""
    method = procedure.METHODS.get(sent.get("method"))
    if method is None or method.competitive:
        return {}
    clause, reason = sent.get("ground"), sent.get("ground_reason").strip()[:1000]
    if clause not in procedure.GROUNDS:
        raise _wrong("ground", say("随意契約の根拠を選んでください（施行令167条の2第1項）。"))
    if not reason and clause != "1":
        raise _wrong("ground_reason", say("随意契約とする理由を入力してください。公表されます。"))
    return {"ground": {"clause": clause, "reason": reason}}


def _wrong(name: str, sentence: str) -> Invalid:
    return Invalid(say("入力を確かめてください。"), fields={name: sentence}, code="award")


def options(request: Request) -> dict[str, Any]:
    tables = {
        "awards": AWARDS,
        "scales": SCALES,
        "modes": MODES,
        "chains": CHAINS,
        "grounds": procedure.GROUNDS,
    }
    offered = {name: list(spoken_all(request, table).items()) for name, table in tables.items()}
    return offered | {"curves": explained(request, CURVE_WORDS, CURVE_HELP)}


def explained(request: Request, words: Mapping[str, str], sentences: Mapping[str, str]) -> list[tuple[str, str]]:
    """Options, each with one sentence that says what it does."""
    told = spoken_all(request, sentences)
    return [(key, f"{name}：{told[key]}") for key, name in spoken_all(request, words).items()]


def places(rounding: Mapping[str, str]) -> str:
    """Decimals of a unit like 1/10000."""
    return str(max(0, len(rounding["unit"].partition("/")[2]) - 1))


def typed(terms: dict[str, Any]) -> dict[str, str]:
    """A draft's part as the form's inputs."""
    rule, hearing, ground = terms.get("evaluation", {}), terms.get("hearing", {}), terms.get("ground", {})
    lines = "\n".join(f"{each['name']} {each['full']}" for each in terms.get("criteria", ()))
    rounding = rule.get("rounding", {"mode": "half_up", "unit": "1/10000"})
    return {
        "award": rule.get("kind", "price"), "criteria": lines, "curve": rule.get("curve", "linear"),
        "weight": rule.get("weight", ""), "scale": rule.get("scale", "100000000"), "rounding_mode": rounding["mode"],
        "decimals": places(rounding), "tie_chain": ",".join(terms.get("tie_chain", ())), "standard": rule.get("standard", ""),
        "technical_weight": rule.get("technical_weight", ""), "base": rule.get("base", ""),
        "price_decimals": places(rule["price_rounding"]) if "price_rounding" in rule else "",
        "hearing_on": hearing.get("on", ""), "hearing": hearing.get("text", ""),
        "hearing_again": "1" if hearing.get("again") else "", "scored_why": terms.get("scored_why", ""),
        "ground": ground.get("clause", ""), "ground_reason": ground.get("reason", ""),
    }  # fmt: skip
