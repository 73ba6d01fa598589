"""封をする道具、封を開ける道具です。通信はしません。

python ebid-seal.pyz seal HEAD.json -o 封書.json [--breakdown 内訳書.xlsx [--breakdown-head 内訳書HEAD.json]]
                                              入札書か見積書に（内訳書にも）封をする（金額は画面でたずねます）
python ebid-seal.pyz digest 封書.json                                      封書の指紋を表示する
python ebid-seal.pyz trustee new かぎ.json                                 開封のかぎを作る（ネットワークから離したパソコンで）
python ebid-seal.pyz trustee show かぎ.json                                公開鍵と確認番号を表示する
python ebid-seal.pyz trustee paper かぎ.json                               紙の控え（3枚のうち2枚で戻せる）を表示する
python ebid-seal.pyz trustee restore かぎ.json                             紙の控えからかぎのファイルを作り直す
python ebid-seal.pyz trustee open かぎ.json 開封.json -o 自分の分.json       開封のファイルから、自分の分を取り出す
"""

import argparse
import getpass
import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from libs.common.clock import JST
from libs.common.errors import Refusal
from services.ebid.domain.money import check_lottery_number, parse_amount, ratio
from services.ebid.domain.opened import NO_BREAKDOWN, are_picks, bid_payload
from services.ebid.domain.scoring import read_points
from services.ebid.sealing import envelope, files, trustee
from services.ebid.sealing.envelope import Header


