"""The municipality's own way of doing it, kept by its manager."""

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.ebid.api import award_form
from services.ebid.api.announcing import COMPONENTS
from services.ebid.api.award_form import MODES
from services.ebid.api.desk import DESK, MANAGER
from services.ebid.api.drafting import LIMITS, LOTTERIES, LOTTERY_HELP
from services.ebid.api.shell import Form, base, changing, form, now_of, reading, render, spoken_all, to
from services.ebid.domain import company, procedure
from services.ebid.domain.limits import MODELS
from services.ebid.domain.profile import PUBLISHED_ELSEWHERE, Profile
from services.ebid.use_cases import profiles

router = APIRouter()
TITLE = say("市町村の設定")
MODEL_WORDS = {
    "": say("使わない（額をそのまま入力する）"),
    "chuo-koukeiren-2022": say("中央公契連 令和4年モデル（97・90・90・68%）"),
    "higashiyamato": say("東大和市の例（一般管理費等55%、下限70%）"),
    "kanagawa": say("神奈川県の例（率の1%未満を切り上げる）"),
    "sakata-survey": say("酒田市の例・測量"),
    "sakata-geology": say("酒田市の例・地質調査"),
    "own": say("下の自前の算定式"),
}
assert set(MODEL_WORDS) == {"", "own", *MODELS}


