"""What stored kinds and states are called on a page, in the reader's language."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from libs.common.clock import JST
from libs.common.errors import say
from services.tenants.db.requests import RequestRow, RequestStepRow
from services.tenants.domain import requests
from services.tenants.domain.catalogue import service
from services.tenants.domain.history import believed
from services.tenants.domain.lives import Change, in_order
from services.tenants.domain.municipality import Municipality


@dataclass(frozen=True)
class Reader:
    """Somebody reading in `lang`; called with a sentence of ours, says it in that language."""

    lang: str
    translate: Callable[[str], str]

    def __call__(self, sentence: str, **values: Any) -> str:
        return self.translate(sentence) % values if values else self.translate(sentence)


PLAIN = Reader("ja", lambda sentence: sentence)
"""Documents and files are in Japanese, whoever reads them."""


def line_of(line: Mapping[str, Any], reader: Reader) -> str:
    """What a line of an invoice is for: the service, and whose share it was where that went into the municipality that pays."""
    name = reader(service(line["service"]).name)
    return reader(say("%(service)s（%(town)sの分）"), service=name, town=line["town"]) if "town" in line else name


ACTIONS = {
    "join": say("利用の申込み"),
    "suspend": say("休止"),
    "resume": say("再開"),
    "leave": say("利用をやめる手続き"),
    "move": say("開始日の変更"),
    "cancel": say("利用の予定の取りやめ"),
}

_STEPS = {
    "requested": say("申込みを受け付けました"),
    "imported": say("これまでの参加の記録から始めました"),
    "retried": say("運用担当者が、もう一度始めました"),
    "approved": say("協議会が承認しました"),
    "refused": say("協議会が見送りました"),
    "withdrawn": say("申込みを取り消しました"),
    "asked_provision": say("準備を頼みました"),
    "asked_suspend": say("休止を頼みました"),
    "asked_resume": say("再開を頼みました"),
    "asked_export": say("データの書き出しを頼みました"),
    "asked_delete": say("データの削除を頼みました"),
    "asked_again": say("返事が遅れているため、もう一度頼みました"),
    "progressed": say("準備しています"),
    "exported": say("データを書き出しました"),
    "confirmed": say("受け取りを確かめ、消すことを決めました"),
    "failed": say("途中で失敗したため、元に戻しました"),
}
_DONE = {
    "join": say("使えるようになりました"),
    "suspend": say("休止しました"),
    "resume": say("再開しました"),
    "leave": say("データを消し、利用を終えました"),
    "move": say("開始日を変えました"),
    "cancel": say("利用の予定を取りやめました"),
}
_COMING = {
    "join": [
        ("approved", say("協議会が承認します")),
        ("room", say("置き場所を用意します")),
        ("done", say("使い始められます")),
    ],
    "suspend": [("done", say("休止します"))],
    "resume": [("done", say("再開します"))],
    "leave": [
        ("exported", say("データを書き出します")),
        ("confirmed", say("受け取りを確かめてください")),
        ("done", say("データを消します")),
    ],
    "move": [("approved", say("協議会が承認します")), ("done", say("開始日が変わります"))],
    "cancel": [("done", say("用意した置き場所を片付けます"))],
}


def timeline(row: RequestRow, steps: list[RequestStepRow], reader: Reader) -> list[dict[str, Any]]:
    """Items for the component `way`: what happened, with times, and what comes."""
    items = [_item(row, step, reader) for step in steps]
    if row.state == "running" and items:
        items[-1]["state"] = "now"
    return items + _coming(row, {step.kind for step in steps}, reader)


def _item(row: RequestRow, step: RequestStepRow, reader: Reader) -> dict[str, Any]:
    title = _DONE[row.action] if step.kind == "done" else _STEPS.get(step.kind, step.kind)
    text = step.label or ""
    if step.kind == "progressed":
        title, text = _label(step, reader) or title, ""
        if (step.total or 0) > 1:
            text = reader(say("%(total)sのうち%(done)s"), total=step.total, done=step.done)
    return {"title": reader(title), "state": "done", "time": _seconds(step.at, reader.lang), "text": text}


def _label(step: RequestStepRow, reader: Reader) -> str:
    """What the service itself says it does, in Japanese. Readers of English are told that it prepares."""
    return step.label or "" if reader.lang != "en" else ""


def _coming(row: RequestRow, seen: set[str], reader: Reader) -> list[dict[str, Any]]:
    if row.state not in requests.OPEN:
        return []
    begun = row.state != "requested"
    wanted = [
        title for kind, title in _COMING[row.action] if not (kind in seen or (begun and kind in ("approved", "room")))
    ]
    return [{"title": reader(title), "state": ""} for title in wanted]


def _seconds(moment: datetime, lang: str) -> str:
    local = moment.astimezone(JST)
    if lang == "en":
        return f"{local.day} {local:%B}, {local:%H:%M:%S}"
    return f"{local.month}月{local.day}日 {local.hour}時{local.minute:02}分{local.second:02}秒"


def headline(row: RequestRow, reader: Reader, late: bool = False) -> str:
    """One sentence that says where a request stands. Reasons stay as they were written."""
    if row.state == "running" and late:
        return reader(say("返事が遅れています。自動でもう一度頼みます。この画面を閉じてもかまいません。"))
    if row.state == "done":
        name, what = reader(service(row.service).name), reader(_DONE[row.action])
        return reader(say("%(name)s：%(what)s。"), name=name, what=what)
    if row.state == "withdrawn" and row.action == "leave":
        return reader(say("やめる手続きを取りやめました。このまま使い続けられます。"))
    if row.state == "requested" and row.action == "leave" and row.effective_from:
        last = row.effective_from - timedelta(days=1)
        return reader(
            say("%(year)s年%(month)s月%(day)s日まで使います。その次の日に、データの書き出しを自動で始めます。"),
            year=last.year,
            month=last.month,
            day=last.day,
        )
    if row.state == "requested" and row.action == "move":
        return reader(say("協議会の承認を待っています。承認されるまで、いまの開始日のままです。"))
    return reader(_HEADLINES[row.state], reason=row.reason or "")


_HEADLINES = {
    "requested": say("協議会の承認を待っています。承認されると、数秒で準備が終わります。"),
    "running": say("進めています。あと数秒で終わります。この画面を閉じても進みます。"),
    "exported": say("データの書き出しが終わりました。受け取って、中身を確かめてください。"),
    "refused": say("協議会が見送りました。理由：%(reason)s"),
    "withdrawn": say("申込みを取り消しました。いつでも、もう一度申し込めます。"),
    "failed": say("途中で失敗したため、元に戻しました。理由：%(reason)s もう一度申し込めます。"),
}

STATUS = {
    "active": (say("利用中"), "good"),
    "preparing": (say("準備中"), "info"),
    "suspended": (say("休止中"), "warn"),
    "scheduled": (say("開始日が決まっています"), "info"),
    "none": (say("未利用"), ""),
}

AUDIT = {
    "requested": say("申し込みました"),
    "imported": say("参加の記録から始めました"),
    "approved": say("承認しました"),
    "refused": say("見送りました"),
    "withdrawn": say("取り消しました"),
    "confirmed": say("データの受け取りを確かめました"),
    "exported": say("データを書き出しました"),
    "done": say("完了しました"),
    "failed": say("失敗し、元に戻しました"),
    "retried": say("もう一度始めました"),
}


_AUDIT_WHOLE = {
    "member.changed": say("職員の権限を変えました"),
    "member.invited": say("職員を招待しました"),
    "municipality.renamed": say("市町村の名前・コードを変えました"),
    "municipality.ended": say("市町村の廃止・合併を記録しました"),
    "municipality.merged": say("市町村の合併を記録しました"),
    "municipality.merger.corrected": say("市町村の合併の記録を訂正しました"),
    "municipality.established": say("市町村の新設を記録しました"),
    "municipality.corrected": say("台帳を訂正しました"),
    "subscription.corrected": say("参加の記録を訂正しました"),
    "service.rule.changed": say("承認の決まりを変えました"),
    "history.imported": say("参加の記録を取り込みました"),
    "municipalities.imported": say("市町村を取り込みました"),
    "not-yet.noted": say("参加していない理由を書き留めました"),
    "capacity.pool.changed": say("予約できるサーバーの数を変えました"),
    "capacity.requested": say("サーバーを予約しました"),
    "capacity.approved": say("サーバーの予約を承認しました"),
    "capacity.refused": say("サーバーの予約を見送りました"),
    "capacity.cancelled": say("サーバーの予約を取り消しました"),
    "capacity.applied": say("予約したサーバーを用意しました"),
    "capacity.removed": say("予約したサーバーを片付けました"),
    "calendar.key.made": say("予定を購読するアドレスを作りました"),
    "calendar.key.ended": say("予定の購読を終わりにしました"),
    "takeout.requested": say("すべてのデータの書き出しを始めました"),
    "takeout.exported": say("データを書き出しました"),
    "takeout.gathered": say("すべてのデータを1つのファイルにまとめました"),
    "registry.forgotten": say("市町村の登録を消しました"),
    "past.taken": say("過去の申請を取り込みました"),
    "past.taken-back": say("過去の申請の取り込みを取り消しました"),
    "department.made": say("部署を作りました"),
    "department.changed": say("部署を変えました"),
    "department.removed": say("部署をなくしました"),
    "delegation.given": say("権限の管理を委任しました"),
    "delegation.ended": say("委任を終えました"),
    "support.asked": say("運用担当に尋ねました"),
    "support.answered": say("市町村の問い合わせに答えました"),
    "support.closed": say("問い合わせを終わりにしました"),
    "own-page.changed": say("市町村のページを変えました"),
    "maintenance.announced": say("メンテナンスをお知らせしました"),
    "maintenance.cancelled": say("メンテナンスを取りやめました"),
    "incident.begun": say("障害をお知らせしました"),
    "incident.reported": say("障害の様子をお知らせしました"),
    "incident.ended": say("障害が終わったことをお知らせしました"),
    "incident.withdrawn": say("障害のお知らせを取り下げました"),
    "plan.added": say("計画を登録しました"),
    "plan.withdrawn": say("計画を取り下げました"),
    "plan.restored": say("取り下げた計画を元に戻しました"),
    "indicator.added": say("協議会の指標を加えました"),
    "indicator.owner": say("指標の担当を変えました"),
    "indicator.corrected": say("指標の中身を直しました"),
    "indicator.withdrawn": say("指標の値を取り消しました"),
    "indicator.measured": say("指標の値を記録しました"),
    "indicator.check": say("指標の検証を書きました"),
    "indicator.act": say("指標の対策を書きました"),
    "indicator.comment": say("指標にコメントを書きました"),
    "sharing.decided": say("割り勘の決まりを登録しました"),
    "populations.imported": say("人口の表を取り込みました"),
    "invoices.issued": say("請求を出しました"),
    "invoice.paid": say("入金を記録しました"),
    "invoice.voided": say("請求を取り消しました"),
}


def audit_words(action: str, reader: Reader) -> str:
    """subscription.join.approved → 利用の申込み：承認しました."""
    first, *rest = action.split(".")
    if first == "subscription" and len(rest) == 2:
        asked, step = ACTIONS.get(rest[0], rest[0]), AUDIT.get(rest[1], rest[1])
        return reader(say("%(asked)s：%(step)s"), asked=reader(asked), step=reader(step))
    return reader(_AUDIT_WHOLE.get(action, action))


_HAPPENED = {
    "established": say("%(after)sができました"),
    "changed": say("%(before)sから%(after)sになりました"),
    "merged": say("%(before)sは%(into)sになりました"),
    "ended": say("%(before)sはなくなりました"),
}


def happened(found: list[Change], states: list[Municipality], reader: Reader) -> list[dict[str, Any]]:
    """Rows: the day, what happened in words, when it was recorded, whose it is."""
    names = {state.tenant_id: _named(state) for state in in_order(believed(states))}
    return [
        {
            "tenant": change.tenant,
            "day": change.day,
            "recorded_at": change.recorded_at,
            "what": reader(
                _HAPPENED[change.event],
                before=_named(change.before),
                after=_named(change.after),
                into=names.get(change.successor or "", change.successor or ""),
            ),
        }
        for change in found
    ]


def _named(state: Municipality | None) -> str:
    return f"{state.name}（{state.code}）" if state else ""


INVOICES = {
    "issued": (say("お支払い待ち"), "info"),
    "paid": (say("入金済み"), "good"),
    "void": (say("取消し"), "warn"),
}
"""State of an invoice → its word and the kind of its badge."""

JOINING = {
    "estimate": (say("見積りを受け取る"), say("この見積書を、予算の資料に使えます。")),
    "request": (say("予算を要求する"), say("財政の担当へ、初年度の負担額と、その次の1年の負担額を伝えます。")),
    "assembly": (say("議会で予算が決まる"), say("3月の議会です。年度の途中から始めるときは、補正予算になります。")),
    "ask": (say("窓口から申し込む"), say("開始日を選んで申し込みます。協議会が承認すると、数秒で準備が終わります。")),
    "procedures": (say("使う職員を招待する"), say("権限を付けておくと、始まった日からすぐに使えます。")),
    "training": (say("使い方を確かめる"), say("「はじめの1時間の手順」を読みます。練習のしかたも、そこにあります。")),
    "begin": (say("利用を始める"), say("その日の0時から、自動で使えるようになります。")),
    "first_invoice": (say("初めの請求"), say("協議会が請求を出します。窓口の「請求」から受け取れます。")),
}
"""Step of the plan of joining → (what is done, what helps)."""


LIGHTS = {
    "met": (say("達成"), "good"),
    "on_track": (say("順調"), "good"),
    "behind": (say("やや遅れ"), "warn"),
    "late": (say("遅れ"), "bad"),
    "unknown": (say("判定なし"), ""),
}
"""Traffic light of an indicator → its word and the kind of its badge."""

SOURCES = {"automatic": say("自動"), "imported": say("取込み"), "typed": say("入力")}
"""How a value came to be."""

REVIEWS = {"check": say("検証"), "act": say("対策"), "comment": say("コメント（内部）")}
"""What somebody wrote about an indicator."""

TOWNS = {"市": say("市"), "区": say("区"), "町": say("町"), "村": say("村")}
"""Kinds of municipality."""

RESERVATIONS = {
    "requested": (say("承認を待っています"), "info"),
    "approved": (say("予約済み"), "good"),
    "refused": (say("見送り"), "warn"),
    "cancelled": (say("取消し"), ""),
}
"""State of a reservation → its word and the kind of its badge."""
