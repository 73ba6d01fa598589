"""Who writes what, in every service, and where each thing must be found afterwards.

A writer's `places(stores)` says where its things must be: place → how often each id is there. `sums(stores)` says which totals must be
equal: (what, is, should be).
"""

import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Protocol

import httpx
from sqlalchemy import func, select

from infra.local import cloud as clouds
from infra.local import processes
from libs.common.clock import SystemClock, local_date
from libs.common.db import Database
from libs.common.ids import new_id
from libs.common.room.table import RoomRow
from services.eapply.db import ApplicationRow, ProcedureRow
from services.eapply.db.after import PaperCountRow
from services.ebid.db import EntryRow, SubmissionRow, TenderRow
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope
from services.ebid.tests import people as bidding
from services.opendata.db.facts import ApplicationFactRow, TenderFactRow
from services.opendata.db.sensors import HourRow, ReadingRow
from services.opendata.db.tables import DatasetRow, PublishedRow
from services.tenants.db import datasets as datasets_told
from services.tenants.db import tenders as tenders_told
from services.tenants.db import usage as counted
from services.tenants.db.requests import RequestRow, RequestStepRow
from tests.integration.test_kill_anything import ANSWERS, CODES
from tests.unbroken.chaos.load import BACKING_UP, Machine, Nothing, Writer, machine
from tests.unbroken.chaos.post import PostOffice
from tests.visitors import signed_in

Stores = dict[str, Database]
Places = dict[str, Counter[str]]
Sums = list[tuple[str, int, int]]


class Judged(Protocol):
    """What the oracle asks of a writer."""

    acknowledged: dict[str, str]

    def places(self, stores: Stores) -> Places: ...

    def sums(self, stores: Stores) -> Sums: ...

    def strangers(self, stores: Stores) -> set[str]: ...


@dataclass
class Everywhere(Writer):
    """A writer whose things can be looked for."""

    def places(self, stores: Stores) -> Places:
        return {}

    def sums(self, stores: Stores) -> Sums:
        return []

    def strangers(self, stores: Stores) -> set[str]:
        """Ids that are stored and were acknowledged to nobody."""
        return set()


# ---- 電子申請


@dataclass
class Applicant(Everywhere):
    """A guest of one town who applies again and again, each time with an address that is told of the arrival. The cookie is kept: a key
    belongs to whoever sent it, and another browser with the same key is another person."""

    url: str = ""
    town: str = ""
    post: PostOffice | None = None
    browser: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=20))
    _keys: dict[int, str] = field(default_factory=dict)

    def send(self, number: int) -> tuple[str, str] | None:
        if not self.browser.cookies:  # before anything is sent that must not be done twice
            self.browser.get(f"{self.url}/t/{CODES[self.town]}/eapply/", headers={"accept": "text/html"})
        key = self._keys.setdefault(number, new_id())
        answer = self.browser.post(
            f"{self.url}/t/{CODES[self.town]}/eapply/api/applications",
            json={"procedure": "event-moushikomi", "answers": ANSWERS | {"email": address_of(key)}},
            headers={"Idempotency-Key": key, "Origin": self.url},
        )
        return (key, answer.json()["application_id"]) if self.taken(answer, 201) else None

    def places(self, stores: Stores) -> Places:
        with stores["eapply"].reading(self.town) as session:
            stored = Counter(session.scalars(select(ApplicationRow.id)))
        with stores["tenants"].reading(self.town) as session:
            told = Counter(session.scalars(select(counted.ApplicationRow.id)))
        with stores["opendata"].reading(self.town) as session:
            facts = Counter(session.scalars(select(ApplicationFactRow.application_id)))
        found = {"eapply": stored, "tenants": told, "opendata": facts}
        return found | ({"mail": self._mails()} if self.post else {})

    def sums(self, stores: Stores) -> Sums:
        """The council's totals are raised by each event: one applied twice shows here and nowhere else."""
        with stores["tenants"].reading(self.town) as session:
            of = counted.UsageRow
            which = (of.tenant == self.town, of.service == "eapply", of.channel != "paper")
            total = session.scalar(select(func.sum(of.applications)).where(*which)) or 0
            rows = session.scalar(select(func.count()).select_from(counted.ApplicationRow)) or 0
        return [(f"council's total of applications in {self.town}", int(total), rows)]

    def strangers(self, stores: Stores) -> set[str]:
        return set(self.places(stores)["eapply"]) - set(self.acknowledged.values())

    def _mails(self) -> Counter[str]:
        assert self.post
        come = self.post.by_address()
        return Counter({ident: come[address_of(key)] for key, ident in self.acknowledged.items()})


