"""案件番号: `402036-2026-E00012-7`: municipality, fiscal year, number within it, check digit (ISO/IEC 7064 MOD 11,10)."""

OCDS_PREFIX = "ocds-kyodo0"
"""Stands for the prefix that Open Contracting Partnership gives a publisher: operators set theirs (EBID_OCDS_PREFIX)."""


def tender_number(code: str, year: int, serial: int) -> str:
    """Unique per municipality and fiscal year, with gaps where drafts were given up."""
    return f"{code}-{year}-E{serial:05d}-{check_digit(f'{code}{year}{serial:05d}')}"


def check_digit(digits: str) -> int:
    carry = 10
    for digit in digits:
        carry = ((carry + int(digit)) % 10 or 10) * 2 % 11
    return (11 - carry) % 10


def ocid(prefix: str, code: str, year: int, serial: int) -> str:
    """The Open Contracting ID of the contracting process: never changes, whatever the municipality is called later."""
    return f"{prefix}-{code}-{year}-{serial:05d}"
