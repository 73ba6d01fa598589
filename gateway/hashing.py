"""argon2id, computed in a process of its own that yields to everybody else.

Started by `passwords.py`, and by nobody else: a line of JSON in, a line of JSON out, until the input ends.

    {"password": "…"}                     → {"hash": "$argon2id$…"}
    {"password": "…", "kept": "$argon2…"} → {"right": true}
    {"password": "…", "kept": null}       → {"right": false}, after as long a time

In the gateway's own process a computation shares what the loop needs: the interpreter's lock, which a thread that yields may hold while
it is not running, and the address space, in which 64 MiB come and go each time. Here only the processor is shared, and of that one core:
the four lanes of a hash are computed by one thread, one after another. The result is the same (RFC 9106, 3.1: lanes, not threads, are
an input), and the others have the second core. Nothing of the gateway is imported: this process is small.
"""

import hmac
import json
import os
import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from argon2 import DEFAULT_RANDOM_SALT_LENGTH, Parameters, extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.low_level import ARGON2_VERSION, core, error_to_str, ffi
from argon2.profiles import RFC_9106_LOW_MEMORY as COST

YIELDING = 15
"""How much nicer than the gateway this process is (nice(2)): beside a busy loop it gets a thirtieth of a core, else what is free."""


def main() -> None:
    os.nice(YIELDING)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(wish: Mapping[str, Any]) -> dict[str, Any]:
    password = wish["password"].encode("utf-8", "surrogatepass")  # whatever a form held, it has bytes
    if "kept" not in wish:
        return {"hash": made(password, os.urandom(DEFAULT_RANDOM_SALT_LENGTH))}
    return {"right": matches(password, wish["kept"])}


def made(password: bytes, salt: bytes) -> str:
    """A new encoded hash with the costs of RFC 9106, 4 (second recommendation: 64 MiB, 3 passes, 4 lanes)."""
    tag = computed(password, salt, COST)
    costs = f"m={COST.memory_cost},t={COST.time_cost},p={COST.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${_text(salt)}${_text(tag)}"


def matches(password: bytes, kept: str | None) -> bool:
    """Whether `kept` is a hash of `password`. With None (no such person) it takes as long as with one, and says no."""
    if kept is None:
        computed(password, bytes(DEFAULT_RANDOM_SALT_LENGTH), COST)
        return False
    try:
        cost = extract_parameters(kept)
        salt, tag = (b64decode(part + "=" * (-len(part) % 4), validate=True) for part in kept.split("$")[-2:])
        return hmac.compare_digest(computed(password, salt, cost), tag)
    except (InvalidHashError, ValueError):
        return False


def computed(password: bytes, salt: bytes, cost: Parameters) -> bytes:
    """The tag. Raises ValueError for costs that argon2 does not know, MemoryError when there is no room for them."""
    tag = ffi.new("uint8_t[]", cost.hash_len)
    secret, salted = ffi.new("uint8_t[]", password), ffi.new("uint8_t[]", salt)
    asked = {
        "out": tag,
        "outlen": cost.hash_len,
        "pwd": secret,
        "pwdlen": len(password),
        "salt": salted,
        "saltlen": len(salt),
    }
    costs = {"t_cost": cost.time_cost, "m_cost": cost.memory_cost, "lanes": cost.parallelism, "threads": 1}
    nothing = {
        "secret": ffi.NULL,
        "secretlen": 0,
        "ad": ffi.NULL,
        "adlen": 0,
        "allocate_cbk": ffi.NULL,
        "free_cbk": ffi.NULL,
    }
    context = ffi.new("argon2_context *", {**asked, **costs, **nothing, "version": cost.version, "flags": 0})
    code = core(context, cost.type.value)
    if code:
        raise (MemoryError if "llocation" in error_to_str(code) else ValueError)(error_to_str(code))
    return bytes(ffi.buffer(tag))


def _text(value: bytes) -> str:
    """Base64 without its padding, as the encoded form has it."""
    return b64encode(value).decode("ascii").rstrip("=")


if __name__ == "__main__":
    main()
