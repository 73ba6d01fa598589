"""What an announcement says about deciding, as lines for people: the same on the public page, at the desk and on paper."""

from datetime import date, datetime, timedelta
from typing import Any

from fastapi import Request

from libs.common.errors import say
from libs.common.web import dates
from services.ebid.api import award_form, drafting, venture_form
from services.ebid.api.shell import spoken
from services.ebid.db import RoundRow, TenderRow
from services.ebid.domain import procedure, profile, wording

Lines = list[tuple[str, str]]
LIMITS = {"minimum": say("最低制限価格"), "investigation": say("調査基準価格（下回ると低入札価格調査）")}
DRAWN = say(
    "15個の予備価格に封をして公告します。入札者が2つずつ選び、多く選ばれた4つの平均（円未満切捨て、税抜）が入札書比較価格になります。"
    "再度入札は行いません。"
)
AT_OPENING = {
    "mean_of_lowest": say("開札のときに、低い入札の平均から決めます"),
    "random_factor": say("封をした額に、開札のときに決まる係数をかけます"),
}
SEALED = say("額は、公告の前に封をしてあります")
TOLD = say("額は、入札の結果といっしょに公表します")
UNTOLD = say("額は、開札のあとも公表しません")
INVALID = say(
    "参加に必要な資格のない方の入札と、入札の条件に違反した入札は、無効とします（地方自治法施行令167条の6第2項）。"
)
"""What an announcement of 一般競争入札 must say, and by 167条の12第3項 the notice of 指名, too."""


def lines(request: Request, row: TenderRow) -> Lines:
    way = wording.way_of(row.method)

    def tell(text: str) -> str:
        return spoken(request, wording.worded(way, text))

    competitive = procedure.METHODS[row.method].competitive
    found = [
        *_bound(row.terms),
        *(_limits(row.terms["limits"], hidden=row.terms["disclosure"] == "never") if competitive else ()),
        *_award(row.terms),
        *_ground(row.terms),
        *venture_form.lines(row.terms),
    ]
    if competitive:
        found.append((say("無効となる入札"), INVALID))
    found += _hours(row.terms)
    kuji = row.terms["lottery"]
    found.append((say("同じ価格のときのくじ"), [drafting.LOTTERIES[kuji], drafting.LOTTERY_HELP[kuji]]))
    if row.terms.get("breakdown"):
        found.append(
            (
                say("内訳書"),
                say("入札書といっしょに、XLSXかJSONで出してください。合計が入札金額と合うことを、出す前に確かめます。"),
            )
        )
    if row.terms.get("paper"):
        found.append((say("紙の入札"), say("受け付けます。封筒に番号を書き、締切までに届けてください。")))
    if row.terms.get("beacon"):
        found.append(
            (say("くじと係数の種"), say("締切のあとに付くタイムスタンプと、入札書に入っている乱数から作ります。"))
        )
    if row.terms.get("minimum_bids", 1) > 1:
        found.append((say("不調とする場合"), say("入札者が%(count)s者に満たないとき", count=row.terms["minimum_bids"])))
    return [
        (tell(name), "　".join(map(tell, value)) if isinstance(value, list) else tell(value)) for name, value in found
    ]


def _bound(terms: dict[str, Any]) -> list[tuple[str, Any]]:
    """What the law bounds is the contract, with tax (法234条3項). A drawn reserve is known without tax alone."""
    percent = terms.get("tax", {}).get("percent", 10)
    if terms.get("bound") != "with_tax" or terms["limits"]["kind"] == "drawn_reserve" or not percent:
        return []
    if terms["disclosure"] == "before":
        value = say("入札金額に%(percent)s%%の税を加えた額（1円未満切捨て）が、上の予定価格以下のもの", percent=percent)
    else:
        value = say(
            "入札金額に%(percent)s%%の税を加えた額（1円未満切捨て）が、予定価格（税込）以下のもの", percent=percent
        )
    return [(say("落札の対象となる金額"), value)]


def _limits(rule: dict[str, Any], *, hidden: bool) -> list[tuple[str, Any]]:
    name = say("低すぎる入札の扱い")
    if rule["kind"] == "drawn_reserve":
        return [(name, say("制限なし")), (say("予定価格の決め方"), DRAWN)]
    if rule["kind"] == "none":
        return [(name, say("制限なし"))]
    model = [say("算定式：%(name)s", name=rule["model"]["name"])] if "model" in rule else []
    return [
        (
            name,
            [
                LIMITS[rule.get("target", "minimum")],
                AT_OPENING.get(rule["kind"], SEALED),
                *model,
                UNTOLD if hidden else TOLD,
            ],
        )
    ]


