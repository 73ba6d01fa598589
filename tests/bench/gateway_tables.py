"""The tables of docs/gateway-tables.md: our door beside nginx `proxy_pass` and the obvious FastAPI + httpx proxy. Writes that page.

    python -m tests.bench.gateway_tables [--quick] [--only parser,cpu,bodies,argon2,memory,noise]

Needs wrk, and nginx for its column and for the service of the large bodies (Debian packages nginx-light, wrk). `--quick` takes fewer and
shorter rounds. Processor time and ratios within one round compare between machines, other times do not.
"""

import argparse
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event

from gateway.tests.test_ambiguous_requests_are_refused import REFUSED
from libs.common.clock import JST
from tests.bench import gateway as bench
from tests.bench import gateway_doors as doors
from tests.bench.gateway_doors import CODE, MB, OTHER, Door

PAGE = Path(__file__).parents[2] / "docs" / "gateway-tables.md"
BODY = 100 * MB
READERS, WRITERS = 50, 500
NGINX_THERE = 7.0
"""Microseconds of nginx `proxy_pass` per small request on the machine where the goals were set (6.4 to 7.6)."""
Lines = list[str]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--only", default=",".join(TABLES), help="which tables, with commas between; then no page is written"
    )
    options = parser.parse_args(arguments)
    if not shutil.which("wrk"):
        print("missing: wrk (Debian package wrk)", file=sys.stderr)
        return 2
    sys.setswitchinterval(
        0.0005
    )  # several clients are threads of this process: none shall hold up the one who measures
    text = before(options.quick)
    for name in options.only.split(","):
        print(f"-- {name}", flush=True)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
            lines = TABLES[name](stack, folder, options.quick)
        print("\n".join(lines), flush=True)
        text += ["", *lines]
    if options.only == ",".join(TABLES):
        PAGE.write_text("\n".join([*text, "", f"終わりのときの負荷（1分）：{os.getloadavg()[0]:.1f}", ""]))
        print(f"written: {PAGE}")
    return 0


def before(quick: bool) -> Lines:
    version = "入っていません"
    if shutil.which("nginx"):
        version = (
            subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=False).stderr.split("/")[-1].strip()
        )
    return [
        "# 入口の表",
        "",
        "`make bench BENCH=gateway_tables` が測って書いたものです。手で直さないでください。",
        "",
        f"- いつ：{datetime.now(JST):%Y年%m月%d日 %H時%M分}（日本時間）{'、短い測り方（--quick）' if quick else ''}",
        f"- どこで：{platform.machine()}、{os.cpu_count()}コア、Python {platform.python_version()}、nginx {version}",
        f"- 始まりのときの負荷（1分）：{os.getloadavg()[0]:.1f}（コアの数より大きければ取り合っています）",
        "- 時間ではなく、同じ回の中の比を見てください",
    ]


# ---- which requests get through --------------------------------------------------------------------------------------


def parser_table(stack: ExitStack, folder: Path, quick: bool) -> Lines:
    """Each malformed request against each door; what counts is what the service behind it got to see."""
    made, door = doors.ours(stack, folder / "ours")
    columns = [door, *doors.peers(stack, folder / "peers", made.upstream_port)]
    found: dict[tuple[str, str], tuple[list[int], list[str]]] = {}
    for name, (request, _) in REFUSED.items():
        for each in columns:
            made.forget_seen()
            statuses = exchange(each.port, request)
            time.sleep(0.1)  # what is on its way to the service belongs to this request
            seen = [line["path"] for line in made.seen() if not line["path"].endswith("/cut")]
            found[name, each.name] = statuses, seen
    passed = {each.name: sum(bool(found[name, each.name][1]) for name in REFUSED) for each in columns}
    rows = [f"| {name} | {' | '.join(_cell(*found[name, each.name]) for each in columns)} |" for name in REFUSED]
    return [
        "## あやしい要求",
        "",
        "一つずつ、素のソケットで送り、**うしろのサービスに何が届いたか**を見ました。数は返事の状態。「届いた」は、断るべき要求がサービスまで行ったこと、"
        "**「すり抜け」**は、隠した2番目の要求か、内側だけの道が届いたことです。",
        "",
        f"| 要求 | {' | '.join(each.name for each in columns)} |",
        f"|---|{'---|' * len(columns)}",
        *rows,
        f"| **届いた数（{len(REFUSED)}のうち）** | {' | '.join(f'**{passed[each.name]}**' for each in columns)} |",
        "",
        "この表の nginx は `proxy_pass` だけで、ほかの守りは付けていません(`/internal` を断る設定も、です)。"
        "`Host` などは nginx が書き直すので、届いたものがすべて危ないわけではありません。",
    ]