@router.get(f"{DESK}/profile", summary="Tax, rounding, limits, lottery, rounds and hours", tags=["desk"])
def page(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        row = profiles.stored(session)
        typed = _typed(profiles.of(session)) | {"version": str(row.version if row else 0)}
    return _page(request, typed, {})


@router.post(f"{DESK}/profile", include_in_schema=False)
def change(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            before = profiles.stored(session)
            document = _document(sent, dict(before.document) if before else {})
            profiles.change(session, actor, max(0, sent.number("version")), document, now_of(request))
    except Invalid as refusal:
        return _page(request, sent.typed, refusal.fields or {"tax_percent": refusal.message}, 422)
    return to(f"{base(request)}/desk/profile?saved=1")


def _document(sent: Form, before: dict[str, Any]) -> dict[str, Any]:
    """What the form holds, over what was stored: a parameter that the form does not show stays the municipality's."""
    own, named = (
        _own_model(sent),
        {name: table for name, table in before.get("own_models", {}).items() if name != "own"},
    )
    unit = before.get("comparison", {}).get("unit", "1")
    return {
        **before,
        "tax_percent": sent.number("tax_percent"),
        "comparison": {"mode": sent.get("comparison"), "unit": unit},
        "lottery": sent.get("lottery"),
        "limits": {key: sent.get(f"limits-{key}") or "none" for key in procedure.KINDS},
        "models": {key: sent.get(f"model-{key}") for key in procedure.KINDS},
        "own_models": named | ({"own": own} if own else {}),
        "rebids": {key: sent.number(f"rebids-{key}") for key in procedure.KINDS if sent.number(f"rebids-{key}") >= 0},
        "random": {name: sent.get(f"random-{name}").strip() for name in ("low", "high", "step")},
        **_mean(sent),
        "hours": {"first": sent.get("first"), "last": sent.get("last"), "workdays": sent.get("workdays") == "1"},
        "prefecture": sent.get("prefecture") == "1",
        **({"papers_years": sent.number("papers_years")} if sent.get("papers_years") else {}),
        **({"published_at": elsewhere} if (elsewhere := _elsewhere(sent)) else {}),
        **({"corporate_number": number} if (number := _digits(sent.get("corporate_number"))) else {}),
    }


def _elsewhere(sent: Form) -> dict[str, str]:
    given = {key: sent.get(f"published-{key}").strip()[:500] for key in PUBLISHED_ELSEWHERE}
    return {key: address for key, address in given.items() if address}


def _digits(typed: str) -> str:
    """A 法人番号 in any width, with or without hyphens; what is none stays as it was typed, and is refused."""
    try:
        return company.corporate_number(typed) if typed.strip() else ""
    except Invalid:
        return typed.strip()


def _mean(sent: Form) -> dict[str, Any]:
    """開札のときに低い入札の平均から決めるやり方の数; nothing where the form did not hold them."""
    if not sent.get("mean-count"):
        return {}
    given = {name: sent.get(f"mean-{name}").strip() for name in ("factor", "lower", "floor")}
    wrong: dict[str, str] = {f"mean-{name}": _SHARE for name, text in given.items() if not _is_share(text)}
    count, unit, mode = sent.number("mean-count"), sent.number("mean-unit"), sent.get("mean-mode")
    if count < 1:
        wrong["mean-count"] = say("1以上の数字を入力してください。")
    if unit < 1:
        wrong["mean-unit"] = say("1以上の数字を入力してください。")
    if wrong:
        raise Invalid(say("入力を確かめてください。"), fields=wrong, code="profile")
    return {
        "mean": {"count": count, **given, "rounding": {"mode": mode if mode in MODES else "floor", "unit": str(unit)}}
    }


_SHARE = say("0.87 のように、0より大きく1.5以下の数字を入力してください。")


def _is_share(text: str) -> bool:
    return re.fullmatch(r"[01](\.[0-9]{1,6})?", text) is not None and 0 < float(text) <= 1.5


def _own_model(sent: Form) -> dict[str, Any] | None:
    """A table of one's own, where any share is filled in."""
    shares = {part: sent.get(f"own-{part}").strip() for part in COMPONENTS}
    shares = {part: share for part, share in shares.items() if share}
    if not shares:
        return None
    mode = sent.get("own-mode")
    return {
        "name": "own", "coefficients": shares, "floor": sent.get("own-floor").strip(), "ceiling": sent.get("own-ceiling").strip(),
        "rounding": {"mode": mode if mode in MODES else "floor", "unit": sent.get("own-unit").strip() or "1"},
    }  # fmt: skip


def _typed(profile: Profile) -> dict[str, str]:
    own = profile.own_models.get("own", {})
    typed = {
        "tax_percent": str(profile.tax_percent), "comparison": profile.comparison["mode"], "lottery": profile.lottery,
        "first": f"{profile.hours.first:%H:%M}", "last": f"{profile.hours.last:%H:%M}",
        "workdays": "1" if profile.hours.workdays else "", "prefecture": "1" if profile.prefecture else "",
        "corporate_number": profile.corporate_number, "papers_years": str(profile.papers_years),
        "own-floor": own.get("floor", ""), "own-ceiling": own.get("ceiling", ""),
        "own-mode": own.get("rounding", {}).get("mode", "floor"), "own-unit": own.get("rounding", {}).get("unit", "1"),
    }  # fmt: skip
    typed |= {f"published-{key}": address for key, address in profile.published_at.items()}
    mean = dict(profile.mean)
    typed |= {f"mean-{name}": str(mean[name]) for name in ("count", "factor", "lower", "floor")}
    typed |= {f"mean-{name}": str(mean["rounding"][name]) for name in ("unit", "mode")}
    typed |= {f"own-{part}": share for part, share in own.get("coefficients", {}).items()}
    typed |= {f"random-{name}": value for name, value in profile.random.items()}
    for key, kind in procedure.KINDS.items():
        typed[f"limits-{key}"] = profile.limits.get(key, "none")
        typed[f"model-{key}"] = profile.models.get(key, "")
        typed[f"rebids-{key}"] = str(profile.rebids.get(key, kind.rounds - 1))
    return typed


def _page(request: Request, typed: dict[str, str], errors: dict[str, str], status_code: int = 200) -> Response:
    tables = {"limits": LIMITS, "models": MODEL_WORDS, "modes": MODES}
    options = {name: list(spoken_all(request, table).items()) for name, table in tables.items()}
    options["lotteries"] = award_form.explained(request, LOTTERIES, LOTTERY_HELP)
    kinds = [
        (key, words, procedure.KINDS[key].contract) for key, words in spoken_all(request, procedure.CATEGORIES).items()
    ]
    return render(
        request, "desk/profile.html", desk=True, title=TITLE, crumbs=(Link(TITLE, "", True),), typed=typed, errors=errors,
        options=options, kinds=kinds, parts=spoken_all(request, COMPONENTS), saved="saved" in request.query_params,
        status_code=status_code,
    )  # fmt: skip