def before_the_deadline(request: Request, row: TenderRow, held: RoundRow, hours: profile.Hours, now: datetime) -> Lines:
    """For who is about to bid: how long there is still time, and where bids are not always taken, when. Of the clock alone."""
    way = wording.way_of(row.method, held.kind)
    found = [(say("締切までの残り（この画面を開いた時点）"), _left(held.bid_until - now)), *_taken(hours)]
    return [(spoken(request, wording.worded(way, name)), spoken(request, value)) for name, value in found]


def _left(left: timedelta) -> str:
    """Rounded down: who trusts it is not late."""
    minutes = left // timedelta(minutes=1)
    if minutes < 1:
        return say("1分未満")
    if left >= timedelta(days=2):
        return say("あと%(days)s日と%(hours)s時間", days=left.days, hours=minutes // 60 % 24)
    return say("あと%(hours)s時間%(minutes)s分", hours=minutes // 60, minutes=minutes % 60)


def _hours(terms: dict[str, Any]) -> list[tuple[str, str]]:
    """When bids are taken, where that is not always."""
    return [] if terms.get("sandbox") else _taken(profile.hours_of(terms.get("hours", {})))


def _taken(hours: profile.Hours) -> list[tuple[str, str]]:
    if hours.always:
        return []
    when = say("平日の") if hours.workdays else ""
    times = {"first": f"{hours.first:%H:%M}", "last": f"{hours.last:%H:%M}"}
    return [(say("入札を受け付ける時間"), say("%(when)s%(first)sから%(last)sまで", when=when, **times))]


def _award(terms: dict[str, Any]) -> list[tuple[str, Any]]:
    rule = terms.get("evaluation")
    if rule is None:
        return []
    how = [award_form.AWARDS[rule["kind"]]]
    if rule["kind"] == "addition":
        how += [award_form.CURVE_WORDS[rule["curve"]], say("価格評価点の満点は%(full)s点", full=rule["weight"])]
        if (base := rule.get("base", award_form.BASES.get(rule["curve"]))) is not None:
            how.append(say("式の割合は%(base)s", base=base))
        if "price_rounding" in rule:
            how.append(say("価格評価点は小数第%(places)s位まで", places=award_form.places(rule["price_rounding"])))
    else:
        how += [say("標準点%(standard)s点", standard=rule["standard"]), award_form.SCALES[rule["scale"]]]
    if "technical_weight" in rule:
        how.append(
            say(
                "技術点は、%(full)s点満点を%(weight)s点満点に換算",
                full=rule["technical_full"],
                weight=rule["technical_weight"],
            )
        )
    if terms.get("tie_chain"):
        how.append(say("評価値が同じとき：%(how)s", how=award_form.CHAINS[",".join(terms["tie_chain"])]))
    places = len(rule["rounding"]["unit"].partition("/")[2]) - 1
    how.append(
        say(
            "評価値は小数第%(places)s位まで、その下は%(mode)s",
            places=max(places, 0),
            mode=award_form.MODES[rule["rounding"]["mode"]],
        )
    )
    criteria = "、".join(f"{each['name']}（{each['full']}点）" for each in terms["criteria"])
    hearing = terms.get("hearing")
    heard = [(say("学識経験者の意見"), f"{day_heard(hearing)}　{hearing['text']}")] if hearing else []
    if hearing and hearing.get("again"):
        heard.append((say("落札者を決めるとき"), say("改めて学識経験者の意見を聴きます")))
    if "scored_why" in terms:
        heard.append((say("総合評価で行う理由"), terms["scored_why"]))
    return [(say("落札者の決め方"), how), (say("評価項目"), criteria), *_points(terms), *heard]


def day_heard(hearing: dict[str, str]) -> str:
    """When 学識経験者 were heard; what was typed before days were checked stays as it is."""
    try:
        return dates.day(date.fromisoformat(hearing["on"]), weekdays=False)
    except ValueError:
        return hearing["on"]


def _points(terms: dict[str, Any]) -> list[tuple[str, Any]]:
    how = say(
        "入札者が自分で採点し、金額といっしょに封をします。開札のあと、候補者の点数だけを資料で確かめます。点は上がりません。"
    )
    return [(say("技術点の付け方"), how)] if terms.get("points") == "self" else []


def _ground(terms: dict[str, Any]) -> list[tuple[str, Any]]:
    ground = terms.get("ground")
    return [(say("随意契約の根拠"), [procedure.GROUNDS[ground["clause"]], ground["reason"]])] if ground else []
