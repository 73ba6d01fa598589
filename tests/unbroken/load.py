"""`make load`: a Japanese year on one machine. Writes docs/load.md: one row for each day of the year that services have failed on.

    python -m tests.unbroken.load [--phases sunday,opening,deadline,april,noon,neighbour,soak] [--minutes 60] [--share 1]

`--share 0.2`: a fifth of the people, to see whether all works; such a run writes nothing.
Loopback only, bounded (`IN_FLIGHT`). People come when they come, however slowly they are answered (open loop): a time is counted from the
moment at which somebody *wanted* to ask. Afterwards every application that was acknowledged must be there and counted, once.
"""

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import math
import os
import platform
import random
import re
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from infra.local import cloud as clouds
from infra.local import processes
from libs.common.ids import new_id
from tests.integration.test_kill_anything import ANSWERS, CODES
from tests.unbroken.chaos import oracle
from tests.unbroken.chaos.load import BACKING_UP, citizens
from tests.unbroken.chaos.page import kept_rows
from tests.unbroken.chaos.writers import Applicant, everybody
from tests.visitors import signed_in

PAGE = Path(__file__).parents[2] / "docs" / "load.md"
IN_FLIGHT = 600
"""Requests at one time, at most: what comes beyond waits at its own door, and its waiting counts."""
USUAL = 0.5
"""People a second on a usual day in one town: each reads a page and applies."""
LAST, SECONDS_OF_A_MINUTE = 200, 60
TRANSFERRED = AT_NOON = 300
TOWN, NEIGHBOUR = "404012", "403059"


@dataclass
class Tally:
    """What became of the requests of one kind. `times` in seconds from the wish to the answer, of those answered well."""

    times: list[float] = field(default_factory=list)
    turned_away: int = 0
    failed: list[str] = field(default_factory=list)

    def note(self, status: int, seconds: float) -> None:
        if 200 <= status < 400:
            self.times.append(seconds)
        elif status in (429, 503):
            self.turned_away += 1
        else:
            self.failed.append(str(status))

    def line(self, name: str, what: str, note: str = "") -> str:
        at = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        p50, p95, p99 = (f"{percentile(self.times, p):.0f}" for p in (50, 95, 99))
        wrong = f"{len(self.failed)}{' (' + '、'.join(sorted(set(self.failed))) + ')' if self.failed else ''}"
        return (
            f"| {name} | {at} | {what} | {len(self.times)} | {self.turned_away} | {wrong} | {p50} / {p95} / {p99} |"
            f" {os.getloadavg()[0]:.0f} | {note} |"
        )