def main() -> None:
    given = parser().parse_args()
    try:
        given.run(given)
    except Refusal as refusal:
        sys.exit(refusal.message)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"ファイルを読み書きできません: {error}")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser("ebid-seal.pyz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = top.add_subparsers(required=True, metavar="seal | digest | trustee")
    sealing = command(commands, "seal", seal, "head")
    sealing.add_argument("-o", "--output", type=Path, required=True)
    sealing.add_argument("--breakdown", type=Path)
    sealing.add_argument("--breakdown-head", type=Path)
    sealing.add_argument("--picks", type=picks, default=(), help="予備価格のくじ: 1から15までの2つの番号（例 3,11）")
    command(commands, "digest", digest, "envelope")
    trustees = commands.add_parser("trustee").add_subparsers(
        required=True, metavar="new | show | paper | restore | open"
    )
    for name, run in (("new", new), ("show", show), ("paper", paper), ("restore", restore)):
        command(trustees, name, run, "key")
    opening = command(trustees, "open", open_, "key")
    opening.add_argument("opening", type=Path)
    opening.add_argument("-o", "--output", type=Path, required=True)
    return top


def command(commands: Any, name: str, run: Any, file: str) -> argparse.ArgumentParser:
    made = commands.add_parser(name)
    made.add_argument(file, type=Path)
    made.set_defaults(run=run)
    return made


# ---- bidders


def picks(typed: str) -> tuple[int, ...]:
    """Two places of 予備価格, counted from 1 as on the page. ValueError for anything else."""
    places = [int(each) - 1 for each in typed.split(",")]
    if not are_picks(places):
        raise ValueError(typed)
    return tuple(places)


def ask_points(criterion: dict[str, str]) -> int:
    """自己採点 of one criterion, in thousandths. Exits for what is no number of points up to its most: such a bid would be 無効."""
    found = read_points(ask(f"自己採点 {criterion['name']}（満点{criterion['full']}点）: "))
    if found > ratio(criterion["full"]):
        sys.exit("その点数では無効になります。封をしませんでした。")
    return int(found * 1000)


def seal(given: argparse.Namespace) -> None:
    head = {name: value for name, value in read(given.head).items() if name != "v"}
    asked = head.pop("asks", {})
    header = Header(**{**head, "trustees": tuple(head["trustees"])})
    amount = parse_amount(ask("金額（税抜、円）: "))
    number = check_lottery_number(ask("くじ番号（3けた）: "))
    own = tuple(ask_points(each) for each in asked.get("points", ()))
    breakdown = hashlib.sha256(given.breakdown.read_bytes()).hexdigest() if given.breakdown else NO_BREAKDOWN
    if ask(f"{amount:,}円、くじ番号{number}で封をします。よければ「はい」と入力してください: ") not in {
        "はい",
        "yes",
    }:
        sys.exit("封をしませんでした。")
    made = envelope.seal(bid_payload(amount, number, breakdown, given.picks, own), header)
    write(given.output, made)
    if given.breakdown and given.breakdown_head:
        seal_breakdown(given)
    print(f"封をしました。封書の指紋: {envelope.digest(made)}")


def seal_breakdown(given: argparse.Namespace) -> None:
    """内訳書 under a key of its own: `<output>.breakdown.json` and `.breakdown.bin` go along with the bid."""
    head = {name: value for name, value in read(given.breakdown_head).items() if name != "v"}
    made, sealed = files.seal_file(
        given.breakdown.read_bytes(), Header(**{**head, "trustees": tuple(head["trustees"])})
    )
    write(given.output.with_suffix(".breakdown.json"), made)
    with given.output.with_suffix(".breakdown.bin").open("xb") as file:
        file.write(sealed)


def digest(given: argparse.Namespace) -> None:
    print(envelope.digest(read(given.envelope)))


# ---- trustees


def new(given: argparse.Namespace) -> None:
    private = trustee.generate()
    save_key(given.key, private)
    tell(trustee.public_of(private))
    print("続けて trustee paper を実行し、紙の控えを別々の場所に保管してください。")


def save_key(path: Path, private: bytes) -> None:
    if path.exists():
        sys.exit(f"{path} はすでにあります。上書きしません。")
    words = secret("合言葉（12文字以上）: ")
    if secret("合言葉をもう一度: ") != words:
        sys.exit("合言葉が一致しません。")
    write(path, trustee.lock(private, words), mode=0o600)


def show(given: argparse.Namespace) -> None:
    tell(read(given.key)["public"])


def tell(public: str) -> None:
    print(f"公開鍵: {public}\n確認番号（電話で読み合わせる）: {trustee.fingerprint(public)}")


def paper(given: argparse.Namespace) -> None:
    sheets = trustee.paper(unlock(given.key))
    for place, sheet in enumerate(sheets, 1):
        words = sheet.split()
        print(f"\n開封のかぎの控え {place}枚目（全{len(sheets)}枚、うち2枚で戻せます）")
        for start in range(0, len(words), 4):
            print(
                "  "
                + "  ".join(
                    f"{start + at:2}. {word:<10}" for at, word in enumerate(words[start : start + 4], 1)
                ).rstrip()
            )


def restore(given: argparse.Namespace) -> None:
    private = trustee.from_paper([secret(f"{place}枚目の言葉を、順に空白で区切って入力: ") for place in (1, 2)])
    save_key(given.key, private)
    tell(trustee.public_of(private))


def open_(given: argparse.Namespace) -> None:
    request = read(given.opening)
    begins = trustee.opening_time(request)
    print(
        f"案件: {request.get('title', '')} {request['tender']} 第{request['round']}回 封書{len(request['envelopes'])}通"
    )
    if begins is None:
        print("このファイルには公表された条件がないため、開く日時を確かめられません。")
    else:
        print(f"公表された、開く日時: {begins.astimezone(JST):%Y-%m-%d %H:%M}")
    if ask("この案件を、いま開けてよければ「はい」と入力してください: ") not in {"はい", "yes"}:
        sys.exit("開けませんでした。")
    answer = trustee.answer(request, unlock(given.key), datetime.now(UTC))
    write(given.output, answer)
    broken = sum(value is None for value in answer["shares"].values())
    print(
        f"{len(answer['shares'])}通の分を取り出しました。" + (f"{broken}通は取り出せませんでした。" if broken else "")
    )


def unlock(path: Path) -> bytes:
    return trustee.unlock(read(path), secret("合言葉: "))


# ---- files and the terminal


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write(path: Path, document: Any, mode: int = 0o644) -> None:
    """A new file; what exists is never overwritten."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)


def ask(question: str) -> str:
    print(question, end="", flush=True)
    return sys.stdin.readline().strip()


def secret(question: str) -> str:
    """Not shown while typed, unless the words come from a pipe."""
    return getpass.getpass(question) if sys.stdin.isatty() else ask(question)


if __name__ == "__main__":
    main()
