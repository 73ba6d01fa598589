"""The sample prefecture: loaded once, through use cases, and the sign-ins that belong to it.

Loopback only, marked on every page; its accounts exist only with SAMPLE=1 and a production start refuses a store that
holds them. Repeating is safe: what is there is left as it is.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from libs.common.clock import local_date
from libs.common.service import Service
from services.backup import sample as backup_sample
from services.eapply import sample as eapply_sample
from services.ebid import sample as ebid_sample
from services.opendata import sample as opendata_sample
from services.tenants import reference
from services.tenants import sample as tenants_sample
from services.tenants.settings import Settings
from services.tenants.use_cases import registry

PASSWORD = "tsukushi no asa wa shiroi"  # noqa: S105 (published on purpose: the sample's)
SIGN_INS = "sample-sign-ins.txt"


@dataclass(frozen=True)
class Person:
    """`town` is `using` (a municipality that uses e-application), `joining` (one that does not yet), or the prefecture."""

    email: str
    name: str
    town: str | None
    roles: frozenset[str]
    what: str


OPENDATA = ("opendata.publisher", "opendata.manager")
PEOPLE = [
    Person(
        "operator@cloud.example", "運用 太郎", "prefecture", frozenset({"operator", "backup.manager"}),
        "運用担当（申込みの承認、見守り、共同クラウド自身のバックアップ）",
    ),
    Person("council@pref.example", "協議会 事務局", "prefecture", frozenset({"council.member"}), "協議会（参加数、実績、指標）"),
    Person("admin@joining.example", "石川 恵", "joining", frozenset({"portal.admin"}), "{town} 管理者（電子申請を申し込む）"),
    Person(
        "staff@using.example", "古賀 真理", "using",
        frozenset({"eapply.reviewer", "eapply.manager", "backup.manager", "ebid.officer", *OPENDATA}),
        "{town} 職員（申請の審査、データバックアップ、入札、オープンデータ）",
    ),
    Person("staff2@using.example", "江口 渉", "using", frozenset({"eapply.reviewer", "ebid.manager", "ebid.watcher"}), "{town} 職員 2人目"),
    Person("key1@using.example", "会計 守", "using", frozenset({"ebid.trustee"}), "{town} 開封のかぎ 1（会計課）"),
    Person("key2@using.example", "監査 律子", "using", frozenset({"ebid.trustee"}), "{town} 開封のかぎ 2（監査委員事務局）"),
    Person("key3@using.example", "協議 司", "using", frozenset({"ebid.trustee"}), "{town} 開封のかぎ 3（県共同クラウド協議会）"),
    Person("admin@using.example", "野田 弘", "using", frozenset({"portal.admin"}), "{town} 管理者"),
    Person("company1@bidder.example", "高良 進", None, frozenset(), "会社（株式会社高良建設・見本）"),
    Person("company2@bidder.example", "筑後 実", None, frozenset(), "会社（合資会社筑後川工業・見本）"),
    Person("citizen@home.example", "筑後 陽子", None, frozenset(), "住民（登録あり。登録しなくても申請できます）"),
]  # fmt: skip


def load() -> None:
    """Fill an empty cloud. Does nothing, and says so, where it was done before."""
    from services.__main__ import DEPLOYABLES

    settings = Settings()
    if not settings.sample:
        sys.exit("The sample is loaded only with SAMPLE=1 (`make run` sets it).")
    path = settings.data_dir / SIGN_INS
    if path.exists():
        say("見本は読み込み済みです")
        return
    services = {d.name: d.build() for d in DEPLOYABLES}
    tenants = services["tenants"]
    now = tenants.clock.now()
    tenants_sample.load(tenants.database, now, settings.prefecture, say)
    towns = _towns(tenants, settings.prefecture)
    ids = dict(zip([person.email for person in PEOPLE], _accounts(PEOPLE), strict=True))
    for person in PEOPLE:
        if person.town is not None:
            tenants_sample.appoint(tenants.database, towns[person.town][0], ids[person.email], set(person.roles), now)
    say(f"見本の利用者：{len(PEOPLE)}人")
    tenant, name = towns["using"]
    clerk = next(person for person in PEOPLE if "eapply.manager" in person.roles)
    with tenants.database.reading() as session:
        code = registry.present(session, tenant, local_date(now)).code
    staff = (ids[clerk.email], clerk.name)
    [citizen] = [(ids[person.email], person.name) for person in PEOPLE if person.email == "citizen@home.example"]
    eapply = services["eapply"]
    eapply_sample.load(eapply, tenant=tenant, code=code, name=name, staff=staff, citizen=citizen, say=say)
    _load_tenders(services["ebid"], ebid_sample.Town(tenant, code, name), ids)
    [keeper] = [ids[p.email] for p in PEOPLE if "backup.manager" in p.roles and p.town == "using"]
    backup_sample.load(services["backup"], place=backup_sample.Place(tenant, code, name), staff=keeper, say=say)
    own = towns["prefecture"]
    backup_sample.load_own(
        services["backup"], place=backup_sample.Place(own[0], own[0], own[1]), operator=ids["operator@cloud.example"]
    )
    opendata_sample.load(services["opendata"], room=opendata_sample.Place(tenant, code, name), say=say)
    _write(path, towns)


def _load_tenders(ebid: Service, town: ebid_sample.Town, ids: dict[str, str]) -> None:
    def who(*addresses: str) -> list[tuple[str, str]]:
        return [(ids[person.email], person.name) for person in PEOPLE if person.email in addresses]

    [officer], [manager] = who("staff@using.example"), who("staff2@using.example")
    keys = who("key1@using.example", "key2@using.example", "key3@using.example")
    companies = who("company1@bidder.example", "company2@bidder.example")
    ebid_sample.load(ebid, town, officer, manager, keys, companies, PASSWORD, say=say)


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def _towns(tenants: Service, prefecture: int) -> dict[str, tuple[str, str]]:
    """(tenant, name) by what the town is for."""
    today = local_date(tenants.clock.now())
    using, joining = tenants_sample.example_towns(tenants.database, today)
    own = reference.prefecture(prefecture)
    return {"using": using, "joining": joining, "prefecture": (own.code, own.name)}


def _accounts(people: list[Person]) -> list[str]:
    """The gateway keeps persons: it makes the accounts, in its own process and store. Their ids, in order."""
    told = json.dumps([[person.email, person.name, PASSWORD] for person in people])
    command = [sys.executable, "-m", "gateway", "sample-people"]
    done = subprocess.run(command, check=False, input=told, capture_output=True, text=True)  # noqa: S603 (our own)
    if done.returncode:
        sys.exit(f"the gateway could not make the sample's accounts:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _write(path: Path, towns: dict[str, tuple[str, str]]) -> None:
    lines = [f"見本のサインイン（合い言葉はどれも「{PASSWORD}」）", ""]
    for person in PEOPLE:
        town = towns[person.town][1] if person.town else ""
        lines.append(f"    {person.email:24s} {person.what.format(town=town)}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