def percentile(times: list[float], part: int) -> float:
    """In milliseconds; nan of nothing."""
    if not times:
        return float("nan")
    ordered = sorted(times)
    return 1000 * ordered[min(len(ordered) - 1, len(ordered) * part // 100)]


@dataclass
class Year:
    """The cloud and who uses it. `people`: what was acknowledged in each town."""

    running: clouds.Running
    stores: oracle.Stores
    people: dict[str, Applicant]
    minutes: float
    share: float = 1
    """Of the people of a whole day."""
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def usual(self) -> float:
        return USUAL * self.share

    def of(self, people: int) -> int:
        return max(1, round(people * self.share))

    async def ask(self, session: aiohttp.ClientSession, tally: Tally, method: str, path: str, **more: Any) -> Any:
        """One request; the body of an answer that went well."""
        wanted = more.pop("wanted", time.monotonic())
        try:
            async with session.request(method, self.running.url + path, **more) as answer:
                body = await answer.read()
                tally.note(answer.status, time.monotonic() - wanted)
                return body if answer.status < 400 else None
        except (aiohttp.ClientError, TimeoutError) as error:
            tally.failed.append(type(error).__name__)
            return None

    async def apply(self, session: aiohttp.ClientSession, tally: Tally, town: str = TOWN) -> bool:
        """Somebody reads the procedure's page and applies."""
        await self.ask(session, tally, "GET", f"/t/{CODES[town]}/eapply/event-moushikomi/", headers=HTML)
        return await self.send(session, tally, town, new_id())

    async def send(self, session: aiohttp.ClientSession, tally: Tally, town: str, key: str) -> bool:
        body = {"procedure": "event-moushikomi", "answers": ANSWERS}
        headers = {"Idempotency-Key": key, "Origin": self.running.url}
        path = f"/t/{CODES[town]}/eapply/api/applications"
        answer = await self.ask(session, tally, "POST", path, json=body, headers=headers)
        if answer:
            self.people[town].acknowledged[key] = json.loads(answer)["application_id"]
        return answer is not None


HTML = {"accept": "text/html"}


async def arrivals(rate: Callable[[float], float], seconds: float, come: Callable[[], Awaitable[object]]) -> None:
    """`come` at `rate(second)` a second, whether those before are done or not; returns when all are."""
    began, before, due, tasks = time.monotonic(), 0.0, 0.0, []
    while (now := time.monotonic() - began) < seconds:
        due, before = due + rate(now) * (now - before), now  # a machine that is busy does not make fewer people come
        while due >= 1:
            due -= 1
            tasks.append(asyncio.create_task(_as_task(come)))
        await asyncio.sleep(max(0.0, began + now + 0.05 - time.monotonic()))
    await asyncio.gather(*tasks)


async def _as_task(come: Callable[[], Awaitable[object]]) -> None:
    await come()


@contextlib.asynccontextmanager
async def browsers() -> Any:
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as made:
        yield made


# ---- the days of the year


async def sunday(year: Year) -> list[str]:
    """Nobody hurries."""
    tally = Tally()
    async with browsers() as session:
        await arrivals(lambda _: year.usual, 60, lambda: year.apply(session, tally))
    return [tally.line("静かな日曜日", f"60秒、1秒に{year.usual:g}人")]


async def opening(year: Year) -> list[str]:
    """Reception opens: in a minute from the usual to twenty times as much, and a minute of it."""
    tally = Tally()
    async with browsers() as session:
        await arrivals(lambda at: year.usual * min(20, 1 + 19 * at / 60), 120, lambda: year.apply(session, tally))
    return [tally.line("受付開始の1分", f"60秒で20倍(1秒に{year.usual * 20:g}人)へ、続けて60秒")]


async def deadline(year: Year) -> list[str]:
    """The last minute: 200 people put a photograph into what they began."""
    tally, photo, drafts = Tally(), photograph(), []
    async with browsers() as session:
        began = await asyncio.gather(*(_begun(year, session) for _ in range(20)))
        drafts = [each for each in began if each]
        assert drafts, "nobody could begin"
        in_turn = itertools.cycle(drafts)  # ten in each at most: more photographs one application does not take
        await arrivals(
            lambda _: year.of(LAST) / SECONDS_OF_A_MINUTE, SECONDS_OF_A_MINUTE,
            lambda: _upload(year, session, tally, next(in_turn), photo),
        )  # fmt: skip
    return [tally.line("締切の1分", f"60秒で{year.of(LAST)}枚、1枚{len(photo) / 1e6:.1f} MB")]


async def _begun(year: Year, session: aiohttp.ClientSession) -> tuple[str, str] | None:
    """(the draft's address, its guest's cookie)"""
    headers = HTML | {"Origin": year.running.url}
    path = f"{year.running.url}/t/{TOWN}/eapply/risai-shomei/start"
    async with session.post(path, headers=headers, allow_redirects=False) as answer:
        if answer.status != 303:
            return None
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in answer.cookies.items())
        return answer.headers["location"].rpartition("/")[0], cookie


async def _upload(
    year: Year, session: aiohttp.ClientSession, tally: Tally, draft: tuple[str, str], photo: bytes
) -> None:
    form = aiohttp.FormData({"act": "stay"})
    form.add_field("photos", photo, filename="写真.jpg", content_type="image/jpeg")
    headers = HTML | {"Origin": year.running.url, "Cookie": draft[1]}
    await year.ask(session, tally, "POST", f"{draft[0]}/damage", data=form, headers=headers)


def photograph() -> bytes:
    """A JPEG of about 2 MB, as a phone makes them."""
    from PIL import Image

    made = io.BytesIO()
    Image.effect_noise((1600, 1200), 90).convert("RGB").save(made, "JPEG", quality=92)
    return made.getvalue()


async def april(year: Year) -> list[str]:
    """人事異動: 300 people come by one file, and go by another."""
    tally = Tally()
    await asyncio.to_thread(_transfer, year, tally, "転入")
    await asyncio.to_thread(_transfer, year, tally, "転出")
    return [
        tally.line("4月の異動", f"{year.of(TRANSFERRED)}人の転入を1枚のCSVで、続けて転出を1枚で(確認と実行、4要求)")
    ]


def _transfer(year: Year, tally: Tally, move: str) -> None:
    names = (
        f"{move},april-{n}@using.example,異動 {n}," + ("電子申請の審査" if move == "転入" else "")
        for n in range(year.of(TRANSFERRED))
    )
    text = "区分,メールアドレス,氏名,権限\n" + "\n".join(names) + "\n"
    page = f"/portal/{BACKING_UP}/transfer/"
    with signed_in(year.running.url, "admin@using.example", timeout=120) as admin:
        for path, sent in (
            (page, {"files": {"file": ("異動.csv", text.encode(), "text/csv")}}),
            (f"{page}take", {"data": {"text": text}}),
        ):
            wanted = time.monotonic()
            answer = admin.post(path, **sent)
            tally.note(answer.status_code, time.monotonic() - wanted)
            if path != page and answer.headers.get("location", "").rpartition("=")[2] != str(year.of(TRANSFERRED)):
                tally.failed.append(f"{move}が最後まで行われない")
                print(re.sub(r"<[^>]+>|\s+", " ", answer.text)[-2000:], flush=True)


async def noon(year: Year) -> list[str]:
    """The subsidy opens at noon: 300 people press the button in the same two seconds, and again until it is taken."""
    tally, waited = Tally(), []

    async def come(session: aiohttp.ClientSession) -> None:
        await asyncio.sleep(year.chance.random() * 2)
        began, key = time.monotonic(), new_id()
        for _ in range(300):
            if await year.send(session, tally, TOWN, key):
                break
            await asyncio.sleep(1)
        waited.append(time.monotonic() - began)

    async with browsers() as session:
        await asyncio.gather(*(come(session) for _ in range(year.of(AT_NOON))))
    return [
        tally.line(
            "給付金の正午", f"{year.of(AT_NOON)}人が同じ2秒に、受け付けられるまで", f"最後の人まで{max(waited):.0f}秒"
        )
    ]


async def neighbour(year: Year) -> list[str]:
    """One town at a hundred times the usual; how is it next door?"""
    alone, beside, flood = Tally(), Tally(), Tally()
    async with browsers() as session:
        await arrivals(lambda _: year.usual, 60, lambda: year.apply(session, alone, NEIGHBOUR))
        path = f"/t/{TOWN}/eapply/event-moushikomi/"
        await asyncio.gather(
            arrivals(lambda _: year.usual, 60, lambda: year.apply(session, beside, NEIGHBOUR)),
            arrivals(lambda _: 100 * year.usual, 60, lambda: year.ask(session, flood, "GET", path, headers=HTML)),
        )
    ratio = percentile(beside.times, 99) / percentile(alone.times, 99)
    return [
        alone.line("隣の町(ふだん)", f"60秒、1秒に{year.usual:g}人"),
        beside.line("隣の町(一つの町が100倍のとき)", f"60秒、1秒に{year.usual:g}人", f"p99 は{ratio:.1f}倍"),
        flood.line("その、100倍の町", f"60秒、1秒に{100 * year.usual:g}要求"),
    ]


async def soak(year: Year) -> list[str]:
    """Everything at once for long; what does memory do?"""
    return await asyncio.to_thread(_soak, year)


def _soak(year: Year) -> list[str]:
    stopping, end = threading.Event(), time.monotonic() + year.minutes * 60
    writers = everybody(year.running, None, year.stores, stopping, with_provider=False)
    threads = [thread for writer in writers.values() for thread in writer.begin()]
    sizes: dict[str, list[tuple[float, float]]] = {}
    while time.monotonic() < end:
        time.sleep(5)
        for name, size in memory(year.running).items():
            sizes.setdefault(name, []).append((time.monotonic() / 3600, size))
    for writer in writers.values():
        writer.rest(60)
    stopping.set()
    for thread in threads:
        thread.join(60)
    processes.wait_until(lambda: not oracle.waiting(year.stores), seconds=120)
    verdict = oracle.judge({name: w for name, w in writers.items() if "applications" not in name}, year.stores)
    kept = {name: w for name, w in writers.items() if "applications" in name}
    verdict.lost.update(oracle.judge(kept, year.stores).lost)
    tally = Tally(failed=[how for writer in writers.values() for how in writer.answers.elements()])
    sent = sum(len(writer.acknowledged) for writer in writers.values())
    tally.times = [0.0] * sent
    slopes = "、".join(f"{name} {each[-1][1]:.0f} MB {told(*slope(each))}" for name, each in sizes.items())
    note = f"失われた{verdict.lost.total()}、二重{verdict.doubled.total()}。後半の傾き(MB/時、±は95%): {slopes}"
    line = tally.line("ひたし(全サービス)", f"{year.minutes:g}分、書き手{len(writers)}", note)
    return [line.replace("0 / 0 / 0", "－")]


def memory(running: clouds.Running) -> dict[str, float]:
    """Resident MB of each program, its children included."""
    sizes = {}
    for name, child in running.supervisor.children.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(child.process.pid)
            sizes[name] = sum(each.memory_info().rss for each in (parent, *parent.children(recursive=True))) / 1e6
    return sizes


BLOCKS = 10
STUDENT = 2.306
"""Of 95 % and BLOCKS - 2 degrees of freedom."""


def slope(sizes: list[tuple[float, float]]) -> tuple[float, float]:
    """(MB an hour over the second half, half the width of its 95 % confidence interval): in the first, caches fill.

    By least squares over the means of ten stretches: one size and the next, seconds later, are no two observations. nan of too few.
    """
    later = sizes[len(sizes) // 2 :]
    if len(later) < 2 * BLOCKS:
        return math.nan, math.nan
    cuts = [len(later) * n // BLOCKS for n in range(BLOCKS + 1)]
    blocks = [later[first:end] for first, end in itertools.pairwise(cuts)]
    times = [statistics.fmean(at for at, _ in block) for block in blocks]
    means = [statistics.fmean(size for _, size in block) for block in blocks]
    line, middle = statistics.linear_regression(times, means), statistics.fmean(times)
    rest = sum((size - line.slope * at - line.intercept) ** 2 for at, size in zip(times, means, strict=True))
    spread = sum((at - middle) ** 2 for at in times)
    return line.slope, STUDENT * math.sqrt(rest / (BLOCKS - 2) / spread)


def told(hourly: float, give: float) -> str:
    return f"{hourly:+.0f}±{give:.0f}" if not math.isnan(hourly) else "(短くて分からない)"


PHASES: dict[str, Callable[[Year], Awaitable[list[str]]]] = {
    "sunday": sunday, "opening": opening, "deadline": deadline, "april": april, "noon": noon, "neighbour": neighbour, "soak": soak,
}  # fmt: skip

HEAD = """# 一年の負荷

`make load`(ひたしは既定で60分)が書くページです。手で直しません。`make load MINUTES=15 PHASES=soak` のように一つずつもできます。
`SHARE=0.2` は人を減らして、動くかだけを見ます(何も書きません)。
一つの機械の中だけで、クラウド全体(PostgreSQL と RabbitMQ)に、制度の暦で人が集まる日を一つずつ与えます。負荷を作る側も同じ機械にいます。
人は、前の人への答えを待たずに来ます。時間は、その人が尋ねようとした時からの数です。行は、同じ日をもう一度測るまで残ります。

「待ってもらった」は、順番待ち・上限の 429 と 503 です。最後に、受け付けたと答えた申請がすべて一度ずつあるかを数えます。

**メモリー**: 2026-11-28 朝の60分のひたしで、apps は1時間に90±31 MB 増えました。同じ書き手を数分動かして調べ、見つけて直したのは二つです。
60秒で切れる内部トークンを、サービスごとに1万個まで覚え続けていました(1個1.8 KB、毎秒およそ3個で1時間に20 MB)。いまは1分ごとに忘れます。
もう一つは、glibc がスレッドごとに分ける置き場の空きです。照会キーの計算が 8 MiB を使い、4分後には16の置き場のうち10に9〜16 MB ずつ残り、
残りも新しいスレッドが使うたびに増えました。二つに限ります(`MALLOC_ARENA_MAX=2`)。直したあとの60分(同じ日の 12:00 まで)では 6±2 MB でした。
その回で gateway は59±29 MB 増えました。2秒だけ信じる「だれからの要求か」の覚えを2万件になるまで捨てず、一つずつがその時の台帳の写し
(すべての市町村)をつかんでいたためです(7分で写しが131個)。いまは古い覚えから捨てます。直したあとの12分(13:28 まで、6,316件を受け付けて
失われた0、二重0)では、gateway のプロセスは 154 MB から 156 MB でした(直す前の15分は 169 MB から 204 MB)。60分では測り直していません。
"""
COLUMNS = (
    "| いつ | 測った日時(UTC) | どれだけ | よく答えた | 待ってもらった | 失敗 | 中央 / 95% / 99%(ミリ秒) "
    "| 機械の負荷平均(1分) | 備考 |\n|---|---|---|---|---|---|---|---|---|"
)


def write(rows: dict[str, str], command: str, verdict: str) -> None:
    lines = kept_rows(PAGE) | rows
    machine = f"{platform.system()}、{os.cpu_count()}プロセッサー、ほかの仕事と分け合っての値です。"
    where = f"最後に書いた命令は `{command}`。{machine}{verdict}\n"
    PAGE.write_text("\n".join([HEAD, "## 表\n", where, COLUMNS, *lines.values(), ""]), "utf-8")


def run(asked: argparse.Namespace) -> int:
    phases = asked.phases.split(",") if asked.phases else list(PHASES)
    command = "make load" + (f" PHASES={asked.phases}" if asked.phases else "") + f" MINUTES={asked.minutes:g}"
    with tempfile.TemporaryDirectory(prefix="kyodo-load-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # as root, PostgreSQL runs as another user and must be able to walk in
        with clouds.running(Path(folder), database=True, broker=True) as running:
            return _measured(running, phases, asked.minutes, asked.share, command)


def _measured(running: clouds.Running, phases: list[str], minutes: float, share: float, command: str) -> int:
    citizens(running)  # waits for the towns' rooms
    people = {town: Applicant(threading.Event(), town=town) for town in CODES}
    year, rows = Year(running, oracle.stores_of(running), people, minutes, share), {}
    for name in phases:
        for line in asyncio.run(PHASES[name](year)):
            print(line, flush=True)
            rows[line.split(" | ")[0].removeprefix("| ")] = line
        if share == 1:
            write(rows, command, "")
    processes.wait_until(lambda: not oracle.waiting(year.stores), seconds=300, pause=0.5)
    verdict = oracle.judge(people, year.stores)
    sent = sum(len(each.acknowledged) for each in people.values())
    said = (
        f"この回に受け付けた申請 {sent}件のうち、失われた {verdict.lost.total()}、二重 {verdict.doubled.total()}。"
        if sent
        else ""
    )
    print(said, flush=True)
    if share == 1:
        write(rows, command, said)
    return 1 if verdict.lost or verdict.doubled else 0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwind: the nodes end
    parser = argparse.ArgumentParser(prog="make load")
    parser.add_argument("--phases", default="", help=", ".join(PHASES))
    parser.add_argument("--minutes", type=float, default=60, help="of the soak")
    parser.add_argument("--share", type=float, default=1, help="of the people")
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
