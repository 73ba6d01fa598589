"""The whole single box from a terminal: keep it, bring it back (libs/common/keeping.py)."""

import sys
import time
from pathlib import Path

from libs.common import keeping
from libs.common.clock import JST, SystemClock
from libs.common.settings import Settings
from services.own_backup import LEFT_OUT


def run(what: str, folder: str) -> None:
    settings, now, began = Settings(), SystemClock().now(), time.monotonic()
    try:
        match what:
            case "keep":
                keeping.keep(settings.data_dir, settings.keys_dir, Path(folder), now, LEFT_OUT)
                print(
                    f"kept in {folder}: as of {now.astimezone(JST):%Y-%m-%d %H:%M:%S}, in {time.monotonic() - began:.1f} s"
                )
            case "restore":
                at = keeping.restore(Path(folder), settings.data_dir, settings.keys_dir)
                lost = (now - at).total_seconds()
                print(
                    f"restored as of {at.astimezone(JST):%Y-%m-%d %H:%M:%S} (recovery point {lost:.0f} s ago)", end=""
                )
                print(f" in {time.monotonic() - began:.1f} s; start the cloud, then: python -m services resend 24")
    except keeping.NotKept as refusal:
        sys.exit(str(refusal))
