"""The part of a tender's form that says how the winner is found: 落札方式, 評価項目, and for 随意契約 its ground."""

from typing import Any

from fastapi import Request

from libs.common.errors import Invalid, say
from services.ebid.api.shell import Form, spoken_all
from services.ebid.domain import procedure, scoring
from services.ebid.domain.evaluation import CURVES
from services.ebid.domain.money import ratio

AWARDS = {
    "price": say("価格だけで決める"),
    "division": say("総合評価・除算方式（技術評価点÷価格）"),
    "addition": say("総合評価・加算方式（技術評価点＋価格評価点）"),
}
CURVE_WORDS = {
    "linear": say("満点×（1－価格÷予定価格）"),
    "kinked": say("調査基準価格を下回ると、下がった分を半分に数える"),
    "floored": say("予定価格の75%より低い価格は75%とみなす"),
    "ratio": say("満点×最低の価格÷価格"),
    "tent": say("予定価格の80%で最高になる"),
}
SCALES = {"1000000": say("100万円あたり"), "100000000": say("1億円あたり")}
MODES = {"floor": say("切捨て"), "half_up": say("四捨五入"), "ceiling": say("切上げ")}
CHAINS = {"": say("すぐにくじを引く"), "technical": say("技術評価点の高い方、それも同じならくじ")}
assert set(CURVE_WORDS) == set(CURVES)


def read(sent: Form) -> dict[str, Any]:
    """The announcement's part: `evaluation`, `criteria`, `hearing`, `tie_chain`; nothing where price alone decides."""
    kind = sent.get("award") or "price"
    if kind not in AWARDS:
        raise _wrong("award", say("落札者の決め方を選んでください。"))
    if kind == "price":
        return {}
    criteria = scoring.read_criteria(sent.get("criteria"))
    rule = _division(sent) if kind == "division" else _addition(sent)
    return {
        "evaluation": {"kind": kind, **rule, "rounding": _rounding(sent)},
        "criteria": criteria,
        "tie_chain": [sent.get("tie_chain")] if sent.get("tie_chain") == "technical" else [],
        "standard_value": kind == "division",
        **_hearing(sent),
    }


def _division(sent: Form) -> dict[str, Any]:
    scale = sent.get("scale")
    return {"standard": "100", "scale": scale if scale in SCALES else "100000000"}


def _addition(sent: Form) -> dict[str, Any]:
    curve, weight = sent.get("curve") or "linear", sent.get("weight").strip() or "0"
    if curve not in CURVES:
        raise _wrong("curve", say("価格評価点の式を選んでください。"))
    try:
        points = ratio(weight)
    except Invalid:
        points = ratio(-1)
    if not 0 <= points <= 1000:
        raise _wrong("weight", say("価格評価点の満点を、0から1000までの数字で入力してください。"))
    return {"curve": curve, "weight": weight}


def _rounding(sent: Form) -> dict[str, str]:
    mode, places = sent.get("rounding_mode"), sent.get("decimals") or "4"
    if places not in map(str, range(9)):
        raise _wrong("decimals", say("小数点以下の桁数を、0から8までで入力してください。"))
    return {"mode": mode if mode in MODES else "half_up", "unit": f"1/{10 ** int(places)}"}


def _hearing(sent: Form) -> dict[str, Any]:
    """施行令167条の10の2第4項・第5項, 施行規則12条の4: two or more 学識経験者 are heard before. プロポーザル is no 競争入札."""
    method = procedure.METHODS.get(sent.get("method"))
    on, who = sent.get("hearing_on").strip(), sent.get("hearing").strip()[:500]
    if method is not None and method.competitive and not (on and who):
        raise _wrong(
            "hearing",
            say("学識経験者2人以上から意見を聴いた日と、意見の要旨を入力してください（施行令167条の10の2）。"),
        )
    return {"hearing": {"on": on[:10], "text": who}} if on or who else {}


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
        "curves": CURVE_WORDS,
        "scales": SCALES,
        "modes": MODES,
        "chains": CHAINS,
        "grounds": procedure.GROUNDS,
    }
    return {name: list(spoken_all(request, table).items()) for name, table in tables.items()}


def typed(terms: dict[str, Any]) -> dict[str, str]:
    """A draft's part as the form's inputs."""
    rule, hearing, ground = terms.get("evaluation", {}), terms.get("hearing", {}), terms.get("ground", {})
    lines = "\n".join(f"{each['name']} {each['full']}" for each in terms.get("criteria", ()))
    rounding = rule.get("rounding", {"mode": "half_up", "unit": "1/10000"})
    return {
        "award": rule.get("kind", "price"), "criteria": lines, "curve": rule.get("curve", "linear"),
        "weight": rule.get("weight", ""), "scale": rule.get("scale", "100000000"), "rounding_mode": rounding["mode"],
        "decimals": str(len(rounding["unit"].partition("/")[2]) - 1), "tie_chain": "".join(terms.get("tie_chain", ())),
        "hearing_on": hearing.get("on", ""), "hearing": hearing.get("text", ""),
        "ground": ground.get("clause", ""), "ground_reason": ground.get("reason", ""),
    }  # fmt: skip
