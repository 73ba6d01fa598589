"""People ask for data, give a request their voice, and show what they made; staff let it through, answer, and tie it to what is published.

Nothing is public before staff have seen it: a request may hold what must not be public. Who asked is shown to nobody.
"""

import io
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, files, notices, pictures, room
from libs.common.actor import Actor
from libs.common.errors import Invalid, TooMany
from libs.common.files import StoredFile, kinds
from libs.common.ids import new_id
from libs.common.inner_token import TokenSigner
from services.opendata.db import datasets
from services.opendata.db import published as catalogue
from services.opendata.db import voices as db
from services.opendata.db.voices import AppRow, PublishedVoiceRow, RequestRow, VoteRow
from services.opendata.use_cases import directory

STATES = ("open", "planned", "published", "declined", "hidden")
ASKING = room.switches.declare(
    "opendata",
    "requests",
    "データの要望",
    "だれでも、ほしいデータを市町村に伝えられます。寄せられた要望と投票は、止めても残ります。",
)
A_DAY = 10
"""How many requests and apps one visitor may send in a day to one municipality."""
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}
PICTURE_LIMIT = 2 * 1024 * 1024
MOST_PIXELS = 20_000_000
LARGEST = (1600, 1600)
"""Pixels that a kept screenshot has at most."""
PERSON = "person:"
UNFOLLOW = "unfollow"
"""The purpose of the link in a mail that ends such mails: `who` follows which `dataset` (its id)."""
_WEB = re.compile(r"https://[^\s<>\"]{3,500}")
_TEMPLATES = Path(__file__).parents[1] / "templates" / "notices"
RENEWED = notices.template(_TEMPLATES / "renewed.txt")
ANSWERED = notices.template(_TEMPLATES / "answered.txt")


def who(actor: Actor) -> str:
    """A visitor, as one voice: the account where there is one, else the session."""
    return f"{PERSON}{actor.subject}" if actor.kind == "person" else f"guest:{actor.sid or ''}"


def _tidy(fields: dict[str, tuple[str, int, int]]) -> dict[str, str]:
    """Texts of a form: name → (text, shortest, longest)."""
    errors = {
        name: f"{least}文字から{most}文字で入力してください。"
        for name, (text, least, most) in fields.items() if not least <= len(text.strip()) <= most
    }  # fmt: skip
    if errors:
        raise Invalid("直していただくところがあります。", fields=errors)
    return {name: text.strip() for name, (text, _, _) in fields.items()}


def _check_many(session: Session, author: str, now: datetime) -> None:
    if db.sent_since(session, author, now - timedelta(days=1)) >= A_DAY:
        raise TooMany("一日に送れる数を超えました。明日、もう一度お送りください。", retry_after=86_400)


# ---- requests


def ask(session: Session, actor: Actor, title: str, body: str, now: datetime) -> RequestRow:
    """A request to the session's municipality. Invalid with sentences; TooMany; Forbidden where operators switched it off."""
    room.switches.check(session, ASKING)
    told = _tidy({"title": (title, 4, 200), "body": (body, 0, 4000)})
    _check_many(session, who(actor), now)
    row = RequestRow(id=new_id(), state="new", answer="", dataset_id=None, author=who(actor), created_at=now, **told)
    session.add(row)
    session.add(VoteRow(request_id=row.id, voter=row.author))
    session.flush()
    return row


def voted(session: Session, actor: Actor, request_id: str) -> bool:
    """Whether the visitor's voice is among them, be it from just before the sign-in."""
    return any(db.voted(session, request_id, name) for name in _names(actor))


def _names(actor: Actor) -> list[str]:
    return [who(actor), *([f"guest:{actor.earlier_guest}"] if actor.earlier_guest else [])]


def vote(session: Session, actor: Actor, request_id: str, *, wanted: bool) -> int:
    """One voice each, given or taken back: sent twice is once, and who signs in has no second one. The number of voices."""
    row = db.request(session, request_id, lock=True)
    for name in _names(actor):
        if given := db.voted(session, row.id, name):
            session.delete(given)
    session.flush()
    if wanted:
        session.add(VoteRow(request_id=row.id, voter=who(actor)))
    session.flush()
    _publish_request(session, row)
    return db.votes(session, row.id)


