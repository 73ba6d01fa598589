"""python -m services.ebid api | listen | work | migrate
python -m services.ebid take-in-corporate-numbers FILE.zip …   the National Tax Agency's 全件データ or 差分データ (CSV, as published)
python -m services.ebid log-key new | forget-old              another key signs the log (use_cases/log_key.py)
"""

import sys
from pathlib import Path

from libs.common import roles
from libs.common.roles import Deployable

deployable = Deployable("ebid", "services.ebid")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["take-in-corporate-numbers", _, *_]:
            from services.ebid import commands

            sys.exit(commands.take_in_corporate_numbers(deployable.build(), [Path(each) for each in arguments[1:]]))
        case ["log-key", ("new" | "forget-old") as what]:
            from services.ebid import commands

            sys.exit(commands.change_log_key(deployable.build(), what))
        case _:
            roles.main(deployable, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
