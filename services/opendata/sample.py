"""Example data sets for the sample prefecture: real files (their sources stand in samples/SOURCES.md), read, repaired and
published by the same use cases that clerks use.

    sample.load(service, room=sample.Place("402036", "402036", "久留米市"), say=print)

`room` is opened for the clerk who tries the sample, empty. Does nothing where data sets are published already.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from libs.common import room as rooms
from libs.common.actor import Actor
from libs.common.room import RoomRequest
from libs.common.room.table import OPEN, set_state
from libs.common.service import Service
from services.opendata.db import datasets, published
from services.opendata.domain.describe import Description
from services.opendata.rooms import OpendataRoom
from services.opendata.use_cases import drafts, publish

Say = Callable[[str], None]
FOLDER = Path(__file__).parent / "samples"


@dataclass(frozen=True, slots=True)
class Place:
    """A municipality, or the prefecture: the registry's id, its present code, its name."""

    tenant: str
    code: str
    name: str


PREFECTURE = Place("400009", "400009", "福岡県")
KASUGA = Place("402184", "402184", "春日市")


@dataclass(frozen=True, slots=True)
class Example:
    place: Place
    file: str
    title: str
    notes: str
    theme: str
    tags: tuple[str, ...] = ()
    kind: str = ""


EXAMPLES = (
    Example(
        KASUGA, "402184_public_toilet.csv", "公衆トイレ一覧",
        "春日市の公衆トイレの場所と設備です（一部）。出典：春日市、Open Infra Japanが加工したもの。", "REGI",
        ("公衆トイレ", "バリアフリー"), "13",
    ),
    Example(
        PREFECTURE, "400009_municipalities.csv", "福岡県の市町村一覧",
        "県内60市町村のコード、名前、役所の位置、サイトのアドレスです。出典：総務省 全国地方公共団体コード、localgovjp（CC0）。", "GOVE",
        ("市町村", "役場", "地方公共団体コード"),
    ),
    Example(
        PREFECTURE, "400009_participation_2018-09.csv", "共同利用サービスの参加状況（2018年9月）",
        "共同利用サービスごとの、始めた年度と参加市町村数です。出典：福岡県官民データ活用推進計画（2019年3月）。", "GOVE",
        ("共同利用", "電子申請"),
    ),
)  # fmt: skip


def load(service: Service, *, room: Place, say: Say = print) -> None:
    """The rooms, and the example data sets in theirs."""
    with service.database.reading() as session:
        if published.change(session):
            return
    for place in dict.fromkeys((room, *(example.place for example in EXAMPLES))):
        _open_room(service, place)
    for example in EXAMPLES:
        _publish(service, example)
    say(f"オープンデータ（見本）：{len(EXAMPLES)}件")


def _open_room(service: Service, place: Place) -> None:
    """As on a request of the registry, which will come as well and change nothing more."""
    request = RoomRequest("sample", place.tenant, "provision", code=place.code, name=place.name)
    rooms.drain(OpendataRoom(service).provision(request))
    with service.database.transaction(tenant=place.tenant) as session:
        if rooms.state_of(session, place.tenant) is None:
            set_state(session, request, OPEN, service.clock.now())


def _publish(service: Service, example: Example) -> None:
    """As a clerk would: send, look, accept the repair, publish."""
    now, place = service.clock.now(), example.place
    roles = frozenset({"opendata.publisher"})
    clerk = Actor("staff", "sample", "見本", place.tenant, place.code, roles)
    with (FOLDER / example.file).open("rb") as file:
        stored = drafts.keep(service, clerk, file)
    with service.database.transaction(tenant=place.tenant) as session:
        draft = drafts.begin(session, clerk, drafts.Sent(example.file.partition("_")[2]), stored, now)
        draft.report = {"asked": example.kind}
    drafts.read_now(service, place.tenant, draft.id)
    with service.database.transaction(tenant=place.tenant) as session:
        report = datasets.draft(session, draft.id).report
        tags = (*report["proposed"]["tags"], *example.tags)
        wish = Description(
            example.title, example.notes, example.theme, frequency="IRREG", tags=tags, kind=report["kind"]
        )
        choice = publish.Choice(repaired=report["repaired"] is not None, confirmed="公開されている資料の見本です。")
        publish.publish(session, clerk, draft.id, wish, choice, now)