def _cell(statuses: list[int], seen: list[str]) -> str:
    said = "・".join(map(str, statuses)) or "閉じた"
    if any("smuggled" in path or "internal" in path for path in seen):
        return f"**すり抜け**（{said}）"
    return f"届いた（{said}）" if seen else said


def exchange(port: int, request: bytes) -> list[int]:
    """The status lines that come back until the door closes, or is silent for a third of a second."""
    received = b""
    with socket.create_connection(("127.0.0.1", port)) as client, suppress(TimeoutError, ConnectionError):
        client.settimeout(5.0)
        client.sendall(request)
        while piece := client.recv(65536):
            received += piece
            client.settimeout(0.35)
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


# ---- a small request -------------------------------------------------------------------------------------------------


def cpu_table(stack: ExitStack, folder: Path, quick: bool) -> Lines:
    seconds, rounds = (2, 3) if quick else (3, 5)
    answer = f"location / {{ default_type application/json; return 200 '{bench.BODY}'; }}"
    upstream = bench.nginx(stack, folder, "upstream", answer)
    proxies = {
        "nginx proxy_pass": bench.nginx_proxy(stack, folder, upstream),
        "この入口（記録なし）": bench.gateway(stack, folder / "none", upstream, "0"),
        "この入口（1%を記録）": bench.gateway(stack, folder / "some", upstream, "0.01"),
        "FastAPI + httpx": bench.obvious_proxy(stack, upstream),
    }
    figures: dict[str, list[float]] = {name: [] for name in proxies}
    for _ in range(rounds):
        for name, (port, pid, cookie) in proxies.items():
            figures[name].append(bench.measure(port, pid, cookie, seconds)[0])
    base = figures["nginx proxy_pass"]
    goals = [goal / NGINX_THERE for goal in (110, 160)]
    here = [goal * statistics.median(base) for goal in goals]
    return [
        "## 小さな要求の計算時間",
        "",
        f"316バイトの返事、32本のつながり、{seconds}秒を{rounds}回ずつ、順に。"
        "サインインした人の Cookie を確かめ、回数の上限を数えています。"
        "「記録」は追跡（トレース）です。目標は、記録なしで110マイクロ秒、1%で160マイクロ秒まで。"
        f"目標を決めた機械では nginx が{NGINX_THERE:.0f}マイクロ秒でした。つまり nginx の{goals[0]:.1f}倍、{goals[1]:.1f}倍までで、"
        f"この機械では{here[0]:.0f}、{here[1]:.0f}マイクロ秒にあたります。",
        "",
        "| 入口 | 1件の計算時間（マイクロ秒）：中央（最小〜最大） | nginx の何倍か、回ごと：中央（最小〜最大） |",
        "|---|---|---|",
        *(
            f"| {name} | {_spread(own)} | {_spread([a / b for a, b in zip(own, base, strict=True)])} |"
            for name, own in figures.items()
        ),
    ]


def _spread(values: list[float], digits: int = 1) -> str:
    return f"{statistics.median(values):.{digits}f}（{min(values):.{digits}f}〜{max(values):.{digits}f}）"


# ---- large bodies ----------------------------------------------------------------------------------------------------


def bodies_table(stack: ExitStack, folder: Path, quick: bool) -> Lines:
    if not shutil.which("nginx"):
        return ["## 大きな本文", "", "nginx が入っていないので、測っていません。"]
    rounds = 3 if quick else 7
    shared = Path("/dev/shm")  # memory, where there is one: a disk would be what is measured
    files = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else folder))
    stack.callback(shutil.rmtree, files, ignore_errors=True)
    files.chmod(0o755)
    upstream = doors.file_server(stack, files / "service", BODY)
    columns = _before_files(stack, folder, upstream)
    took: dict[tuple[str, str], list[float]] = {}
    spent: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for door in columns:
            for way, act in (("受け取る", partial(doors.download, door, f"/t/{CODE}/backup/down")),
                             ("送る", partial(doors.upload, door, f"/t/{CODE}/backup/up"))):  # fmt: skip
                cpu = bench.cpu_seconds(door.pid)
                took.setdefault((door.name, way), []).append(act(BODY))
                spent.setdefault((door.name, way), []).append((bench.cpu_seconds(door.pid) - cpu) * 1000)
    rows = []
    for door in columns:
        for way in ("受け取る", "送る"):
            own, base = took[door.name, way], took["nginx proxy_pass", way]
            ratios = [b / a for a, b in zip(own, base, strict=True)]
            rate = f"{BODY / MB / statistics.median(own):.0f} MB/s"
            rows.append(
                f"| {door.name} | {way} | {rate} | {_spread(ratios, 2)} | {_spread(spent[door.name, way], 0)} |"
            )
    return [
        "## 大きな本文（100 MB）",
        "",
        f"一つのつながりで{rounds}回ずつ、順に。うしろは、記憶の上のファイルを読み書きする nginx です。"
        "速さの比は、同じ回の nginx に対するもので、目標は0.9倍以上です。",
        "",
        "| 入口 | 向き | 速さ（中央） | nginx に対する速さ：中央（最小〜最大） | 計算時間（ミリ秒） |",
        "|---|---|---|---|---|",
        *rows,
    ]