def address_of(key: str) -> str:
    return f"{key}@chaos.example"


@dataclass
class PaperClerk(Everywhere):
    """Staff who say how many applications came on paper this month, one more each time. The event says how many were *added*: of all
    events of the cloud the one that does most harm when it is applied twice or not at all."""

    staff: httpx.Client | None = None
    tenant: str = BACKING_UP
    procedure: str = ""
    before: int = 0
    pause: float = 2.0

    def send(self, number: int) -> tuple[str, str] | None:
        assert self.staff
        month = local_date(datetime.now(UTC)).strftime("%Y-%m")
        form = {"procedure": self.procedure, "month": month, "applications": str(number + 1)}
        answer = self.staff.post(f"/t/{self.tenant}/eapply/desk/numbers", data=form)
        return (str(number), str(number + 1)) if self.taken(answer, 303) else None

    def sums(self, stores: Stores) -> Sums:
        said = len(self.acknowledged)
        return [
            ("paper applications as staff said", self.stored(stores), said),
            ("paper applications in the council's total", self.told(stores) - self.before, said),
        ]

    def stored(self, stores: Stores) -> int:
        with stores["eapply"].reading(self.tenant) as session:
            latest = select(PaperCountRow.applications).where(PaperCountRow.procedure_id == self.procedure)
            return session.scalar(latest.order_by(PaperCountRow.month.desc()).limit(1)) or 0

    def told(self, stores: Stores) -> int:
        of = counted.UsageRow
        which = (of.tenant == self.tenant, of.procedure == self.procedure, of.channel == "paper")
        with stores["tenants"].reading() as session:
            return session.scalar(select(func.sum(of.applications)).where(*which)) or 0


def paper_clerk(staff: Any, stores: Stores, stopping: threading.Event, tenant: str = BACKING_UP) -> PaperClerk:
    with stores["eapply"].reading(tenant) as session:
        procedure = session.scalars(select(ProcedureRow.id).where(ProcedureRow.key == "event-moushikomi")).one()
    clerk = PaperClerk(stopping, staff=staff, tenant=tenant, procedure=procedure)
    clerk.before = clerk.told(stores)
    return clerk


# ---- データバックアップ


@dataclass
class Backup(Machine):
    """Objects, found by their bytes; `look_again` forgets what was seen whole before."""

    seen: set[str] = field(default_factory=set)

    def look_again(self) -> None:
        self.seen.clear()

    def places(self, stores: Stores) -> Places:
        new = {number: name for number, name in dict(self.acknowledged).items() if name not in self.seen}
        self.seen |= set(new.values()) - set(self.lost(new))
        return {"backup": Counter(self.seen)}

    def sums(self, stores: Stores) -> Sums:
        return []

    def strangers(self, stores: Stores) -> set[str]:
        return set()


# ---- 電子入札


class AtTheDoor(bidding.Browser):
    """Somebody who is signed in at the real gateway."""

    def __init__(self, town: bidding.Town, client: httpx.Client) -> None:
        self.town, self.client = town, client  # type: ignore[assignment]
        client.follow_redirects = True

    def _headers(self, page: bool) -> dict[str, str]:
        return {"accept": "text/html" if page else "application/json"}


class TownAtTheDoor(bidding.Town):
    """久留米市 with its officer and its manager in two browsers."""

    def __init__(self, running: clouds.Running) -> None:
        self.code = BACKING_UP
        self.service: Any = SimpleNamespace(clock=SystemClock())
        self.officer = AtTheDoor(self, signed_in(running.url, "staff@using.example"))
        self.manager = AtTheDoor(self, signed_in(running.url, "staff2@using.example"))


