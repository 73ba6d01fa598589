"""What an operator does from a terminal."""

from pathlib import Path
from typing import Literal

from libs.common import vaults
from libs.common.errors import Refusal
from libs.common.service import Service
from services.ebid.use_cases import corporate_numbers, log_key


def take_in_corporate_numbers(service: Service, paths: list[Path]) -> int:
    """Take in the files, in this order, naming each refused line. 1 where a line or a file was refused."""
    worst = 0
    for path in paths:
        try:
            taken = corporate_numbers.take_in(service, path, lambda line: print(f"  {line}"))
        except (OSError, Refusal) as error:
            print(f"{path.name}：読めませんでした。{error}")
            worst = 1
            continue
        print(
            f"{path.name}：{taken.kept}件を取り込み、{taken.gone}件を消しました。古い行{taken.older}件、読めない行{taken.refused}件。"
        )
        worst = max(worst, int(taken.refused > 0))
    return worst


def change_log_key(service: Service, what: Literal["new", "forget-old"]) -> str | None:
    """Why it was not done."""
    try:
        if what == "forget-old":
            log_key.forget_old(service)
            print("the old key is gone")
        elif log_key.new(service):
            print(
                "the log signs by a new key; put a copy of it into the safe, then forget-old takes the one before away"
            )
        else:
            print("the log had its new key already: forget-old takes the one before away")
    except (vaults.NotDone, Refusal) as refusal:
        return str(refusal)
    return None
