"""ebid-verify: 入札・見積の公表ファイルを、手元で確かめます（通信はしません）。

python ebid-verify.pyz 公表ファイル.json [受領証.json …] [--log-key 台帳の公開鍵] [--deep] [--json]

終了コード: 0 問題なし、1 問題あり、2 ファイルを読めない（この道具より新しい形式のものを含む）
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.ebid.domain.opened import REASONS
from services.ebid.domain.ranking import OUTCOMES, STANDINGS
from services.ebid.verify.check import check
from services.ebid.verify.report import Report

NEWER = (
    "何も確かめていません。結果に問題があるという意味ではありません。\n"
    "新しい ebid-verify を、電子入札の「入札の道具」のページ（/ebid/tools）から受け取って、もう一度確かめてください。"
)
"""What to do with a bundle of a format that this verifier does not know."""
_SAID = OUTCOMES | {
    "award": "候補者あり",
    "hold_review": "保留（審査）",
    "rebid": "再度の提出",
    "no_bids": "不調（提出なし）",
}
"""A bundle does not tell its method: no word that 入札, 見積 or プロポーザル has for itself."""


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("ebid-verify", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=Path, help="公表ファイル")
    parser.add_argument("receipts", type=Path, nargs="*", help="自分の受領証")
    parser.add_argument("--log-key", help="台帳の公開鍵（16進）。公表や新聞などで知ったもの")
    parser.add_argument("--deep", action="store_true", help="すべての封書を作り直して確かめる（1通あたり約0.1秒）")
    parser.add_argument("--json", action="store_true", help="結果をJSONで出力する")
    given = parser.parse_args(arguments)
    try:
        bundle, *receipts = (read(path) for path in (given.bundle, *given.receipts))
    except Unreadable as error:
        print(f"ファイルを読み取れません: {error}", file=sys.stderr)
        return 2
    if not is_bundle(bundle):
        print(
            f"{given.bundle} は、公表ファイル（検証用のファイル）ではありません。公表ファイル、受領証の順に書いてください。",
            file=sys.stderr,
        )
        return 2
    report = check(bundle, receipts, log_key=given.log_key, deep=given.deep)
    print(json.dumps(asdict(report), ensure_ascii=False, indent=1) if given.json else text(bundle, report))
    return 2 if "format-version" in report.codes() else 0 if report else 1


class Unreadable(Exception):
    """Which file, and why."""


MOST_BYTES = 512 * 1024 * 1024
"""Of a file: 4.7 kB a bid, so some 50 MB for 10,000 of them (reckoned, not made).
What is larger is no bundle, or fills the memory of the computer it is read on."""


def read(path: Path) -> Any:
    """A file's JSON, saved by any editor. Unreadable, too, where a name stands twice in an object: two readers would read two files."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(
                f"{path}: 大きすぎます（{MOST_BYTES // 1024**2}MBまで）。公表ファイルか受領証か、確かめてください。"
            )
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{path}: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("同じ名前の項目が2つあります")
    return found


def is_bundle(document: Any) -> bool:
    return isinstance(document, dict) and str(document.get("format", "")).startswith("kyodo-ebid-bundle/")


def text(bundle: Any, report: Report) -> str:
    """The report for a person; the results only when nothing is wrong with them."""
    lines = [f"○ {line}" for line in report.passed]
    lines += [f"・ {line}" for line in report.taken]
    lines += [f"× {problem.subject}: {problem.sentence}［{problem.code}］" for problem in report.problems]
    if report:
        return "\n".join([*lines, "", *result_lines(bundle), "", "問題は見つかりませんでした。"])
    if "format-version" in report.codes():
        return "\n".join([*lines, "", NEWER])
    return "\n".join([*lines, "", f"問題が{len(report.problems)}件見つかりました。発注者に説明を求めてください。"])


def result_lines(bundle: Any) -> list[str]:
    lines = []
    for round_ in bundle["rounds"]:
        result = round_["result"]
        lines.append(f"第{round_['round']}回: {_SAID[result['outcome']]}")
        for place in result["places"]:
            rank = f"{place['rank']}位" if place["rank"] else "―"
            amount = f"{place['amount']:,}円" if place["amount"] else "―"
            drawn = "（くじ）" if place["drawn"] else ""
            reason = REASONS.get(place["reason"], place["reason"])
            lines.append(f"  {rank} {place['bidder']} {amount} {STANDINGS[place['standing']]}{drawn} {reason}".rstrip())
    return lines


if __name__ == "__main__":
    main()
