"""The services a municipality can opt into (福岡県官民データ活用推進計画, 2019-03)."""

from dataclasses import dataclass
from typing import Literal

from libs.common.errors import Forbidden, NotFound, say

Delivery = Literal["room", "elsewhere"]


@dataclass(frozen=True, slots=True)
class CatalogueService:
    """`delivery`: `room` is a service of this cloud that prepares a room for the tenant; `elsewhere` runs outside and is
    catalogued and counted here. `opened` is false while this release does not have it: its history still counts.

    `cost` and `effect` are sentences; where no figure is published they say so and invent none.
    """

    key: str
    name: str
    short: str
    since: int
    delivery: Delivery
    opened: bool
    lead: str
    cost: str
    effect: str
    source: str = ""


_PLAN = say("福岡県官民データ活用推進計画（2019年3月）")
_COST = say(
    "この市町村の負担額は、協議会の負担金の決まりによります。公表された単価はありません。事務局が見積りをお渡しします。"
)

SERVICES: tuple[CatalogueService, ...] = (
    CatalogueService(
        "center", say("共同利用センターサービス"), say("共同利用センター"), 2002, "elsewhere", True,
        say("LGWANへの接続を、県やほかの市町村と共同で使います。"),
        _COST,
        say("1団体ごとに接続設備を持たずにすみます。2018年9月には27市町村が使っていました。"), _PLAN,
    ),
    CatalogueService(
        "eapply", say("電子申請サービス"), say("電子申請"), 2006, "room", True,
        say("住民や事業者からの申請と届出を、スマートフォンとパソコンで受け付けます。"),
        _COST,
        say("窓口へ来なくても申請でき、職員は紙から入力し直さずにすみます。2017年度は27市町村で33,562件の申請がありました"
        "（1市町村あたり 1,243件）。"),
        _PLAN,
    ),
    CatalogueService(
        "backup", say("遠隔地データバックアップサービス"), say("データバックアップ"), 2011, "room", True,
        say("住民情報などの写しを、離れた場所に暗号化して保管します。"),
        _COST,
        say("庁舎が被災しても業務データを戻せます。2018年9月には19市町村が使っていました。"), _PLAN,
    ),
    CatalogueService(
        "ebid", say("電子入札サービス"), say("電子入札"), 2013, "room", True,
        say("公告から開札までを、紙のやりとりと来庁なしで進めます。"),
        _COST,
        say("入札する事業者の移動と、職員の受付の手間が減ります。2018年9月には3市町村が使っていました。"), _PLAN,
    ),
    CatalogueService(
        "cloud", say("ふくおか自治体クラウド"), say("自治体クラウド"), 2013, "elsewhere", True,
        say("必要な期間に、必要な量だけ、サーバーとネットワークを使います。選挙の開票速報などに向きます。"),
        _COST,
        say("ふだん使わない設備を持たずにすみます。2018年9月には17市町村が使っていました。"), _PLAN,
    ),
    CatalogueService(
        "opendata", say("オープンデータサイト"), say("オープンデータ"), 2017, "room", True,
        say("推奨データセットの様式で、市町村のデータを公開します。"),
        _COST,
        say("共通の様式なので、だれもが同じ形で使えます。2018年10月には24団体が公開していました。"), _PLAN,
    ),
)  # fmt: skip

DOOR = "gateway"
"""No service that anybody opts into. It has no room and hears no events: what operators switch off there stands in its snapshot."""
_DOOR_NAME = say("サインインとキー")
_BY_KEY = {service.key: service for service in SERVICES}
NOT_OPEN = say("このサービスは、いまの版ではまだ申し込めません。これまでの参加の記録は数えています。")


def service(key: str) -> CatalogueService:
    """The service called `key`; NotFound if there is none."""
    found = _BY_KEY.get(key)
    if found is None:
        raise NotFound(say("このサービスは見つかりません。一覧から選び直してください。"), code="unknown-service")
    return found


def name_of(key: str) -> str:
    """What people call a service, or the door, where functions are switched off. NotFound if there is none."""
    return _DOOR_NAME if key == DOOR else service(key).name


def open_service(key: str) -> CatalogueService:
    """The same, refusing one that cannot be joined in this release."""
    found = service(key)
    if not found.opened:
        sentence = say("「%(name)s」は、まだ申し込めません。%(more)s", name=found.name, more=NOT_OPEN)
        raise Forbidden(sentence, code="not-yet-open")
    return found