def _before_files(stack: ExitStack, folder: Path, upstream: int) -> list[Door]:
    """The doors, ours with the file server as the service `backup`."""
    _, door = doors.ours(stack, folder / "ours", backup=upstream, LIMITS=doors.unmet())
    return [door, *doors.peers(stack, folder / "peers", upstream)]


# ---- passwords, memory, a noisy neighbour ----------------------------------------------------------------------------


def argon2_table(stack: ExitStack, folder: Path, quick: bool) -> Lines:
    """Small requests of one person while many sign in: each sign-in is a tenth of a second of work or more."""
    seconds = 5.0 if quick else 10.0
    made, door = doors.ours(stack, folder / "ours", LIMITS=doors.unmet())
    path, tried = f"/t/{CODE}/eapply/", [0]

    def sign_in(stop: Event) -> None:
        client = made.client()
        while not stop.is_set():
            tried[0] += 1
            client.post("/sign-in", data={"email": f"nobody-{tried[0]}@example.jp", "password": "x" * 20})

    alone = [doors.latencies(door, path, seconds) for _ in range(2)]
    begun = time.monotonic()
    with doors.meanwhile(*[sign_in] * 8):
        beside = doors.latencies(door, path, seconds)
    rate = tried[0] / (time.monotonic() - begun)
    return [
        "## 合言葉の計算（argon2）と、ほかの人",
        "",
        f"1秒に50件の小さな要求を、一つずつ。8人が休みなくサインインを試すあいだ（1秒に{rate:.1f}回）と、いないとき2回（この2回の差が、測りの揺れです）。"
        "計算は、譲る別のプロセスで一度に1つ（コアの半分、多くて2つ）です。コアを分けあうぶんは遅くなります。",
        "",
        "| | 件数 | 中央（ミリ秒） | p99 | 最大 |",
        "|---|---|---|---|---|",
        *(
            _latency_row(name, values)
            for name, values in zip(("いないとき1", "いないとき2", "いるとき"), [*alone, beside], strict=True)
        ),
    ]


def _latency_row(name: str, values: list[float]) -> str:
    return f"| {name} | {len(values)} | {statistics.median(values):.1f} | {doors.p99(values):.1f} | {values[-1]:.1f} |"


def memory_table(stack: ExitStack, folder: Path, quick: bool) -> Lines:
    """Resident memory of each door while many read and write slowly."""
    hold = 6.0 if quick else 10.0
    wishes = {"UPSTREAM_POOL": "700", "TENANT_SHARE": "1", "LIMITS": doors.unmet(), "REQUESTS_AT_ONCE": "5000"}
    made, door = doors.ours(stack, folder / "ours", **wishes)
    rows = []
    for each in [door, *doors.peers(stack, folder / "peers", made.upstream_port)]:
        doors.download(each, f"/t/{CODE}/backup/a?do=stream&bytes={20 * MB}", 20 * MB)  # warm
        for what, many, act in (("遅い読み手", READERS, _read_slowly), ("遅い書き手", WRITERS, _write_slowly)):
            before = doors.resident(each.pid)
            served = act(each, many, hold)
            rows.append(
                f"| {each.name} | {what} {many} | {before:.0f} | {served[1]:.0f} | {served[1] - before:+.0f} | {served[0]} |"
            )
    return [
        "## 遅い読み手と書き手の記憶",
        "",
        f"読み手は100 MBの返事を1秒に64 kBずつ、書き手は100 kBの本文を1秒に1 kBずつ。{hold:.0f}秒のあいだ見た、いちばん大きい値です（MB）。"
        "書き手は一人ずつサービスへのつながりを持つので、この測りだけ `UPSTREAM_POOL=700` です。",
        "",
        "| 入口 | 相手 | 前 | 最大 | 増えた | 終わりにまだつながっていた数 |",
        "|---|---|---|---|---|---|",
        *rows,
    ]


