"""The events beside bids (FORMAT.md, `journal`): logged when they happened, complete, in order, and the result follows from them."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.ebid.sealing import merkle
from services.ebid.sealing.note import BadNote, Checkpoint, check_logged
from services.ebid.verify import bundle as form
from services.ebid.verify.keys import Keys
from services.ebid.verify.report import Report

Document = Mapping[str, Any]
EXAMINED = ("qualified", "invited")
"""`admission` of the terms where only those may bid whom officials admitted or invited."""
AFTER = ("contract",)
"""What may follow the conclusion."""


def check_events(bundle: Document, keys: Keys, last: Checkpoint | None, report: Report) -> None:
    """`last`: the last round's checkpoint. Terms that name no `admission` are older than these events: nothing is asked of them."""
    admission = bundle["terms"].get("admission")
    if admission is None:
        report.taken.append("資格の確認、失格、決定などは、台帳に記録される前の案件です。公表されたとおりとしました。")
        return
    journal = bundle.get("journal")
    if journal is None or last is None:
        report.bad("journal-missing", "bundle", "資格の確認、失格、決定などの記録が、公表されていません。")
        return
    try:
        newest = keys.open(journal["checkpoint"])
    except BadNote:
        report.bad("checkpoint-signature", "journal", "決定の記録のための台帳の署名が正しくありません。")
        return
    proof = [bytes.fromhex(step) for step in journal["consistency"]]
    if not merkle.verify_consistency(last.size, newest.size, last.root, newest.root, proof):
        report.bad("log-rewritten", "journal", "開いたあとで、台帳が書き換えられています。")
    Events(bundle, journal, newest, report).run(admission)


