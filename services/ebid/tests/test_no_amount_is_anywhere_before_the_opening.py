"""Everything that leaves or stays before the opening is searched for the amounts, in every notation: tables, the database's own bytes,
stored and temporary files, messages in the broker's queues, log lines, the audit record, metrics, pages, papers, calendars, the feed.
In each of them one is planted, to show that the search finds it. And nothing is longer, or takes more queries, for how much or how many."""

import base64
import io
import json
import logging
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import prometheus_client
import pytest
from pypdf import PdfReader
from sqlalchemy import event, select

from libs.common import audit, log
from libs.common.bus import topology
from libs.common.bus.rabbitmq import RabbitBus
from libs.common.db import Database
from libs.common.outbox import OutboxRow
from libs.common.testing.database import open_database
from services.ebid.db import EntryRow, SubmissionRow
from services.ebid.tests.people import Browser, Company, Town, hidden, json_text, local_input_in
from services.ebid.tests.test_bids_stay_sealed import dump, everything_shown
from services.ebid.use_cases import documents

AMOUNT, WITH_TAX, RESERVE, MINIMUM = 91_234_570_863, 112_345_753_291, 102_132_502_991, 83_456_713_259
"""So long that no random hex of a few megabytes has one by chance."""
KANJI = str.maketrans("0123456789", "〇一二三四五六七八九")
WIDE = str.maketrans("0123456789,", "０１２３４５６７８９，")


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """SQLite: its file can be read byte by byte. The rows of PostgreSQL are searched in `test_bids_stay_sealed`."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


def notations(amount: int) -> list[bytes]:
    """How an amount can stand somewhere: as people write it, and as machines do."""
    plain, grouped = str(amount), f"{amount:,}"
    man = f"{amount // 10**8}億{amount // 10**4 % 10**4}万{amount % 10**4}"
    texts = [plain, grouped, plain.translate(WIDE), grouped.translate(WIDE), plain.translate(KANJI), man, man.translate(WIDE),
             grouped.replace(",", "."), grouped.replace(",", " "), grouped.replace(",", r"\,"), f"{amount:x}", f"{amount:X}"]  # fmt: skip
    forms = [form for text in texts for form in (text.encode(), quote(text).encode(), json.dumps(text)[1:-1].encode())]
    raw = [amount.to_bytes(8, "big"), amount.to_bytes(8, "little"), plain.encode()]
    forms += [*raw[:2], *(each.hex().encode() for each in raw), base64.b32encode(plain.encode()).rstrip(b"=")[:-2]]
    shifted = (base64.b64encode(b"\0" * shift + plain.encode()) for shift in range(3))
    return forms + [each[4:-4] for each in shifted]


FORMS = {amount: notations(amount) for amount in (AMOUNT, WITH_TAX, RESERVE, MINIMUM)}


def found(content: bytes) -> set[int]:
    return {amount for amount, forms in FORMS.items() if any(form in content for form in forms)}


NOTED = ("91234570863", "91,234,570,863円", "９１２３４５７０８６３", "９１，２３４，５７０，８６３", "九一二三四五七〇八六三",
         "912億3457万863", r"91\,234\,570\,863",
         "91.234.570.863", "153e01126f", "3931323334353730383633", "OTEyMzQ1NzA4NjM=", "eDkxMjM0NTcwODYz", "HEYTEMZUGU3TAOBWGM======",
         r"\uff19\uff11\uff12\uff13\uff14\uff15\uff17\uff10\uff18\uff16\uff13")  # fmt: skip


@pytest.mark.parametrize("text", NOTED)
def test_the_search_knows_the_notation(text: str):
    assert found(f"合計 {text} です".encode()) == {AMOUNT}


def test_another_amount_is_not_taken_for_it():
    assert found("91,234,570,862円、９１２３４５７０８６２、91 234 570 864".encode()) == set()


# ---- where it is looked for


class Places:
    """What there is to be searched, read anew at each look."""

    def __init__(self, town: Town, tender: str, company: Company, text: io.StringIO, folder: Path) -> None:
        self.town, self.tender, self.company, self.text, self.folder = town, tender, company, text, folder

    def all(self) -> dict[str, bytes]:
        looks: dict[str, Callable[[], bytes]] = {
            "tables": lambda: dump(self.town.service),
            "the database and stored files, byte by byte": lambda: _bytes_below(self.town.service.data_dir),
            "temporary files": lambda: _bytes_below(self.folder),
            "queues": self.queues,
            "log": lambda: self.text.getvalue().encode(),
            "audit record": self.audit,
            "metrics": prometheus_client.generate_latest,
            "pages": lambda: json.dumps(everything_shown(self.town, self.tender), ensure_ascii=False).encode(),
            "papers": self.papers,
            "notices": self.notices,
            "calendars": self.calendars,
            "feed": lambda: (
                self.get("ocds/releases") + self.get("ocds/releases.jsonl") + self.get("ocds/releases.json")
            ),
        }
        return {name: look() for name, look in looks.items()}

    def get(self, path: str, browser: Browser | None = None) -> bytes:
        answer = (browser or self.town.guest()).get(path)
        assert answer.status_code == 200, path
        return answer.content + str(answer.headers).encode()

    def queues(self) -> bytes:
        """Every message as it lies in a queue: with a broker, of the broker's; else what the relay would hand over."""
        with self.town.service.database.reading() as session:
            envelopes = [row.envelope for row in session.scalars(select(OutboxRow).order_by(OutboxRow.position))]
        return _through_the_broker(envelopes) if "TEST_AMQP_URL" in os.environ else json.dumps(envelopes).encode()

    def audit(self) -> bytes:
        with self.town.service.database.reading(tenant=self.town.code) as session:
            lines = [each if isinstance(each, bytes) else each.encode() for each in audit.export_lines(session)]
        return b"\n".join(lines)

    def papers(self) -> bytes:
        """PDFs of everybody's tenders and of the bidder's receipt: their bytes, and the words they show."""
        addresses = [f"tenders/{each}/notice.pdf" for each in self.published()]
        return _read([*map(self.get, addresses), self.get(f"tenders/{self.tender}/receipt.pdf", self.company)])

    def notices(self) -> bytes:
        """Every 通知書 to any company: its paper, and the words it shows."""
        officer, made = self.town.officer, list[bytes]()
        for tender in self.published():
            page = self.get(f"desk/tenders/{tender}/letters", officer).decode()
            made += [self.get(each, officer) for each in re.findall(r'href="[^"]*/ebid/(desk/[^"]+\.pdf)"', page)]
        return _read(made)

    def calendars(self) -> bytes:
        """Their lines unfolded (RFC 5545, 3.1)."""
        found = self.get("calendar.ics") + self.get(f"tenders/{self.tender}/calendar.ics")
        return found.replace(b"\r\n ", b"")

    def published(self) -> list[str]:
        return sorted({each["data"]["tender_id"] for each in self.town.events("ebid.tender.published.v1")})