@dataclass
class Announcer(Everywhere):
    """Officials publish tenders: a draft, sealed limits, a second person who approves."""

    town: Any = None
    pause: float = 4.0
    _begun: str = ""

    def send(self, number: int) -> tuple[str, str] | None:
        try:
            if not self._begun:
                self._begun = self._submitted(number)
            return self._published()
        except AssertionError:  # a page that was not what the official expected: from the beginning
            self.failed("another page")
            self._begun = ""
            return None

    def _submitted(self, number: int) -> str:
        """A draft that waits for approval. One that did not come so far is left where it is: nobody was told of it."""
        tender = self.town.draft(title=f"試し {number} 号線舗装工事")
        self.town.seal_limits(tender)
        form = {"version": self.town.version(tender)}
        assert self.town.officer.post(f"desk/tenders/{tender}/submit", form).status_code == 200
        return tender

    def _published(self) -> tuple[str, str] | None:
        """Also one whose publication was done and not answered."""
        tender, manager = self._begun, self.town.manager
        page = manager.get(f"desk/approvals/{tender}")
        if page.status_code == 200 and 'name="version"' in page.text:
            form = {"version": bidding.hidden(page.text, "version")}
            manager.post(f"desk/approvals/{tender}/publish", form)
        if not self.taken(manager.get(f"tenders/{tender}/"), 200):
            return None
        self._begun = ""
        return tender, tender

    def places(self, stores: Stores) -> Places:
        with stores["ebid"].reading(BACKING_UP) as session:
            stored = Counter(session.scalars(select(TenderRow.id).where(TenderRow.state == "published")))
        with stores["tenants"].reading() as session:
            told = Counter(session.scalars(select(tenders_told.TenderRow.id)))
        with stores["opendata"].reading(BACKING_UP) as session:
            known = select(TenderFactRow.tender_id).where(TenderFactRow.published.is_not(None))
            facts = Counter(session.scalars(known))
        return {"ebid": stored, "tenants": told, "opendata": facts}


@dataclass
class Bidder(Everywhere):
    """A company that bids on every tender that was published, with the envelope that its own browser closed."""

    company: Any = None
    announcer: Announcer | None = None
    _closed: dict[str, Any] = field(default_factory=dict)

    def send(self, number: int) -> tuple[str, str] | None:
        assert self.announcer
        tenders = list(self.announcer.acknowledged)
        if number >= len(tenders):
            raise Nothing
        tender = tenders[number]
        if tender not in self._closed:
            head = self.company.get(f"tenders/{tender}/head.json", page=False)
            if not self.taken(head, 200):
                return None
            self._closed[tender] = envelope.seal(bid_payload(9_000_000 + number, "418"), bidding.header_of(head.json()))
        sealed = self._closed[tender]
        given = {"act": "bid", "envelope": bidding.json_text(sealed)}
        answer = self.company.post(f"tenders/{tender}/send", given, page=False)
        return (tender, envelope.digest(sealed)) if self.taken(answer, 200) else None

    def places(self, stores: Stores) -> Places:
        with stores["ebid"].reading(BACKING_UP) as session:
            rows = list(session.execute(select(SubmissionRow.digest, SubmissionRow.entry_id)).tuples())
            entries = Counter(session.scalars(select(EntryRow.id).where(EntryRow.kind == "bid")))
        return {
            "ebid": Counter(digest for digest, _ in rows),
            "log of bids": Counter({digest: entries[entry] for digest, entry in rows}),
        }

    def sums(self, stores: Stores) -> Sums:
        with stores["ebid"].reading(BACKING_UP) as session:
            bids = select(func.count()).select_from(SubmissionRow).where(SubmissionRow.kind == "bid")
            entries = select(func.count()).select_from(EntryRow).where(EntryRow.kind == "bid")
            return [("entries of bids in the log", session.scalar(entries) or 0, session.scalar(bids) or 0)]


# ---- オープンデータ