class Events:
    """The checks of one tender's events; each method looks at one thing and notes what it finds."""

    def __init__(self, bundle: Document, journal: Document, newest: Checkpoint, report: Report) -> None:
        self.bundle, self.newest, self.report = bundle, newest, report
        self.events: list[Document] = journal["events"]
        self.keys: list[Document] = journal["trustees"]

    def run(self, admission: str) -> None:
        begun = len(self.report.problems)
        for event in self.events:
            self.logged(event)
        self.in_order()
        self.report.passes(begun, f"決定などの記録{len(self.events)}件は、そろって順番どおり台帳にあります。")
        begun = len(self.report.problems)
        self.trustees()
        self.report.passes(begun, "開封のかぎは、公表より前に台帳に記録されたものです。")
        begun = len(self.report.problems)
        if admission in EXAMINED:
            self.admitted()
        before: Document = {}
        for round_ in self.bundle["rounds"]:
            self.opened(round_)
            self.judged(round_)
            self.asked(round_, before)
            before = round_["result"]
        self.concluded()
        self.report.passes(begun, "公表された結果は、台帳に記録された資格・失格・審査・決定のとおりです。")

    def logged(self, event: Document) -> None:
        """In the log, and says what it committed to."""
        logged = event["logged"]
        entry, subject = logged["entry"], f"log {logged['index']}"
        if entry["kind"] in AFTER and logged["index"] >= self.newest.size and not logged["proof"]:
            self.report.taken.append(f"契約の記録（台帳{logged['index']}番）は、まだ署名された台帳に入っていません。")
        else:
            proof = [bytes.fromhex(step) for step in logged["proof"]]
            if not check_logged(entry, bytes.fromhex(logged["salt"]), logged["index"], proof, self.newest):
                self.report.bad("event-not-logged", subject, "この記録は、台帳にありません。")
        said = "document" in event and form.event_digest(entry["kind"], event["salt"], event["document"])
        if said and said != entry["digest"]:
            self.report.bad("event-changed", subject, "公表された記録が、台帳に記録されたものと違います。")

    def in_order(self) -> None:
        """Numbered without a gap, each naming the one before, all of this tender, up to the conclusion."""
        tenants = {event["logged"]["entry"]["tenant"] for event in [*self.events, *self.keys]}
        before = ""
        for number, event in enumerate(self.events, 1):
            entry = event["logged"]["entry"]
            if (entry["n"], entry["before"], entry["tender"]) != (number, before, self.bundle["terms"]["tender"]):
                self.report.bad(
                    "event-missing", f"event {number}", "決定などの記録が、抜けているか入れ替わっています。"
                )
            before = entry["digest"]
        kinds = [event["logged"]["entry"]["kind"] for event in self.events]
        if kinds.count("concluded") != 1 or set(kinds[kinds.index("concluded") + 1 :]) - set(AFTER) or len(tenants) > 1:
            self.report.bad("event-missing", "journal", "決定（または不調）の記録がないか、順番が違います。")

    def said(self, *kinds: str) -> Iterable[tuple[Document, Document]]:
        """(entry's place, document) of the shown events of these kinds."""
        for event in self.events:
            if event["logged"]["entry"]["kind"] in kinds and "document" in event:
                yield event["logged"], event["document"]

    def trustees(self) -> None:
        """Each announced key was registered, in the log, before the announcement was."""
        known = {}
        for event in self.keys:
            self.logged(event)
            if event["logged"]["entry"]["kind"] == "trustee":
                known[event["document"]["public_key"]] = event["logged"]["entry"]["at"]
        announced = self.bundle["rounds"][0]["terms"]["entry"]["at"]
        for key in self.bundle["terms"]["trustees"]:
            if not known.get(key) or known[key] > announced:
                self.report.bad("trustee-not-logged", key, "このかぎは、公表より前に台帳に記録されていません。")

    def admitted(self) -> None:
        """Who bid was admitted or invited, and that was in the log of the first deadline."""
        size = size_of(self.bundle["rounds"][0])
        admitted = {
            document["bidder"]
            for logged, document in self.said("qualified", "invited")
            if logged["index"] < size and document.get("confirmed", True)
        }
        for round_ in self.bundle["rounds"]:
            for bidder in sorted({form.bidder_of(bid) for bid in round_["bids"]} - admitted):
                self.report.bad(
                    "bid-not-admitted", bidder, "締切より前に、参加を認めた記録が台帳にない者の入札書・見積書です。"
                )

    def opened(self, round_: Document) -> None:
        """The opening found the amounts that are published now, and was logged after the deadline's checkpoint."""
        number = round_["round"]
        found = [(logged, each) for logged, each in self.said("opened") if each["round"] == number]
        amounts = {place["bidder"]: place["amount"] for place in round_["result"]["places"]}
        if len(found) != 1 or found[0][0]["index"] < size_of(round_):
            self.report.bad("opened-changed", f"round {number}", "開いた記録が、締切のあとの台帳にありません。")
        elif not same_moment(round_["opened_at"], *found[0]):
            sentence = "公表された、開いた日時が、開いたときに記録されたものと違います。"
            self.report.bad("opened-at-changed", f"round {number}", sentence)
        elif {place["bidder"]: place["amount"] for place in found[0][1]["result"]["places"]} != amounts:
            self.report.bad(
                "opened-changed", f"round {number}", "公表された金額が、開いたときに記録されたものと違います。"
            )

    def judged(self, round_: Document) -> None:
        """失格, 審査 and lowered points as they were decided, step by step, are the published ones."""
        refused: dict[str, str] = {}
        cleared: set[str] = set()
        lowered: dict[str, str] = {}
        for _, each in self.said("judged"):
            if each["round"] != round_["round"]:
                continue
            bidder = each["bidder"]
            if each["act"] == "refuse":
                refused[bidder] = each["reason"]
            elif each["act"] == "clear":
                cleared.add(bidder)
            else:
                lowered[bidder] = each["points"]
                cleared.discard(bidder)
        published = round_["judged"]
        same = published["refused"] == refused and set(published["cleared"]) == cleared
        if self.bundle["terms"].get("points") == "self":
            same = same and published["technical"] == lowered
        if not same:
            sentence = "公表された失格・審査の判断が、台帳に記録されたものと違います。"
            self.report.bad("judged-changed", f"round {round_['round']}", sentence)

    def asked(self, round_: Document, before: Document) -> None:
        """Who was asked to bid again, or for a quotation after 不落, is who was logged; `before`: the result of the round before."""
        asked = [each["asked"] for _, each in self.said("asked") if each["round"] == round_["round"]]
        if before and asked != [round_.get("invited", before["rebidders"])]:
            sentence = "次の回の提出を求めた相手の記録が、台帳のものと違います。"
            self.report.bad("asked-changed", f"round {round_['round']}", sentence)

    def concluded(self) -> None:
        """The decision is the one that follows from the last round."""
        result = self.bundle["rounds"][-1]["result"]
        won = result["candidate"] if result["outcome"] == "award" else None
        amount = next((place["amount"] for place in result["places"] if place["bidder"] == won), None)
        said = [(each["outcome"]["winner"], each["outcome"]["amount"]) for _, each in self.said("concluded")]
        if said != [(won, amount)]:
            self.report.bad("conclusion-changed", "journal", "決定の記録が、公表された結果と違います。")


def same_moment(published: str, logged: Document, document: Document) -> bool:
    """Whether the opening's moment is the logged one, and not after its record. Openings from before it was logged tell only the last."""
    return document.get("opened_at", published) == published <= logged["entry"]["at"]


def size_of(round_: Document) -> int:
    """How many leaves the round's checkpoint has; it was read and its signature checked before."""
    return int(round_["checkpoint"].splitlines()[1])
