"""argon2id in threads of its own, two at a time: each try costs 64 MiB and 0.1 s, and must never stall anything else."""

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore, get_native_id

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from gateway import domain
from libs.common.errors import TooMany

AT_ONCE = 2
WAITING = 24
"""How many may stand in line; the next one is asked to come back. Each holds one of the forty threads of our pages."""
YIELDING = 10
"""How much nicer than the rest of the process these threads are (nice(2)): one try computes on four cores' worth of threads."""
LEAST_GUESSES = 10**8
"""Below this a list or a simple rule finds the password."""


class Passwords:
    """Hashes and checks passwords. `hasher` is argon2-cffi's with its defaults (RFC 9106, low memory profile)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords", initializer=_yield_to_others)
        self._line = BoundedSemaphore(AT_ONCE + WAITING)
        self._nobody = self._hasher.hash(domain.new_secret())

    def hash(self, password: str) -> str:
        return self._run(lambda: self._hasher.hash(domain.normal_password(password)))

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether `password` is the one kept. With None (no such person) it takes as long, and says no."""

        def check() -> bool:
            try:
                return self._hasher.verify(kept or self._nobody, domain.normal_password(password)) and kept is not None
            except (VerificationError, InvalidHashError):
                return False

        return self._run(check)

    def outdated(self, kept: str) -> bool:
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    def _run(self, work):  # type: ignore[no-untyped-def]
        if not self._line.acquire(blocking=False):
            raise TooMany("いまサインインが混み合っています。少し待ってから、もう一度お試しください。", retry_after=5)
        future: Future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._line.release())
        return future.result()


def _yield_to_others() -> None:
    """Linux has a niceness per thread, and argon2's own threads inherit it; elsewhere it is one for the process, and stays as it is."""
    if sys.platform == "linux":
        thread = get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + YIELDING))


def check_new(password: str, *known: str) -> None:
    """Refuse a password that is short, common, or made of what is known of the person (NIST SP 800-63B, 5.1.1.2)."""
    domain.check_password_length(password)
    normal = domain.normal_password(password)
    if zxcvbn(normal[:72], user_inputs=[part for text in known for part in _words(text)])["guesses"] < LEAST_GUESSES:
        raise domain.weak(
            "このパスワードは推測されやすいものです。関係のない言葉をいくつか続けるなど、別のものにしてください。"
        )


def _words(text: str) -> list[str]:
    return [word for word in [text, *text.replace("@", " ").replace(".", " ").split()] if len(word) > 2]
