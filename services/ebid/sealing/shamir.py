"""Shamir's secret sharing over GF(2⁸) with the polynomial of AES (x⁸+x⁴+x³+x+1), each byte by itself; places are 1 to 255.

Own code because no library on PyPI takes 32-byte secrets with given coefficients and has a twin in the browser; checked against
the field's defining vectors (FIPS 197) and by every subset.
"""

from collections.abc import Mapping, Sequence
from functools import cache

POLYNOMIAL = 0x11B


def times(left: int, right: int) -> int:
    """Product in GF(2⁸)."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left & 0x100:
            left ^= POLYNOMIAL
        right >>= 1
    return product


@cache
def table(factor: int) -> bytes:
    """`bytes.translate` table that multiplies each byte by `factor`."""
    return bytes(times(factor, value) for value in range(256))


@cache
def inverse(value: int) -> int:
    """1/value in GF(2⁸); value ≠ 0."""
    if not value:
        raise ZeroDivisionError("0 has no inverse in GF(256)")
    return next(other for other in range(1, 256) if times(value, other) == 1)


def add(left: bytes, right: bytes) -> bytes:
    """Sum in GF(2⁸), byte by byte; equal lengths."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def share(secret: bytes, coefficients: Sequence[bytes], place: int) -> bytes:
    """The polynomial secret + c₁x + c₂x² + … at x = place (1–255). k−1 coefficients make a k-of-n sharing."""
    value = bytes(len(secret))
    for coefficient in (*reversed(coefficients), secret):
        value = add(value.translate(table(place)), coefficient)
    return value


def join(shares: Mapping[int, bytes]) -> bytes:
    """The secret from k shares by Lagrange's formula at 0. Fewer or wrong shares give a wrong secret: commitments tell."""
    secret = bytes(len(next(iter(shares.values()))))
    for factor, value in zip(weights(tuple(shares)), shares.values(), strict=True):
        secret = add(secret, value.translate(table(factor)))
    return secret


@cache
def weights(places: tuple[int, ...]) -> tuple[int, ...]:
    """Lagrange's coefficients at 0 for these places."""
    found = []
    for place in places:
        weight = 1
        for other in places:
            if other != place:
                weight = times(weight, times(other, inverse(other ^ place)))
        found.append(weight)
    return tuple(found)