def _read_slowly(door: Door, many: int, seconds: float) -> tuple[int, float]:
    head = doors.head(door, "GET", f"/t/{CODE}/backup/a?do=stream&bytes={BODY}")
    return _slowly([head] * many, door, seconds, lambda c: bool(c.recv(64_000)))


def _write_slowly(door: Door, many: int, seconds: float) -> tuple[int, float]:
    head = doors.head(door, "PUT", f"/t/{CODE}/backup/a", 100_000)
    return _slowly([head] * many, door, seconds, lambda c: bool(c.send(b"x" * 1000)))


def _slowly(heads: list[bytes], door: Door, seconds: float, step: Callable[[socket.socket], bool]) -> tuple[int, float]:
    """(clients still served at the end, most MB seen). Each takes one step a second."""
    clients = [doors.connect(door, 5.0) for _ in heads]
    for client, head in zip(clients, heads, strict=True):
        client.sendall(head)
    most, end, alive = 0.0, time.monotonic() + seconds, len(clients)
    while time.monotonic() < end:
        begun, alive = time.monotonic(), 0
        for client in clients:
            with suppress(OSError):
                alive += step(client)
        most = max(most, doors.resident(door.pid))
        time.sleep(max(0.0, 1.0 - (time.monotonic() - begun)))
    for client in clients:
        client.close()
    time.sleep(1)
    return alive, most


def noise_table(stack: ExitStack, folder: Path, quick: bool) -> Lines:
    """One municipality asks a hundred times as often as another: what does the other notice? And what would it notice of the same load if
    that were aimed at something else on this machine?"""
    rounds, seconds = (3, 3) if quick else (5, 4)
    limits = '{"tenant": "60/second", "subject": "", "machine": "", "network": ""}'
    _, door = doors.ours(stack, folder / "ours", LIMITS=limits)
    quiet, noisy = f"/t/{OTHER}/eapply/", f"/t/{CODE}/eapply/"
    names = ("何もないとき1", "何もないとき2", "ほかの nginx に押し寄せたとき", "押し寄せたとき")
    took: dict[str, list[list[float]]] = {name: [] for name in names}
    heard, busy = 0, []
    for _ in range(rounds):
        for name in names[:2]:
            took[name].append(doors.latencies(door, quiet, seconds, 0.03))
        _, answered = doors.storm(door, noisy, seconds + 1)
        time.sleep(0.5)  # wrk is there, and what its tenant may send at once is sent
        spent = bench.cpu_seconds(door.pid)
        took[names[3]].append(doors.latencies(door, quiet, seconds, 0.03))
        busy.append((bench.cpu_seconds(door.pid) - spent) / seconds * 100)
        heard += (answers := answered())
        with ExitStack() as elsewhere:
            other = doors.paced(elsewhere, folder, answers // (seconds + 1))
            _, answered = doors.storm(other, "/", seconds + 1)
            time.sleep(0.5)
            took[names[2]].append(doors.latencies(door, quiet, seconds, 0.03))
            answered()
    base = took[names[0]]
    ratio = {
        name: _spread([doors.p99(b) / doors.p99(a) for a, b in zip(base, took[name], strict=True)], 2) for name in names
    }
    return [
        "## 一つの自治体が押し寄せたとき、隣は",
        "",
        f"隣は1秒に30件までを一つずつ、{seconds}秒を{rounds}回。押し寄せる側は32本のつながりで休みなく（上限は自治体ごとに1秒60件で、その先は429。"
        f"入口が断りの返事の間を空けるので、1秒に{heard / rounds / (seconds + 1):.0f}件しか返事を受けられません）。"
        f"隣の p99 は、押し寄せないときの{ratio[names[3]]}倍でした。何もないとき2回の比は{ratio[names[1]]}倍で、これが測りの揺れです。"
        f"同じ数の要求を、入口でなく、同じ機械の nginx(同じ間隔で返すもの)に送っただけで{ratio[names[2]]}倍になります。"
        f"押し寄せたあいだ入口はコアの{_spread(busy, 0)}%を使いました。",
        "",
        "| | 件数 | 中央（ミリ秒） | p99 | 最大 |",
        "|---|---|---|---|---|",
        *(_latency_row(name, sorted(one for each in took[name] for one in each)) for name in names),
    ]


TABLES: dict[str, Callable[[ExitStack, Path, bool], Lines]] = {
    "parser": parser_table,
    "cpu": cpu_table,
    "bodies": bodies_table,
    "argon2": argon2_table,
    "memory": memory_table,
    "noise": noise_table,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
