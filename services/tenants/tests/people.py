"""Who acts in the tests, and a registry to act on."""

from collections.abc import Callable
from datetime import datetime

from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants.use_cases import registry

OOKI = "405221"  # 大木町
KURUME = "402036"
NAKAGAWA = "403059"
PREFECTURE = "400009"

ADMIN = Actor("staff", "person-admin", "管理 太郎", OOKI, OOKI, frozenset({"portal.admin"}), "password", "sid-1")
OPERATOR = Actor(
    "operator", "person-operator", "運用 花子", PREFECTURE, PREFECTURE, frozenset({"operator"}), "password", "sid-2"
)
SECOND_OPERATOR = Actor(
    "operator", "person-operator-2", "運用 次郎", PREFECTURE, PREFECTURE, frozenset({"operator"}), "password", "sid-3"
)
MEMBER = Actor(
    "staff", "person-council", "協議 会子", PREFECTURE, PREFECTURE, frozenset({"council.member"}), "password", "sid-4"
)
GUEST = Actor("guest", "guest-1")

Recorded = Callable[[], datetime]


def load_fukuoka(database: Database, now: datetime = NOW) -> None:
    with database.transaction() as session:
        assert registry.load_reference(session, 40, now) == 62  # 福岡県, 60 municipalities, and 那珂川 twice
