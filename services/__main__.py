"""The single box: all services in as few processes as possible. The same code as the many deployments of infra/k8s.

python -m services api | listen | work | migrate     the role, for every service
python -m services doctor                            look at everything that real use needs; changes nothing
python -m services keep FOLDER                       copy a whole single box (SQLite, files, keys) while it runs
python -m services restore FOLDER                    bring such a copy back into an empty DATA_DIR
python -m services resend HOURS                      after a restore: send the events of the last hours once more
python -m services sample                            load the sample prefecture (only into an empty registry)
python -m services own-backup                        every room and database into a repository of this cloud
python -m services own-backup gather NAME FOLDER     what one service, or the gateway, gives to it
python -m services own-backup send FOLDER            … and all of it together, sent, until it is kept
python -m services events                            write docs/events.md and the schemas; refuses breaking changes
"""

import sys
from pathlib import Path

from libs.common import roles
from libs.common.roles import Deployable

DEPLOYABLES = [
    Deployable("tenants", "services.tenants"),  # first: it also serves the shared pages
    Deployable("eapply", "services.eapply"),
    Deployable("backup", "services.backup"),
    Deployable("ebid", "services.ebid"),
    Deployable("opendata", "services.opendata"),
]


def main(arguments: list[str]) -> None:
    match arguments:
        case ["sample"]:
            from services import sample

            sample.load()
        case ["keep" | "restore", folder]:
            from services import whole

            whole.run(arguments[0], folder)
        case ["own-backup"]:
            from services import own_backup

            own_backup.run(DEPLOYABLES)
        case ["own-backup", "gather", name, folder]:
            from services import own_backup

            own_backup.gather_one(DEPLOYABLES, name, Path(folder))
        case ["own-backup", "send", folder]:
            from services import own_backup

            own_backup.send_until_kept(Path(folder), {"gateway", *(each.name for each in DEPLOYABLES)})
        case ["events"]:
            from services import event_docs

            sys.exit(event_docs.write())
        case [("api" | "listen" | "work" | "migrate" | "doctor")] | ["resend", _]:
            roles.run(DEPLOYABLES, arguments)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
