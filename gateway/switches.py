"""Functions of the door itself that operators switch off for a municipality (`/operator/switches`).

The registry keeps what is off, and its snapshot says it: within a second or two it is so at every gateway, and a restart without the
registry keeps it. What nobody has told is on.
"""

from gateway.snapshot import Snapshot
from libs.common.errors import Forbidden
from libs.common.room import switches
from libs.common.room.switches import Switch

SERVICE = "gateway"
PROGRAMS = switches.declare(
    SERVICE,
    "programs",
    "プログラムからの利用",
    "市町村のキーを持つプログラム（データを送る、写しをとる、結果を読む）が、このクラウドを使えます。キーは、止めても残ります。",
)
PROVIDERS = switches.declare(
    SERVICE,
    "providers",
    "市町村の認証基盤でのサインイン",
    "職員が、市町村の認証基盤でサインインできます。止めている間は、その方法で入った方もサインアウトになります。",
)


def on(snapshot: Snapshot, tenant: str, switch: Switch) -> bool:
    here = snapshot.by_id.get(tenant)
    return here is None or switch.name not in here.off


def check(snapshot: Snapshot, tenant: str, switch: Switch) -> None:
    """Raises Forbidden where it is off for `tenant`."""
    if not on(snapshot, tenant, switch):
        raise Forbidden(switches.OFF, code="switched-off")
