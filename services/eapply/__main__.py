"""python -m services.eapply api | listen | work | migrate | doctor

python -m services.eapply vault new-key | forget-old | keep FILE | restore FILE     (use_cases/vault_keeping.py)
"""

import sys
from pathlib import Path

from libs.common import roles
from libs.common.roles import Deployable

deployable = Deployable("eapply", "services.eapply")


def keep_vault(what: str, value: Path | None = None) -> None:
    from libs.common import vaults
    from services.eapply import vault
    from services.eapply.use_cases import vault_keeping as keeping

    service = deployable.build()
    database, opened, now = service.database, vault.of(service), service.clock.now()
    try:
        match what, value:
            case "new-key", None:
                print(
                    f"the vault has a new key; keys of municipalities wrapped anew: {keeping.new_key(database, opened, now)}"
                )
                print(f"put copies of both keys into the safe; then forget-old takes {opened.key.old.name} away")
            case "forget-old", None:
                print(f"the old key is gone; wrapped anew only now: {keeping.forget_old(database, opened, now)}")
            case "keep", Path() as file:
                print(f"{keeping.keep(database, file)} sealed numbers in {file}; keep the vault's key elsewhere")
            case "restore", Path() as file:
                back, left = keeping.restore(database, file)
                print(
                    f"{back} sealed numbers are back; {left} were left out: their application is gone or has a number"
                )
            case _:
                sys.exit(__doc__)
    except (vaults.NotDone, FileExistsError, FileNotFoundError) as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["vault", what]:
            keep_vault(what)
        case ["vault", what, value]:
            keep_vault(what, Path(value))
        case _:
            roles.main(deployable)