def answer(
    session: Session, actor: Actor, request_id: str, state: str, text: str, dataset: str, site: str, now: datetime
) -> RequestRow:
    """Staff say what becomes of it. `dataset`: the name of the data set it led to; who asked and voted is told of it."""
    row = db.request(session, request_id, lock=True)
    if state not in STATES:
        raise Invalid("直していただくところがあります。", fields={"state": "状態を一覧から選んでください。"})
    found = datasets.by_name(session, dataset.strip().rstrip("/").rpartition("/")[2]) if dataset.strip() else None
    if found is not None and found.state != "published":
        sentence = "このデータセットは、まだ公開していないか、公開を取りやめています。公開してから入力してください。"
        raise Invalid("直していただくところがあります。", fields={"dataset": sentence})
    if found is None and (dataset.strip() or state == "published"):
        sentence = "公開したデータセットのアドレスを入力してください。"
        raise Invalid("直していただくところがあります。", fields={"dataset": sentence})
    if state == "declined" and len(text.strip()) < 5:
        raise Invalid("直していただくところがあります。", fields={"answer": "公開できない理由を入力してください。"})
    row.state, row.answer, row.dataset_id = state, text.strip()[:4000], found.id if found else None
    session.flush()
    _publish_request(session, row)
    audit.record(session, actor, f"request.{state}", row.id, now=now)
    if state != "hidden":  # its page is there no more
        told = {"title": row.title, "link": f"{site}/requests/{row.id}"}
        for person in _people(db.voters(session, row.id)):
            notices.send(session, to_person=person, template=ANSWERED, context=told, now=now)
    return row


def _publish_request(session: Session, row: RequestRow) -> None:
    if row.state == "new":
        return
    found = session.get(PublishedVoiceRow, row.id) or PublishedVoiceRow(
        id=row.id, tenant=session.info["tenant"], kind="request", created_at=row.created_at
    )
    dataset = datasets.by_id(session, row.dataset_id) if row.dataset_id else None
    shown = row.state != "hidden"
    found.state, found.votes = row.state, db.votes(session, row.id)
    found.document = {
        "title": row.title, "body": row.body, "answer": row.answer, "dataset": dataset.name if dataset else "",
        "dataset_title": dataset.title if dataset else "",
    } if shown else {}  # fmt: skip
    session.add(found)
    session.flush()


# ---- apps


def screenshot(stream: BinaryIO) -> BinaryIO:
    """What is kept of a picture: its pixels, no larger than a page shows. Raises Invalid with the sentence for the person."""
    content = stream.read(PICTURE_LIMIT + 1)
    kind = PICTURES.get(files.media_type_of(content[: kinds.HEAD]))
    if len(content) > PICTURE_LIMIT:
        raise _no_picture("画像が大きすぎます。2MBまでの画像を選んでください。")
    if kind is None:
        raise _no_picture("この種類のファイルは受け取れません。PNG、JPEG、WebPの画像を選んでください。")
    try:
        bare = pictures.drawn_anew(io.BytesIO(content), kind, MOST_PIXELS)
    except pictures.TooManyPixels as error:
        raise _no_picture("画像の縦横が大きすぎます。小さくしてから選んでください。") from error
    except pictures.Broken as error:
        raise _no_picture("画像を開けませんでした。別のファイルを選んでください。") from error
    bare.thumbnail(LARGEST)
    out = io.BytesIO()
    bare.save(out, kind)
    out.seek(0)
    return out


def _no_picture(sentence: str) -> Invalid:
    return Invalid(sentence, code="bad-picture", fields={"file": sentence})


