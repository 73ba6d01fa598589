"""The part of a tender's form, and the lines of its announcement, that say whether 共同企業体 may bid."""

from typing import Any

from fastapi import Request

from libs.common.errors import Invalid, say
from services.ebid.api.shell import Form, spoken_all
from services.ebid.domain import procedure, venture
from services.ebid.domain.money import ratio


def read(sent: Form) -> dict[str, Any]:
    """The announcement's part `venture`; nothing where companies bid alone. Raises Invalid."""
    way = sent.get("venture")
    if way not in venture.WAYS:
        raise _wrong("venture", say("共同企業体の扱いを選んでください。"))
    if not way:
        return {}
    method = procedure.METHODS.get(sent.get("method"))
    if method is not None and method.access == "invited":
        raise _wrong("venture", say("指名や見積の依頼による方法では、共同企業体は選べません。"))
    members, least = sent.number("venture_members"), sent.get("venture_least").strip() or "60"
    if not venture.FEWEST <= members <= venture.MOST:
        sentence = say("2から%(most)sまでの数字で入力してください。", most=venture.MOST)
        raise _wrong("venture_members", sentence)
    try:
        part = ratio(least) / 100
    except Invalid:
        part = ratio(0)
    if not 0 < part <= 1:
        raise _wrong("venture_least", say("1から100までの数字で入力してください。"))
    qualified = sent.get("venture_qualified") or "each"
    document = {"members": members, "least": str(part), "only": way == "only", "qualified": qualified}
    venture.rule_of({"venture": document})
    return {"venture": document}


def _wrong(name: str, sentence: str) -> Invalid:
    return Invalid(say("入力を確かめてください。"), fields={name: sentence}, code="venture")


def partners(sent: Form) -> list[tuple[str, str]]:
    """法人番号 and share of each partner, as typed; the places that were left empty are none."""
    named = ((sent.get(f"number-{place}"), sent.get(f"share-{place}")) for place in range(1, venture.MOST))
    return [(number[:40], share[:20]) for number, share in named if number.strip() or share.strip()]


def options(request: Request) -> dict[str, Any]:
    tables = {"ventures": venture.WAYS, "ventures_qualified": venture.QUALIFIED}
    return {name: list(spoken_all(request, table).items()) for name, table in tables.items()}


def typed(terms: dict[str, Any]) -> dict[str, str]:
    """A draft's part as the form's inputs."""
    rule = venture.rule_of(terms)
    if rule is None:
        return {"venture": ""}
    return {
        "venture": "only" if rule.only else "allowed",
        "venture_members": str(rule.members),
        "venture_least": venture.shown(rule.least * 100),
        "venture_qualified": rule.qualified,
    }


def lines(terms: dict[str, Any]) -> list[tuple[str, Any]]:
    """What the announcement says about it."""
    rule = venture.rule_of(terms)
    if rule is None:
        return []
    return [
        (
            say("共同企業体"),
            [
                venture.WAYS["only" if rule.only else "allowed"],
                say("構成員は%(fewest)s社から%(most)s社", fewest=venture.FEWEST, most=rule.members),
                say("出資比率は均等割の%(least)s%%以上、代表者が最大", least=venture.shown(rule.least * 100)),
                venture.QUALIFIED[rule.qualified],
            ],
        )
    ]
