"""python -m services.backup api | listen | work | migrate

python -m services.backup renew-site first|second     the folder of a lost site has been replaced by a new, empty one:
                                                      stop the service, run this, start it; it fills itself from the other
python -m services.backup seed CODE REPOSITORY FOLDER take in a restic repository that came on a disk; may be stopped and
                                                      started again at any time
python -m services.backup take-back CODE                the database was brought back from an earlier copy: what arrived since
                                                      and lies at the sites is taken into it
python -m services.backup allowance CODE GB --by WHO --reason WHY [--even-below-what-is-used]
                                                      how much a municipality may keep; its record says who and why
python -m services.backup vault new-key | forget-old    another key seals deposited passwords (use_cases/vault_keeping.py)
python -m services.backup verify EVIDENCE KEY           whether evidence of a drill is what the owner of the public key signed
"""

import argparse
import sys
from pathlib import Path
from typing import Literal

from libs.common import roles
from libs.common.roles import Deployable

deployable = Deployable("backup", "services.backup")


def renew(name: Literal["first", "second"]) -> None:
    from services.backup.settings import renew_site, settings_of

    service = deployable.build()
    renew_site(service, settings_of(service).site(name))


def verify(evidence: Path, key: Path) -> None:
    from services.backup.use_cases.evidence import is_genuine

    if not is_genuine(evidence.read_bytes(), key.read_bytes()):
        sys.exit("NOT genuine: it was changed, or signed by somebody else")
    print("genuine: word for word what the owner of the key signed")


def seed(tenant: str, name: str, folder: Path) -> None:
    from libs.common.errors import Refusal
    from services.backup.use_cases.seed import seed

    service = deployable.build()
    try:
        done = seed(service, tenant, name, folder, lambda n, total: print(f"\r{n} / {total}", end="", flush=True))
    except Refusal as refusal:
        sys.exit(f"\n{refusal.message}")
    print(f"\n{done.taken} files taken in ({done.bytes:,} bytes), {done.already} were there already")
    for place in done.unknown:
        print(f"no part of a repository, left out: {place}")
    if done.refused:
        bad = ["These are not what their names say, so were not taken in:", *done.refused]
        if done.waiting:
            bad.append(f"{done.waiting} indexes and snapshots wait: bring these files again and run this once more")
        sys.exit("\n".join(bad))


def allowance(arguments: list[str]) -> None:
    from libs.common.errors import Refusal
    from services.backup.use_cases import allowance

    parser = argparse.ArgumentParser("python -m services.backup allowance")
    parser.add_argument("code")
    parser.add_argument("gib", type=int, metavar="GB")
    parser.add_argument("--by", required=True, metavar="WHO")
    parser.add_argument("--reason", required=True, metavar="WHY")
    parser.add_argument("--even-below-what-is-used", action="store_true")
    told, service = parser.parse_args(arguments), deployable.build()
    try:
        with service.database.reading() as session:
            tenant = allowance.tenant_of(session, told.code)
        with service.database.transaction(tenant=tenant) as session:
            below = told.even_below_what_is_used
            row = allowance.change(session, told.gib, told.reason, service.clock.now(), by=told.by, even_below=below)
            print(f"{told.code}: {row.quota // 1024**3} GB, {row.live / 1024**3:.1f} GB used")
    except Refusal as refusal:
        sys.exit(refusal.message)


def take_back(tenant: str) -> None:
    from services.backup.use_cases.sites import take_back_set_aside

    print(f"{take_back_set_aside(deployable.build(), tenant)} objects are there again")


def keep_vault(what: Literal["new-key", "forget-old"]) -> None:
    from libs.common import vaults
    from services.backup.use_cases import vault_keeping as keeping

    service = deployable.build()
    try:
        if what == "new-key":
            print(f"the vault has a new key; passwords sealed anew: {keeping.new_key(service)}")
            print("put a copy of it into the safe; then forget-old takes the one before away")
        else:
            print(f"the old key is gone; passwords sealed anew only now: {keeping.forget_old(service)}")
    except vaults.NotDone as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["renew-site", ("first" | "second") as name]:
            renew(name)
        case ["verify", evidence, key]:
            verify(Path(evidence), Path(key))
        case ["seed", tenant, name, folder]:
            seed(tenant, name, Path(folder))
        case ["allowance", *arguments]:
            allowance(arguments)
        case ["vault", ("new-key" | "forget-old") as what]:
            keep_vault(what)
        case ["take-back", tenant]:
            take_back(tenant)
        case _:
            roles.main(deployable)