def show_app(
    session: Session, actor: Actor, dataset_id: str, told: dict[str, str], picture: StoredFile | None, now: datetime
) -> AppRow:
    """Something made with a data set of the session's municipality. `told`: title, description, url, maker."""
    tidy = _tidy({
        "title": (told["title"], 2, 200), "description": (told["description"], 0, 4000), "url": (told["url"], 1, 500),
        "maker": (told["maker"], 1, 100),
    })  # fmt: skip
    if not _WEB.fullmatch(tidy["url"]):
        raise Invalid(
            "直していただくところがあります。", fields={"url": "「https://」から始まるアドレスを入力してください。"}
        )
    _check_many(session, who(actor), now)
    row = AppRow(
        id=new_id(), dataset_id=datasets.by_id(session, dataset_id).id, picture_id=picture.id if picture else None,
        picture_type=picture.media_type if picture else "", state="new", author=who(actor), created_at=now, **tidy,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def decide_app(session: Session, actor: Actor, app_id: str, state: str, now: datetime) -> AppRow:
    """shown or hidden."""
    row = db.app(session, app_id, lock=True)
    if state not in ("shown", "hidden"):
        raise Invalid("直していただくところがあります。", fields={"state": "状態を一覧から選んでください。"})
    row.state = state
    session.flush()
    _publish_app(session, row)
    audit.record(session, actor, f"app.{state}", row.id, now=now)
    return row


def _publish_app(session: Session, row: AppRow) -> None:
    if row.state == "new":
        return
    found = session.get(PublishedVoiceRow, row.id) or PublishedVoiceRow(
        id=row.id, tenant=session.info["tenant"], kind="app", votes=0, created_at=row.created_at
    )
    dataset = datasets.by_id(session, row.dataset_id)
    found.state = row.state
    found.document = {
        "title": row.title, "description": row.description, "url": row.url, "maker": row.maker, "dataset": dataset.name,
        "dataset_id": dataset.id, "dataset_title": dataset.title, "picture": row.picture_id, "picture_type": row.picture_type,
    } if row.state == "shown" else {}  # fmt: skip
    session.add(found)
    session.flush()


def publish_voices(session: Session) -> None:
    """All of the municipality's, after its room was carried in or opened again."""
    for row in db.requests(session):
        _publish_request(session, row)
    for app in db.apps(session):
        _publish_app(session, app)


def close(session: Session) -> None:
    """Nobody outside sees them while the room is suspended."""
    for row in session.scalars(select(PublishedVoiceRow).where(PublishedVoiceRow.tenant == session.info["tenant"])):
        row.state = "closed"


# ---- followers


def follow(session: Session, actor: Actor, name: str, now: datetime) -> None:
    """The account hears of new versions of a public data set. Twice is once."""
    row = catalogue.get(session, name)
    if who(actor) not in directory.followers(session, "dataset", row.id):
        directory.follow(session, who(actor), "dataset", row.id, row.tenant, now)


def unfollow(session: Session, actor: Actor, name: str) -> None:
    row = catalogue.get(session, name)
    if who(actor) in directory.followers(session, "dataset", row.id):
        directory.unfollow(session, who(actor), "dataset", row.id)


def unfollow_by_link(session: Session, said: dict[str, str]) -> None:
    """`said`: what the link in a mail says (UNFOLLOW). Pressed twice is once; of a data set that is gone, too."""
    if said["who"] in directory.followers(session, "dataset", said["dataset"]):
        directory.unfollow(session, said["who"], "dataset", said["dataset"])


def tell_followers(session: Session, dataset_id: str, site: str, signer: TokenSigner, now: datetime) -> int:
    """How many were told, each with a link that ends it without a sign-in. Nobody, where the data set is no longer public."""
    row = catalogue.find(session, dataset_id)
    if row is None or row.state != "published":
        return 0
    context = {"title": row.document["title"], "link": f"{site}/datasets/{row.name}"}
    people = _people(directory.followers(session, "dataset", dataset_id))
    for person in people:
        ending = f"{site}/unfollow/{signer.sign_link(UNFOLLOW, who=f'{PERSON}{person}', dataset=dataset_id)}"
        notices.send(
            session,
            to_person=person,
            template=RENEWED,
            context=context | {"ending": ending},
            now=now,
            unsubscribe=ending,
        )
    return len(people)


def _people(voices: Iterable[str]) -> list[str]:
    """The accounts among them: guests and programs are told nothing."""
    return [each.removeprefix(PERSON) for each in voices if each.startswith(PERSON)]