@dataclass
class Publisher(Everywhere):
    """A program that publishes data sets by CKAN's interface."""

    url: str = ""
    key: str = ""
    pause: float = 2.0
    _names: dict[int, str] = field(default_factory=dict)

    def send(self, number: int) -> tuple[str, str] | None:
        name = self._names.setdefault(number, f"chaos-{new_id()}")
        answer = self._act("package_create", name=name, title=f"試しのデータ {number}", license_id="cc-by")
        if answer.status_code == 409:  # published before, and not answered
            answer = self._act("package_show", id=name)
        return (name, answer.json()["result"]["id"]) if self.taken(answer, 200) else None

    def _act(self, action: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": self.key}
        return httpx.post(
            f"{self.url}/opendata/api/3/action/{action}", json=given, headers=headers, trust_env=False, timeout=20
        )

    def places(self, stores: Stores) -> Places:
        with stores["opendata"].reading(BACKING_UP) as session:
            stored = Counter(session.scalars(select(DatasetRow.id)))
            public = Counter(session.scalars(select(PublishedRow.id).where(PublishedRow.tenant == BACKING_UP)))
        return {"opendata": stored, "catalogue": public}

    def sums(self, stores: Stores) -> Sums:
        """What the council was told of the number, and the number."""
        with stores["opendata"].reading() as session:
            which = (PublishedRow.tenant == BACKING_UP, PublishedRow.state == "published")
            public = session.scalar(select(func.count()).select_from(PublishedRow).where(*which)) or 0
        with stores["tenants"].reading() as session:
            told = session.get(datasets_told.DatasetsRow, BACKING_UP)
            return [("council's count of data sets", told.count if told else 0, public)]


@dataclass
class Sensor(Everywhere):
    """A water gauge that sends three readings at a time."""

    url: str = ""
    key: str = ""
    stream: str = ""
    start: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(days=3))

    def send(self, number: int) -> tuple[str, str] | None:
        times = [self.start + timedelta(seconds=3 * number + each) for each in range(3)]
        batch = [
            {"Datastream": {"@iot.id": self.stream}, "phenomenonTime": at.isoformat(), "result": 1.5} for at in times
        ]
        headers = {"Authorization": self.key}
        answer = httpx.post(
            f"{self.url}/opendata/sensors/observations", json=batch, headers=headers, trust_env=False, timeout=20
        )
        if not self.taken(answer, 201):
            return None
        return str(number), times[0].isoformat()

    def places(self, stores: Stores) -> Places:
        with stores["opendata"].reading(BACKING_UP) as session:
            times = session.scalars(select(ReadingRow.at).where(ReadingRow.stream_id == self.stream))
            return {"opendata": Counter(at.isoformat() for at in times)}

    def sums(self, stores: Stores) -> Sums:
        with stores["opendata"].reading(BACKING_UP) as session:
            rows = session.scalar(select(func.count()).where(ReadingRow.stream_id == self.stream)) or 0
            hours = session.scalar(select(func.sum(HourRow.count)).where(HourRow.stream_id == self.stream)) or 0
        return [
            ("readings", rows, 3 * len(self.acknowledged)),
            ("readings in the sums by hour", int(hours), rows),
        ]


# ---- 入口


@dataclass
class SigningIn(Everywhere):
    """People who sign in, by password or with the provider of identity, and leave."""

    running: clouds.Running | None = None
    with_provider: bool = False
    pause: float = 3.0

    def send(self, number: int) -> tuple[str, str] | None:
        assert self.running
        try:
            self._by_provider() if self.with_provider else signed_in(self.running.url, "citizen@home.example").close()
        except (AssertionError, KeyError) as error:
            self.failed(type(error).__name__)
            return None
        return str(number), str(number)

    def _by_provider(self) -> None:
        """To the page that asks whether the account at the provider is to be connected."""
        assert self.running
        headers = {"accept": "text/html", "sec-fetch-site": "cross-site"}
        with httpx.Client(base_url=self.running.url, headers=headers, trust_env=False, timeout=20) as browser:
            there = browser.get("/sign-in/with/citizen").headers["location"]
            agreed = httpx.post(there, data={"sub": "somebody", "action": "authorize"}, trust_env=False, timeout=20)
            assert browser.get(agreed.headers["location"]).headers["location"] == "/sign-in/proved"


# ---- 参加


