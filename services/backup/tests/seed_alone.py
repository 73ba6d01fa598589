"""A disk is taken in by a process of its own, to be killed: `python -m services.backup.tests.seed_alone FOLDER DISK STEP AFTER`.

It dies before STEP of the first file that it takes in after AFTER files. FOLDER as for `serve_alone`.
"""

import sys
from pathlib import Path

from services.backup.tests import serve_alone
from services.backup.use_cases.seed import seed


def main(folder: Path, disk: Path, step: str, after: int) -> None:
    service = serve_alone.watched_service(folder)

    def arm(done: int) -> None:
        serve_alone.armed, serve_alone.linked = step if done >= after else "", False

    arm(0)
    seed(service, serve_alone.told(folder)["tenant"], "juki", disk, lambda done, _: arm(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
