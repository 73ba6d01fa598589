"""Something somebody must look at: shown, told of by an event, mailed once, cleared when it is over."""

from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from libs.common import audit, notices, outbox, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from libs.common.ids import new_id
from services.backup.db import AlertRow, RepositoryRow
from services.backup.db import repositories as db
from services.backup.events import AlertRaised

_FOLDER = Path(__file__).parents[1] / "templates" / "notices"
WORDS = {
    "overdue": say("約束した間隔のうちに、バックアップが届いていません"),
    "flood": say("ふだんの10倍をこえる変更が、一度に届きました"),
    "mass-deletion": say("1日のうちに、復元できる時点の半分より多くが消されました"),
    "damage": say("写しの一部が壊れていて、もう一方からも直せませんでした"),
    "drill": say("復元訓練で、戻せないものが見つかりました"),
    "disk": say("保管場所のディスクが、書き込みや読み出しに失敗しました"),
    "disposal": say("保管庫の廃棄が申し出られています"),
    "drop": say("届いたデータが、ふだんよりずっと少なくなりました"),
    "lag": say("届いたデータの一部が、1日たっても2か所目に写せていません"),
    "unopenable": say("保管庫を開くのに要る設定か、最後の鍵が消されました"),
    "key-ending": say("キーの期限が、2週間のうちに切れます"),
    "nearly-full": say("使っている量が、上限の9割をこえました"),
}
STEPS = {
    "overdue": say("バックアップを取る機械が動いているか、キーの期限が切れていないかを確かめてください。"),
    "flood": say(
        "心当たりがなければ、機械が身代金ウイルスに侵されていないか確かめてください。前の日の状態は、日時を指定して読めます。"
    ),
    "mass-deletion": say(
        "心当たりがなければ、整理用のキーを取り消してください。消されたものは残っていて、日時を指定して読めます。"
    ),
    "damage": say("元のデータがあるうちに、もう一度バックアップを取ってください。運用担当者も調べています。"),
    "disk": say("運用担当者が調べています。届いたと答えた分は無事です。機械は、同じデータをもう一度送ります。"),
    "disposal": say(
        "心当たりがなければ、保管庫の画面で、いますぐ「廃棄をやめる」を押してください。期日までは何も消えません。"
    ),
    "drop": say(
        "バックアップの対象のフォルダーが空になっていないか、つながっているかを確かめてください。前の日の状態は残っています。"
    ),
    "lag": say(
        "運用担当者が調べています。届いたデータは1か所目にあります。2か所目に写し終わると、この表示は消えます。"
    ),
    "unopenable": say(
        "心当たりがなければ、整理用のキーを取り消してください。消されたものは残っています。消される前の日時を指定すれば、合言葉で開いて読み戻せます。"
    ),
    "key-ending": say(
        "期限が切れると、その機械のバックアップは止まります。同じ機械の名前でもう一度キーを作り、表示される設定一式をその機械で実行してください。合言葉と、これまでの分は、そのまま使えます。"
    ),
    "nearly-full": say(
        "上限に達すると、新しいバックアップを受け取れません（これまでの分は残り、復元できます）。古い世代を整理するか、保管庫の上限を増やしてください。自治体全体の上限は、運用担当者が増やせます。"
    ),
    "drill": say("復元訓練の記録を開き、戻せなかったものを確かめてください。元のデータがあるうちに取り直せます。"),
}
SEEN_BY_PEOPLE = ("flood", "mass-deletion", "disk", "unopenable")
"""Here somebody may say that they have looked. The next one is told of again. The last of them ends, too, when what was there is back."""
LOSSES = ("damage", "drill")
"""Here nobody can say that everything is as it was."""
TEMPLATE = notices.template(_FOLDER / "alert.txt")
"""In Japanese, like every mail to staff (`eapply.use_cases.mails`): no service knows in which language a colleague reads, and the address
is often one of several people. The page it leads to is in its reader's language."""


def raise_alert(session: Session, repository: RepositoryRow, kind: str, now: datetime) -> bool:
    """Raise an alert unless the same one is open. True if it is new."""
    if db.open_alert(session, repository.id, kind) is not None:
        return False
    session.add(AlertRow(id=new_id(), repository_id=repository.id, kind=kind, raised_at=now))
    event = AlertRaised(repository_id=repository.id, kind=kind, raised_at=now)
    outbox.add(session, event, subject=repository.id, now=now)
    notices.send(
        session,
        to_person=repository.created_by,
        to_address=repository.alert_address,
        template=TEMPLATE,
        context={
            "title": repository.title,
            "what": WORDS[kind],
            "step": STEPS[kind],
            "repository": repository.name,
            "page": _page(session, repository),
            "whole": kind not in LOSSES,
        },
        now=now,
    )
    return True


def _page(session: Session, repository: RepositoryRow) -> str:
    """Its path on a line of its own becomes a whole address in the mail. A municipality's code may change; its tenant never does."""
    return f"/t/{room.code_of(session)}/backup/desk/{repository.id}"


def clear_alert(session: Session, repository: RepositoryRow, kind: str, now: datetime) -> None:
    alert = db.open_alert(session, repository.id, kind)
    if alert is not None:
        alert.cleared_at = now


def note_seen(session: Session, actor: Actor, repository_id: str, alert_id: str, now: datetime) -> None:
    """Somebody has looked into it. Twice is once; Conflict for what ends only when it is over, NotFound for anything else."""
    alert = session.get(AlertRow, (session.info["tenant"], alert_id))
    if alert is None or alert.repository_id != repository_id:
        raise NotFound(say("このお知らせは見つかりません。"))
    if alert.kind not in SEEN_BY_PEOPLE:
        raise Conflict(say("このお知らせは、原因がなくなると自動で消えます。"), code="alert-not-over")
    if alert.cleared_at is None:
        alert.cleared_at = now
        audit.record(session, actor, "backup.alert.seen", repository_id, detail={"kind": alert.kind}, now=now)
