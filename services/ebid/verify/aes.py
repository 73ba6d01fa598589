"""AES-GCM encryption in plain Python (FIPS 197, SP 800-38D): slow, for public keys of opened envelopes only."""

from functools import cache

from services.ebid.sealing.shamir import inverse, times
from services.ebid.verify.curve import x25519


@cache
def box() -> bytes:
    """The S-box, from its definition."""
    made = bytearray()
    for value in range(256):
        number = inverse(value) if value else 0
        turned = number
        for _ in range(4):
            turned = (turned << 1 | turned >> 7) & 0xFF
            number ^= turned
        made.append(number ^ 0x63)
    return bytes(made)


def expand(key: bytes) -> list[bytes]:
    """Round keys of 16 bytes, for keys of 16 or 32 bytes."""
    size, constant = len(key) // 4, 1
    words = [key[at : at + 4] for at in range(0, len(key), 4)]
    for at in range(size, 4 * (size + 7)):
        word = words[-1]
        if at % size == 0:
            word = (word[1:] + word[:1]).translate(box())
            word, constant = bytes([word[0] ^ constant]) + word[1:], times(constant, 2)
        elif size == 8 and at % size == 4:
            word = word.translate(box())
        words.append(bytes(a ^ b for a, b in zip(word, words[at - size], strict=True)))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


ROWS = [(5 * at) % 16 for at in range(16)]
"""Where each byte comes from when rows are shifted."""


def block(keys: list[bytes], state: bytes) -> bytes:
    """One block of 16 bytes."""
    state = xor(state, keys[0])
    for key in keys[1:-1]:
        state = state.translate(box())
        state = xor(mix(bytes(state[at] for at in ROWS)), key)
    state = state.translate(box())
    return xor(bytes(state[at] for at in ROWS), keys[-1])


def mix(state: bytes) -> bytes:
    made = bytearray()
    for at in range(0, 16, 4):
        a, b, c, d = state[at : at + 4]
        whole = a ^ b ^ c ^ d
        made += bytes(one ^ whole ^ times(one ^ two, 2) for one, two in ((a, b), (b, c), (c, d), (d, a)))
    return bytes(made)


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


def encrypt(key: bytes, nonce: bytes, message: bytes, bound: bytes) -> bytes:
    """Ciphertext ‖ tag of 16 bytes; `nonce` of 12 bytes; `bound` is authenticated only."""
    keys = expand(key)
    sealed = b""
    for number in range(0, len(message), 16):
        counter = nonce + (number // 16 + 2).to_bytes(4, "big")
        sealed += xor(message[number : number + 16], block(keys, counter))
    tag = xor(ghash(block(keys, bytes(16)), bound, sealed), block(keys, nonce + (1).to_bytes(4, "big")))
    return sealed + tag


def ghash(subkey: bytes, bound: bytes, sealed: bytes) -> bytes:
    key, value = int.from_bytes(subkey, "big"), 0
    lengths = (8 * len(bound)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    data = bound + bytes(-len(bound) % 16) + sealed + bytes(-len(sealed) % 16) + lengths
    for at in range(0, len(data), 16):
        value = carryless(value ^ int.from_bytes(data[at : at + 16], "big"), key)
    return value.to_bytes(16, "big")


def carryless(left: int, right: int) -> int:
    """Product in GF(2¹²⁸) with GCM's bit order."""
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (0xE1 << 120 if right & 1 else 0)
    return product


class Plain:
    """`making.Primitives` without a library."""

    def public(self, private: bytes) -> bytes:
        return x25519(private, (9).to_bytes(32, "little"))

    def exchange(self, private: bytes, public: bytes) -> bytes:
        return x25519(private, public)

    def encrypt(self, key: bytes, nonce: bytes, message: bytes, bound: bytes) -> bytes:
        return encrypt(key, nonce, message, bound)