@dataclass
class Participant(Everywhere):
    """The administrator of a municipality that suspends and resumes a service again and again."""

    admin: httpx.Client | None = None
    code: str = ""
    tenant: str = ""
    pause: float = 3.0
    _next: str = "suspend"

    def send(self, number: int) -> tuple[str, str] | None:
        assert self.admin
        answer = self.admin.post(f"/portal/{self.code}/services/opendata/{self._next}", data={"when": "now"})
        if (
            answer.status_code == 409 or answer.status_code == 422
        ):  # the one before is under way, or was done unanswered
            page = self.admin.get(f"/portal/{self.code}/services/opendata")
            if page.status_code == 200:
                self._next = "resume" if "/services/opendata/resume" in page.text else "suspend"
            raise Nothing
        if not self.taken(answer, 303):
            return None
        request = answer.headers["location"].rpartition("/")[2]
        self._next = "resume" if self._next == "suspend" else "suspend"
        return request, request

    def places(self, stores: Stores) -> Places:
        """Done; or failed, which the registry decides after a room was silent for five minutes, undoes and explains."""
        ended = ("done", "failed")
        with stores["tenants"].reading() as session:
            rows = Counter(session.scalars(select(RequestRow.id).where(RequestRow.state.in_(ended))))
            steps = session.scalars(select(RequestStepRow.request_id).where(RequestStepRow.kind.in_(ended)))
            return {"tenants": rows, "last step": Counter(steps)}

    def sums(self, stores: Stores) -> Sums:
        """The room as the registry believes it, and as it is."""
        with stores["tenants"].reading() as session:
            which = (RequestRow.tenant == self.tenant, RequestRow.service == "opendata", RequestRow.state == "done")
            last = session.scalar(
                select(RequestRow.action).where(*which).order_by(RequestRow.finished_at.desc()).limit(1)
            )
        with stores["opendata"].reading() as session:
            state = session.scalar(select(RoomRow.state).where(RoomRow.tenant == self.tenant))
        agree = (last == "suspend") == (state == "suspended")
        return [(f"room {state} after {last}", int(agree), 1)]


def everybody(
    running: clouds.Running,
    post: PostOffice | None,
    stores: Stores,
    stopping: threading.Event,
    *,
    with_provider: bool = True,
) -> dict[str, Any]:
    """The writers of a cloud with the sample prefecture, each with what they need. Nobody has begun."""
    towns = [Applicant(stopping, url=running.url, town=town, post=post) for town in CODES]
    key, stream = _machine_key(running), _stream(running)
    town = TownAtTheDoor(running)
    announcer = Announcer(stopping, town=town)
    companies = [AtTheDoor(town, signed_in(running.url, f"company{n}@bidder.example")) for n in (1, 2)]
    kept = machine(running, stopping)
    return {
        **{f"applications {each.town}": each for each in towns},
        "paper": paper_clerk(signed_in(running.url, "staff@using.example"), stores, stopping),
        "objects": Backup(stopping, address=kept.address),
        "tenders": announcer,
        **{f"bids {n}": Bidder(stopping, company=each, announcer=announcer) for n, each in enumerate(companies, 1)},
        "data sets": Publisher(stopping, url=running.url, key=key),
        "readings": Sensor(stopping, url=running.url, key=key, stream=stream),
        "participation": _participant(running, stopping),
        "sign-ins": SigningIn(stopping, running=running),
    } | (
        {"sign-ins with a provider": SigningIn(stopping, running=running, with_provider=True)} if with_provider else {}
    )


def _machine_key(running: clouds.Running) -> str:
    with signed_in(running.url, "admin@using.example") as admin:
        form = {"tenant": BACKING_UP, "name": "試し", "scopes": "opendata.write", "days": "30"}
        made = admin.post("/account/machine-tokens", data=form)
    found = re.search(r'<p class="code">([^<]+)</p>', made.text)
    assert found, made.text
    return found[1].strip()


def _stream(running: clouds.Running) -> str:
    with signed_in(running.url, "staff@using.example") as staff:
        form = {
            "name": "試しの水位",
            "property": "水位",
            "unit": "m",
            "place": "役場前",
            "lat": "33.21",
            "lng": "130.44",
        }
        desk = f"/t/{BACKING_UP}/opendata/desk/sensors"
        assert processes.wait_until(lambda: staff.post(desk, data=form).status_code == 303, seconds=600, pause=1)
        found = re.findall(r"/opendata/sensors/([0-9a-f-]{36})", staff.get(desk).text)
    assert found
    return found[-1]


def _participant(running: clouds.Running, stopping: threading.Event) -> Participant:
    """大木町, which joins open data by a rule that needs no operator."""
    with signed_in(running.url, "operator@cloud.example") as operator:
        assert operator.post("/operator/rules/opendata", data={"auto": "1"}).status_code == 303
    admin = signed_in(running.url, "admin@joining.example")
    code = re.search(r"/portal/(\d{6})/", str(admin.get("/portal/", follow_redirects=True).url))
    assert code
    answer = admin.post(f"/portal/{code[1]}/services/opendata/join", data={"when": "now"})
    assert answer.status_code == 303, answer.text
    page = answer.headers["location"]
    assert processes.wait_until(lambda: "使えるようになりました" in admin.get(page).text, seconds=600, pause=1)
    return Participant(stopping, admin=admin, code=code[1], tenant=code[1])
