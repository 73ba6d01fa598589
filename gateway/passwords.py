"""Passwords: hashed and checked by processes of their own (`hashing.py`), and what a new one must be like."""

import json
import os
import subprocess
import sys
from collections.abc import Container
from pathlib import Path
from queue import LifoQueue
from threading import BoundedSemaphore
from typing import Any

from argon2 import PasswordHasher

from gateway import domain
from libs.common.errors import TooMany, say

AT_ONCE = max(1, min(2, len(os.sched_getaffinity(0)) // 2 if sys.platform == "linux" else 1))
"""How many passwords are computed at a time. Each takes a core for a sixth of a second; half of the cores are for everybody else."""
WAITING = 24
"""How many may stand in line; the next one is asked to come back. Each holds one of the forty threads of our pages."""
LEAST_GUESSES = 10**8
"""Below this a list or a simple rule finds the password."""
OUR_WORDS = (
    "kyodo",
    "kyoudou",
    "kyodocloud",
    "共同クラウド",
    "jichitai",
    "shiyakusho",
    "kuyakusho",
    "yakuba",
    "kencho",
    "desk",
    "portal",
)
"""What anybody would guess of people who work here (ASVS 5.0, 6.1.2 and 6.2.11; listed in docs/security-rules.md)."""
_PROGRAM = Path(__file__).with_name("hashing.py")


class Passwords:
    """Hashes and checks passwords. Its processes start when they are first needed and end with `close`."""

    def __init__(self) -> None:
        self._computing: LifoQueue[Computing] = LifoQueue()
        for _ in range(AT_ONCE):
            self._computing.put(Computing())
        self._line = BoundedSemaphore(AT_ONCE + WAITING)
        self._costs = PasswordHasher()

    def hash(self, password: str) -> str:
        return self._ask({"password": domain.normal_password(password)})["hash"]

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether `password` is the one kept. With None (no such person) it takes as long, and says no."""
        return self._ask({"password": domain.normal_password(password), "kept": kept})["right"]

    def outdated(self, kept: str) -> bool:
        return self._costs.check_needs_rehash(kept)

    def close(self) -> None:
        while not self._computing.empty():
            self._computing.get().stop()

    def _ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        if not self._line.acquire(blocking=False):
            raise TooMany(
                say("いまサインインが混み合っています。少し待ってから、もう一度お試しください。"), retry_after=5
            )
        try:
            computing = self._computing.get()
            try:
                return computing.ask(wish)
            finally:
                self._computing.put(computing)
        finally:
            self._line.release()


class Computing:
    """One such process. Of one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def ask(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Its answer; of a new process if the old one has gone (killed for want of memory). Raises RuntimeError if that goes, too."""
        for _ in range(2):
            said = self._said(json.dumps(wish))
            if said:
                return json.loads(said)
            self.stop()
        raise RuntimeError("the process that computes passwords ended twice")

    def _said(self, line: str) -> str:
        if self._process is None:
            self._process = _started()
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return ""

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()


def _started() -> subprocess.Popen[str]:
    """In a session of its own: what the terminal sends (Ctrl-C) ends the gateway, and with its input this process."""
    return subprocess.Popen(  # noqa: S603 (our own program)
        [sys.executable, "-P", str(_PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def check_new(password: str, *known: str, breached: Container[str] = ()) -> None:
    """Refuse a password that is short, common, made of what is known of the person, or one of `breached` (NIST SP 800-63B, 5.1.1.2)."""
    from zxcvbn import zxcvbn  # its lists are 10 MB, of no use to a gateway at which nobody chooses a password

    domain.check_password_length(password)
    normal = domain.normal_password(password)
    if (
        zxcvbn(normal[:72], user_inputs=[part for text in (*OUR_WORDS, *known) for part in _words(text)])["guesses"]
        < LEAST_GUESSES
    ):
        raise domain.weak(
            say("このパスワードは推測されやすいものです。関係のない言葉をいくつか続けるなど、別のものにしてください。")
        )

    if password in breached:
        raise domain.weak(
            say(
                "このパスワードは、ほかの所から漏れたものの一覧にあります。ほかで使っていない、別のものにしてください。"
            )
        )


def _words(text: str) -> list[str]:
    return [word for word in [text, *text.replace("@", " ").replace(".", " ").split()] if len(word) > 2]