def _read(papers: list[bytes]) -> bytes:
    """Their bytes, and the words they show."""
    words = "".join(page.extract_text() for paper in papers for page in PdfReader(io.BytesIO(paper)).pages)
    return b"".join(papers) + "".join(words.split()).encode()


def _bytes_below(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def _through_the_broker(envelopes: list[dict[str, Any]]) -> bytes:
    url, reader = os.environ["TEST_AMQP_URL"], f"search{uuid.uuid4().hex[:8]}"
    topology.declare_topology(url, reader, ["ebid"])
    bus = RabbitBus(url, "ebid")
    assert bus.deliver(envelopes) == len(envelopes)
    bus.close()
    taken: list[bytes] = []
    with topology.opened(url) as connection:
        channel = connection.channel()

        def take(message: Any) -> None:
            taken.append(message.body if isinstance(message.body, bytes) else message.body.encode())
            taken.append(repr((message.properties, message.delivery_info)).encode())

        channel.basic_consume(f"{reader}.from.ebid", callback=take, no_ack=True)
        with suppress(TimeoutError):
            while len(taken) < 2 * len(envelopes):
                connection.drain_events(timeout=10)
        channel.queue_delete(f"{reader}.from.ebid")
    assert len(taken) >= 2 * len(envelopes)
    return b"\n".join(taken)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Everything that is logged at any level, as a process writes it."""
    root = logging.getLogger()
    handlers, level, text = root.handlers[:], root.level, io.StringIO()
    log.start("ebid", level="DEBUG", stream=text)
    try:
        yield text
    finally:
        root.handlers[:], root.level = handlers, level


def test_no_amount_is_anywhere_and_the_search_finds_one_in_every_place(
    town: Town, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with logged() as text:
        tender, company = bid_upon(town)
        places = Places(town, tender, company, text, folder)
        assert {name: found(content) for name, content in places.all().items() if found(content)} == {}
        with planted(town, folder):
            assert {name for name, content in places.all().items() if AMOUNT not in found(content)} == set()


def bid_upon(town: Town) -> tuple[str, Company]:
    """A tender with sealed limits; three have bid, by the page and by a file of the tool, one of them twice; one declined."""
    town.register_trustees()
    tender = town.draft()
    assert town.seal_limits(tender, WITH_TAX, minimum=MINIMUM).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    version = hidden(town.manager.get(f"desk/approvals/{tender}").text, "version")
    assert town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
    company, tool = town.company(1), town.company(2)
    company.bid(tender, AMOUNT, "733")
    made = json_text(tool.sealed(tender, AMOUNT)).encode()
    files = {"file": ("bid.json", made, "application/json")}
    assert tool.post(f"tenders/{tender}/send", {"act": "bid"}, files=files).status_code == 200
    assert tool.send(tender, tool.sealed(tender, AMOUNT + 1)).status_code == 409
    town.company(3).post(f"tenders/{tender}/send", {"act": "decline"})
    town.advance(seconds=301)
    town.work()
    return tender, company


@contextmanager
def planted(town: Town, folder: Path) -> Iterator[None]:
    """The amount in each place: a title of another tender, a reason, a line, a label, a file."""
    town.publish(title=f"控え {AMOUNT:,}")
    told = town.publish(title="控え", method="open", apply_until=local_input_in(town, days=1))
    town.company(4).post(f"tenders/{told}/send", {"act": "apply", "statement": "許可あり"})
    town.officer.post(f"desk/tenders/{told}/cancel", {"version": town.version(told), "cancel_reason": f"{AMOUNT}円"})
    town.advance(seconds=301)
    town.work()
    log.get("planted").info("planted", amount=f"{AMOUNT:,}")
    (folder / "upload").write_text(str(AMOUNT))
    counter = prometheus_client.Counter("planted", "To be found.", ["what"])
    counter.labels(str(AMOUNT)).inc()
    try:
        yield
    finally:
        prometheus_client.REGISTRY.unregister(counter)


def test_nothing_is_longer_for_a_longer_amount(town: Town):
    """Rows, answers, receipts and papers of one yen and of 999 999 999 999 have the same lengths."""
    tender = town.publish()
    sizes = []
    for serial, amount, number in ((1, 1, "000"), (2, 999_999_999_999, "999")):
        company = town.company(serial)
        answer = company.bid(tender, amount, number)
        receipt = company.get(f"tenders/{tender}/receipt.json", page=False).json()["receipt"]
        sizes.append([len(answer.content), *row_sizes(town, tender, serial, receipt["index"])])
    assert sizes[0] == sizes[1]
    town.company(3).post(f"tenders/{tender}/send", {"act": "decline"})
    assert row_sizes(town, tender, 3, 0) != sizes[0][1:], "the check sees another length"


def row_sizes(town: Town, tender: str, serial: int, index: int) -> list[int]:
    """Of what is stored of a company's bid, without the digits of its place in the log."""
    with town.service.database.reading(tenant=town.code) as session:
        person = town.company_actor(serial).subject
        kept = session.scalars(select(SubmissionRow).where(SubmissionRow.person == person)).one()
        entry = session.get_one(EntryRow, (town.code, kept.entry_id))
        values = (getattr(kept, column.key) for column in kept.__table__.columns)
        return [*(len(repr(value)) for value in values), len(json.dumps(entry.receipt)) - len(str(index))]


# ---- how many


PUBLIC = ("", "tenders/{}/", "/ebid/", "ocds/releases", "ocds/releases.jsonl", "ocds/releases.json", "ocds/records/{ocid}",
          "calendar.ics", "tenders/{}/calendar.ics", "tenders/{}/notice.pdf", "fragments/home", "plans", "publication",
          "publication.csv", "events.json", "/ebid/log/checkpoint", "/ebid/log/key", "/ebid/outages.json")  # fmt: skip


OFFICER = ("desk/", "desk/new", "desk/tenders/{}", "desk/tenders/{}/papers", "desk/tenders/{}/letters", "desk/tenders/{}/publication",
           "desk/tenders/{}/result.pdf", "desk/plans", "desk/companies", "desk/suspensions", "fragments/desk")  # fmt: skip
OTHERS: dict[str, tuple[str, ...]] = {
    "officer": OFFICER,
    "manager": ("desk/approvals", "desk/approvals/{}", "desk/profile"),
    "trustee": ("desk/trustees", "desk/trustees/{}", "desk/trustees/{}/opening.json"),
    "watcher": ("desk/watching", "desk/watching.csv"),
    "company": ("tenders/{}/", "tenders/{}/bid", "tenders/{}/head.json", "tenders/{}/venture", "tenders/{}/receipt.json",
                "tenders/{}/closing", "tenders/{}/bundle.json", "tenders/{}/result.pdf", "mine", "qualification"),
}  # fmt: skip
"""Who might want to count, and what they can open; what is refused them is looked at, too."""


def watchers(town: Town) -> dict[str, Browser]:
    """Somebody of each kind. The company has not bid."""
    return {
        "officer": town.officer,
        "manager": town.manager,
        "trustee": town.trustee("trustee-1"),
        "watcher": town.staff("watcher", "監視 委員", frozenset({"ebid.watcher"})),
        "company": town.company(77),
    }


def asked_by(people: dict[str, Browser], tender: str) -> dict[str, tuple[list[str], bytes]]:
    return {
        f"{who} {path}": seen
        for who, browser in people.items()
        for path, seen in _asked(browser, OTHERS[who], tender, "").items()
    }


def asked(town: Town, tender: str, ocid: str) -> dict[str, tuple[list[str], bytes]]:
    found = _asked(town.guest(), PUBLIC, tender, ocid)
    assert {content.partition(b" ")[0] for _, content in found.values()} == {b"200"}
    return found


def _asked(browser: Browser, paths: Sequence[str], tender: str, ocid: str) -> dict[str, tuple[list[str], bytes]]:
    """By page: the statements that the database was asked, in order, and the answer's status and bytes."""
    town, statements = browser.town, list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine, seen = town.service.database.engine, {}
    event.listen(engine, "before_cursor_execute", note)
    try:
        for path in paths:
            statements.clear()
            answer = browser.get(path.format(tender, ocid=ocid))
            seen[path] = [*statements], f"{answer.status_code} ".encode() + answer.content
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen


def test_neither_the_desk_nor_a_rival_can_tell_nobody_from_many_by_page_refusal_or_work_done(
    town: Town,
):
    """Also while bids on paper and 辞退届 come; and once the deadline has passed a tender with bids looks like one without."""
    tender, quiet = town.publish(paper="1"), town.publish(paper="1")
    people, companies = watchers(town), [town.company(serial) for serial in range(1, 21)]
    town.advance(seconds=301)
    town.work()
    nobody = asked_by(people, tender)
    statuses = {path: content.partition(b" ")[0] for path, (_, content) in nobody.items()}
    assert statuses["officer desk/tenders/{}"] == statuses["company tenders/{}/bid"] == b"200"
    assert statuses["trustee desk/trustees/{}/opening.json"] == b"409"
    for serial, company in enumerate(companies[:17], start=1):
        company.bid(tender, 9_000_000 + serial)
    companies[17].post(f"tenders/{tender}/send", {"act": "decline"})
    for company in companies[18:]:
        given = {"corporate_number": company.number, "serial": company.number}
        assert town.officer.post(f"desk/tenders/{tender}/papers", given).status_code == 200
    assert differing(asked_by(people, tender), nobody) == set()
    town.advance(days=5, minutes=30)
    town.work()
    busy, empty = (without_names(town, asked_by(people, each)) for each in (tender, quiet))
    assert differing(busy, empty) == set()
    assert differing(asked_by(people, tender), nobody) != set(), "the look sees that the deadline has passed"


def without_names(town: Town, seen: dict[str, tuple[list[str], bytes]]) -> dict[str, tuple[list[str], bytes]]:
    """Answers without what names a tender."""
    told = [each["data"] for each in town.events("ebid.tender.published.v1")]
    names = "|".join(re.escape(each[name]) for each in told for name in ("tender_id", "number", "ocid"))
    named = re.compile(f"{names}|[0-9a-f]{{64}}".encode())
    return {path: (statements, named.sub(b"-", content)) for path, (statements, content) in seen.items()}


def differing(seen: dict[str, Any], before: dict[str, Any]) -> set[str]:
    return {path for path, what in seen.items() if what != before[path]}


def test_public_pages_ask_and_answer_the_same_whether_nobody_one_or_fifty_have_bid(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    """Queries and bytes instead of seconds: what takes longer asks more or sends more. The clock stands still."""
    tender = town.publish()
    ocid = town.events("ebid.tender.published.v1")[0]["data"]["ocid"]
    town.advance(seconds=301)
    town.work()
    companies = [town.company(serial) for serial in range(1, 51)]
    nobody = asked(town, tender, ocid)
    assert sum(len(statements) for statements, _ in nobody.values()) > len(PUBLIC)
    companies[0].bid(tender, 9_000_000)
    assert asked(town, tender, ocid) == nobody
    for serial, company in enumerate(companies[1:], start=1):
        company.bid(tender, 9_000_000 + serial)
    assert asked(town, tender, ocid) == nobody
    listed = documents.listed

    def looks_at_every_bid(session: Any, row: Any) -> Any:
        for _ in session.scalars(select(SubmissionRow)).all():
            session.scalars(select(EntryRow.position)).first()
        return listed(session, row)

    monkeypatch.setattr(documents, "listed", looks_at_every_bid)
    assert asked(town, tender, ocid) != nobody, "the check sees a page that asks once for each bid"
