"""What a paper tells beside what it shows: looked for before it is published (長野県's and 妙高市's design prices went out so).

    findings = scan(content, "設計書.pdf")          # [Finding("hidden-text", "2ページ", "設計金額 12,345,678円")]

Warnings for the official who approves, never a refusal: white letters on a dark ground are right. Findings hold what was found, so they
are as secret as the paper.
"""

from services.ebid.scanning.paper import Finding, scan

__all__ = ["Finding", "scan"]
