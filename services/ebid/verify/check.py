"""Check a public bundle (FORMAT.md): nothing added, dropped or changed after the deadline, limits fixed before it, result recomputed."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from libs.common.errors import Refusal
from services.ebid.domain import limits as limit_rules
from services.ebid.domain import lottery, ranking
from services.ebid.domain.limits import Limits, limits_of
from services.ebid.domain.opened import limits_against, own_points, paper_payload, read_bid
from services.ebid.domain.ranking import Bid, Outcome
from services.ebid.domain.terms import SETTLE, Terms, terms_of
from services.ebid.sealing import making, merkle
from services.ebid.sealing.note import BadNote, Checkpoint, check_logged, check_receipt, moment
from services.ebid.verify import bundle as form
from services.ebid.verify import curve, envelopes, hidden
from services.ebid.verify.events import check_events
from services.ebid.verify.keys import Keys
from services.ebid.verify.report import Report

Document = Mapping[str, Any]
AGAINST = {
    "limits-announced": "封かんされた予定価格が、事前に公表された額と違います。",
    "limits-missing": "公表された条件で設けるとした最低制限価格などが、封かんされていません。",
}


def check(
    bundle: Document, receipts: Iterable[Document] = (), *, log_key: str | None = None, deep: bool = False
) -> Report:
    """Check a bundle and the bidder's own receipts against it. Never raises: what cannot be read is a problem "format".

    `log_key`: the log's public key (hex) as known from elsewhere; without it the receipts' key, else the bundle's own, is believed. It may
    be any of the keys that the log had one after the other.
    `deep`: make every envelope again from its seed (≈ 0.1 s each).
    """
    report = Report()
    try:
        downloaded = list(receipts)
        receipts = [
            receipt.get("receipt", receipt) if isinstance(receipt, dict) else receipt for receipt in downloaded
        ]  # as downloaded: with its envelope and proof
        if bundle["format"] not in form.READ:
            report.bad(
                "format-version", "bundle", f"この公表ファイルの形式（{bundle['format']}）を、この道具は知りません。"
            )
            return report
        if not form.is_of_its_number(bundle):
            report.bad("format", "bundle", "公表ファイルの形式の番号が、内容と合っていません。")
        strange = [number for number, receipt in enumerate(receipts, 1) if not is_receipt(receipt)]
        for number in strange:
            report.bad(
                "format",
                f"receipt {number}",
                "受領証のファイルではありません。別のファイルを選んでいないか確かめてください。",
            )
        receipts = [receipt for number, receipt in enumerate(receipts, 1) if number not in strange]
        keys = check_keys(bundle, receipts, log_key, report)
        check_events(bundle, keys, check_rounds(bundle, keys, report, deep), report)
        for receipt in receipts:
            check_own(bundle, receipt, keys, report)
        check_one_log(bundle, downloaded, keys, report)
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        ZeroDivisionError,
        RecursionError,
        Refusal,
    ) as error:
        report.bad("format", "bundle", f"公表ファイルを読み取れません: {type(error).__name__} {error}")
    return report


def is_receipt(document: Any) -> bool:
    return isinstance(document, dict) and {"entry", "index", "key", "salt"} <= set(document)


def check_keys(bundle: Document, receipts: Sequence[Document], log_key: str | None, report: Report) -> Keys:
    """The log's keys; all who name one must name one of them."""
    keys = Keys(bundle["log"]["origin"], bundle["log"]["key"])
    try:
        keys.follow(bundle["log"].get("changes", ()))
    except BadNote:
        report.bad("log-key-changed", "bundle", "台帳の新しい公開鍵が、取り替える前のかぎで署名されていません。")
    for name, other in [("指定", log_key), *(("受領証", receipt["key"]) for receipt in receipts)]:
        if other is not None and not keys.names(other):
            report.bad(
                "log-key", "bundle", f"公表ファイルの台帳の公開鍵が、{name}の公開鍵と違います。別の台帳かもしれません。"
            )
    if log_key is None and not receipts:
        report.taken.append(
            "台帳の公開鍵は、公表ファイルに書かれたものを信じました（受領証か --log-key で確かめられます）。"
        )
    return keys


def check_rounds(bundle: Document, keys: Keys, report: Report, deep: bool) -> Checkpoint | None:
    """Every round; the last one's checkpoint. None where a checkpoint cannot be believed, and the rest was not looked at."""
    terms = terms_of(bundle["terms"])
    before: tuple[Checkpoint, Outcome] | None = None
    for number, round_ in enumerate(bundle["rounds"], 1):
        subject = f"round {number}"
        if round_["round"] != number:
            report.bad("format", subject, "回の番号が続いていません。")
        try:
            checkpoint = keys.open(round_["checkpoint"])
        except BadNote:
            report.bad("checkpoint-signature", subject, "締切時点の台帳の署名が正しくありません。")
            return None
        report.passed.append(f"第{number}回: 締切時点の台帳の署名は正しいです（{checkpoint.size}件）。")
        stamped(round_, subject, report)
        if before and not grows(before[0], checkpoint, round_):
            report.bad("log-rewritten", subject, "前の回のあとで、台帳が書き換えられています。")
        outcome = Round(bundle, terms, round_, number, checkpoint, report, deep).run(before[1] if before else None)
        before = checkpoint, outcome
    return before[0] if before else None


def stamped(round_: Document, subject: str, report: Report) -> None:
    """The deadline's time stamp, where there is one, is over this checkpoint: the SHA-256 of the note is what it attests (RFC 3161,
    messageImprint). Who signed it is not looked at: that needs the authority's certificate."""
    stamp = bytes.fromhex(round_.get("timestamp") or "")
    if not stamp:
        return
    imprint = b"\x04\x20" + hashlib.sha256(round_["checkpoint"].encode()).digest()  # an OCTET STRING of 32 bytes
    if imprint not in stamp:
        report.bad(
            "timestamp-other", subject, "締切時点のタイムスタンプが、この台帳の署名に付けられたものではありません。"
        )
        return
    report.taken.append(
        f"{subject}: タイムスタンプは、この台帳の署名に付けられたものです。時刻認証局の署名は、この道具では確かめません。"
    )


def grows(old: Checkpoint, new: Checkpoint, round_: Document) -> bool:
    proof = [bytes.fromhex(step) for step in round_["consistency"]]
    return merkle.verify_consistency(old.size, new.size, old.root, new.root, proof)


class Round:
    """The checks of one round; each method looks at one thing and notes what it finds."""

    def __init__(
        self,
        bundle: Document,
        terms: Terms,
        round_: Document,
        number: int,
        checkpoint: Checkpoint,
        report: Report,
        deep: bool,
    ) -> None:
        self.bundle, self.terms, self.round, self.number = bundle, terms, round_, number
        self.checkpoint, self.report, self.deep = checkpoint, report, deep
        self.subject = f"round {number}"
        self.terms_digest = form.terms_digest(bundle["terms"])

    def run(self, last: Outcome | None) -> Outcome:
        """The outcome as recomputed; `last` is that of the round before."""
        begun = len(self.report.problems)
        self.announced()
        deadline = self.deadline()
        self.report.passes(begun, f"第{self.number}回: 公表された条件と締切は、締切より前に台帳に記録されています。")
        begun = len(self.report.problems)
        self.closed(deadline)
        if self.round["opened_at"] < deadline:
            self.report.bad("opened-early", self.subject, "締切より前に開かれています。")
        bids = [self.bid(bid, deadline) for bid in self.round["bids"]]
        self.report.passes(
            begun, f"第{self.number}回: 入札書・見積書{len(bids)}通に、締切後の追加・削除・変更はありません。"
        )
        self.declined(deadline)
        begun = len(self.report.problems)
        limits = self.limits(deadline)
        self.report.passes(begun, f"第{self.number}回: 予定価格などは、締切より前に封かんされたものです。")
        return self.recomputed(bids, limits, last)

    def logged(self, logged: Document, code: str, subject: str) -> bool:
        """Whether an entry is in the log of the deadline's checkpoint."""
        proof = [bytes.fromhex(step) for step in logged["proof"]]
        salt = bytes.fromhex(logged["salt"])
        if check_logged(logged["entry"], salt, logged["index"], proof, self.checkpoint):
            return True
        return self.report.bad(code, subject, "この記録は、締切時点の台帳にありません。")

    def announced(self) -> None:
        terms = self.round["terms"]
        self.logged(terms, "terms-not-logged", self.subject)
        if terms["entry"]["kind"] != "terms" or terms["entry"]["digest"] != self.terms_digest:
            self.report.bad("terms-changed", self.subject, "公表された条件が、台帳に記録されたものと違います。")

    def deadline(self) -> str:
        """The deadline in force: each change must have been logged before the deadline that it moves."""
        deadline = ""
        for logged in self.round["schedule"]:
            entry = logged["entry"]
            self.logged(logged, "schedule-not-logged", self.subject)
            digest = form.schedule_digest(self.terms.tender, self.number, moment(entry["deadline"]))
            if entry["kind"] != "deadline" or entry["digest"] != digest or (deadline and entry["at"] >= deadline):
                self.report.bad("schedule-changed", self.subject, "締切の変更が、元の締切より前に記録されていません。")
            deadline = entry["deadline"]
        if not deadline:
            self.report.bad("schedule-not-logged", self.subject, "締切の記録がありません。")
        return deadline

    def closed(self, deadline: str) -> None:
        """The list that was logged at the deadline, compared with the bids that are published now."""
        closing = self.round["closing"]
        entry = closing["logged"]["entry"]
        self.logged(closing["logged"], "closing-not-logged", self.subject)
        listed = [(int(index), str(digest)) for index, digest in closing["bids"]]
        sealed = closing["limits"]
        declines = closing.get("declines")
        digest = form.closing_digest(
            self.terms.tender, self.number, listed, tuple(sealed) if sealed else None, declines
        )
        if entry["kind"] != "closing" or entry["digest"] != digest or entry["at"] < deadline:
            self.report.bad("closing-changed", self.subject, "締切時の封書の一覧が、台帳に記録されたものと違います。")
        present = {bid["logged"]["index"]: bid for bid in self.round["bids"]}
        for index, _ in listed:
            if index not in present:
                self.report.bad(
                    "bid-dropped",
                    f"log {index}",
                    f"締切までに届いた入札書・見積書（台帳{index}番）が、公表されていません。",
                )
        for index, bid in present.items():
            if index not in dict(listed):
                self.report.bad(
                    "bid-added", form.bidder_of(bid), "締切時の一覧にない入札書・見積書が、あとから加えられています。"
                )
            elif dict(listed)[index] != bid["logged"]["entry"]["digest"]:
                self.report.bad("bid-changed", form.bidder_of(bid), "締切時の一覧と違う入札書・見積書です。")
        for bidder, count in Counter(form.bidder_of(bid) for bid in self.round["bids"]).items():
            if count > 1:
                self.report.bad("bid-twice", bidder, "同じ者の入札書・見積書が、2通以上あります。")

    def bid(self, bid: Document, deadline: str) -> Bid:
        """One published bid, checked and read."""
        logged, bidder = bid["logged"], form.bidder_of(bid)
        self.logged(logged, "bid-not-logged", bidder)
        entry = logged["entry"]
        self.technical(bidder)
        self.taken_in(entry, deadline, bidder)
        facts = {
            "bidder": bidder,
            "arrived_at": moment(entry["at"]),
            "sequence": int(logged["index"]),
            "assigned": int(entry.get("assigned", 0)),
            "technical": self.judged_points(bidder),
        }
        if "paper" in bid:
            if entry["kind"] != "paper":
                self.report.bad("bid-changed", bidder, "電子で受け付けた入札書・見積書が、紙のものに変えられています。")
            elif entry["digest"] != form.paper_digest(
                self.terms.tender, self.number, bidder, bid["paper"].get("serial", "")
            ):
                self.report.bad(
                    "bid-changed", bidder, "紙の入札書・見積書が、台帳に記録された封筒のものではありません。"
                )
            elif entry["at"] >= deadline:
                self.report.bad("bid-late", bidder, "締切のあとに受け付けた、紙の入札書・見積書です。")
            return self.paper(bid["paper"], facts)
        if entry["at"] >= deadline:
            self.report.bad("bid-late", bidder, "締切のあとに受け付けた入札書・見積書です。")
        if entry["kind"] != "bid" or making.digest(dict(bid["envelope"])) != entry["digest"]:
            self.report.bad("bid-changed", bidder, "公表された封書が、台帳に記録されたものと違います。")
        self.bound(bid["envelope"]["head"], "bid", self.number, bidder)
        payload, invalid = envelopes.opened(bid, bidder, "bid", self.report, deep=self.deep)
        read = read_bid(payload, invalid, **facts, most=self.terms.self_points)
        if self.terms.self_points and not read.invalid and read.technical > own_points(payload or {}):
            self.report.bad("technical-raised", bidder, "技術点が、提出した者の自己採点より高くなっています。")
        return read

    def declined(self, deadline: str) -> None:
        """辞退届: those of the closing list and no others, each logged before the deadline, and who sent one has not bid; an envelope on
        paper that came before it counts (施行令167条の8第3項). Bundles of earlier versions do not tell of them."""
        begun, told = len(self.report.problems), self.round.get("declined", ())
        self.listed(told)
        bids = {form.bidder_of(bid): bid for bid in self.round["bids"]}
        for each in told:
            bidder, entry = each["bidder"], each["logged"]["entry"]
            self.logged(each["logged"], "decline-not-logged", bidder)
            digest = form.decline_digest(self.terms.tender, self.number, bidder)
            if entry["kind"] != "decline" or entry["digest"] != digest or entry["at"] >= deadline:
                self.report.bad("decline-changed", bidder, "辞退届が、締切より前に台帳に記録されたものと違います。")
            self.taken_in(entry, deadline, bidder)
            if bidder in bids and not stands_beside(bids[bidder], entry):
                self.report.bad("decline-and-bid", bidder, "辞退した者の入札書・見積書が、公表されています。")
        if told:
            self.report.passes(begun, f"第{self.number}回: 辞退届{len(told)}件は、締切より前に台帳に記録されています。")

    def listed(self, told: Sequence[Document]) -> None:
        """What is published of 辞退届 is what the closing list has of them."""
        listed = self.round["closing"].get("declines")
        if listed is None:
            if told:
                self.report.taken.append(
                    f"第{self.number}回: 締切時の一覧に辞退届を載せる前の締切です。除かれた辞退届は、出した者の受領証だけで分かります。"
                )
            return
        published = {each["logged"]["index"]: each for each in told}
        for index, digest in listed:
            if index not in published:
                self.report.bad(
                    "decline-dropped",
                    f"log {index}",
                    f"締切までに届いた辞退届（台帳{index}番）が、公表されていません。",
                )
            elif published.pop(index)["logged"]["entry"]["digest"] != digest:
                self.report.bad("decline-changed", f"log {index}", "締切時の一覧と違う辞退届です。")
        for each in published.values():
            self.report.bad("decline-added", each["bidder"], "締切時の一覧にない辞退届が、あとから加えられています。")

    def judged_points(self, bidder: str) -> Fraction | None:
        """技術点 as officials gave them. With 自己採点 the sealed ones count where there are none."""
        given = self.round["judged"]["technical"].get(bidder)
        return Fraction(given) if given is not None else None if self.terms.self_points else Fraction(0)

    def technical(self, bidder: str) -> None:
        """総合評価: the bidder's points are the ones that were fixed before the opening."""
        if self.terms.evaluation.kind == "price" or self.terms.self_points:
            return
        logged, points = self.round.get("points", {}).get(bidder), self.round["judged"]["technical"].get(bidder)
        if logged is None or points is None:
            self.report.bad("technical-not-logged", bidder, "技術点が、台帳に記録されていません。")
            return
        entry = logged["entry"]
        digest = form.technical_digest(self.terms.tender, bidder, points)
        if entry["kind"] != "technical" or entry["digest"] != digest or entry["at"] > self.round["opened_at"]:
            self.report.bad("technical-changed", bidder, "技術点が、開くより前に台帳に記録されたものと違います。")
        if int(logged["index"]) < self.checkpoint.size:
            self.logged(logged, "technical-not-logged", bidder)
        else:
            self.report.taken.append(
                f"技術点（{bidder}）は、締切のあと、開く前に確定されました。時刻は、公表されたとおりとしました。"
            )

    def paper(self, paper: Document, facts: dict[str, Any]) -> Bid:
        self.report.taken.append(
            f"紙の入札書・見積書（{facts['bidder']}）の金額とくじ番号は、開くときに入力されたものです。"
        )
        return read_bid(paper_payload(paper), str(paper.get("invalid", "")), **facts)

    def taken_in(self, entry: Document, deadline: str, bidder: str) -> None:
        """When it was written down (`kept`), which may be a little after the deadline for what had come before it."""
        kept, closed = entry.get("kept"), self.round["closing"]["logged"]["entry"]["at"]
        if kept is None:
            return
        if not entry["at"] <= kept <= closed or (deadline and moment(kept) >= moment(deadline) + SETTLE):
            self.report.bad(
                "bid-late", bidder, "締切の前に届いたとされる入札書・見積書が、おそすぎる時刻に記録されています。"
            )
        elif kept >= deadline:
            self.report.taken.append(
                f"{bidder}の入札書・見積書は、{entry['at']}に届き、締切のあとの{kept}に記録されたとされています。"
            )

    def bound(self, head: Document, kind: str, number: int, subject: str) -> None:
        terms = self.bundle["terms"]
        wanted = (kind, self.terms.tender, number, self.terms_digest, terms["threshold"], list(terms["trustees"]))
        found = tuple(head[name] for name in ("purpose", "tender", "round", "terms", "threshold", "trustees"))
        if found != wanted:
            self.report.bad(f"{kind}-head", subject, "この封書は、別の案件・回・条件のためのものです。")

    def limits(self, deadline: str) -> Limits:
        """The buyer's limits: sealed and logged before the deadline, opened as sealed, and the ones that the closing names."""
        sealed, named = self.round["limits"], self.round["closing"]["limits"]
        if sealed is None:
            if named:
                self.report.bad("limits-dropped", self.subject, "封かんされた予定価格が、公表されていません。")
            return self.read_limits({})
        logged = sealed["logged"]
        entry = logged["entry"]
        self.logged(logged, "limits-not-logged", self.subject)
        if named != [logged["index"], entry["digest"]]:
            self.report.bad("limits-changed", self.subject, "締切時に記録された予定価格の封書ではありません。")
        if entry["at"] >= deadline:
            self.report.bad("limits-late", self.subject, "予定価格が、締切のあとに封かんされています。")
        if entry["kind"] != "limits" or making.digest(dict(sealed["envelope"])) != entry["digest"]:
            self.report.bad("limits-changed", self.subject, "予定価格の封書が、台帳に記録されたものと違います。")
        self.bound(sealed["envelope"]["head"], "limits", 1, self.subject)
        if self.terms.hidden:
            return hidden.explaining(self.round["result"]["places"])
        payload, _ = envelopes.opened(sealed, self.subject, "limits", self.report, deep=self.deep)
        return self.read_limits(payload or {})

    def read_limits(self, payload: Document) -> Limits:
        limits, with_tax = limits_of(payload), payload.get("reserve_with_tax")
        contradiction = limits_against(self.terms, payload)
        if contradiction:
            self.report.bad(contradiction, self.subject, AGAINST[contradiction])
        if with_tax is not None and limits.reserve != self.terms.tax.comparison_price(with_tax):
            self.report.bad(
                "limits-tax",
                self.subject,
                "比較価格（税抜）が、予定価格（税込）から、公表された端数処理で求めた額と違います。",
            )
        self.by_model(limits, payload)
        return limits

    def by_model(self, limits: Limits, payload: Document) -> None:
        """Where a table of coefficients was announced, the sealed limit is what it gives for the sealed costs."""
        rule = self.terms.limits
        if rule.model is None or limits.reserve is None:
            return
        costs = {str(part): int(cost) for part, cost in payload.get("components", {}).items()}
        try:
            right = limit_rules.by_model(rule.model, costs, limits.reserve) == getattr(limits, rule.target)
        except Refusal:
            right = False
        if not right:
            self.report.bad("limits-model", self.subject, "公表された算定式で計算した額と、封かんされた額が違います。")

    def recomputed(self, bids: list[Bid], limits: Limits, last: Outcome | None) -> Outcome:
        """Limits at opening, ranking, rounding and lottery again; the result must be the published one."""
        judged, published = self.round["judged"], self.round["result"]
        self.beacon()
        for bid in bids:
            if last and bid.bidder not in self.round.get("invited", last.rebidders):
                self.report.bad("bid-not-entitled", bid.bidder, "この回に参加できない者の入札書・見積書です。")
        tickets = [ranking.ticket(bid) for bid in bids if not bid.invalid]
        seed = lottery.seed(
            self.terms.tender, self.number, self.checkpoint.root, tickets, bytes.fromhex(self.round["beacon"])
        )
        used = ranking.limits_at_opening(self.terms, bids, limits, seed)
        outcome = ranking.decide(
            self.terms,
            bids,
            used,
            round_=self.number,
            last_lowest=last.lowest if last else None,
            refused=judged["refused"],
            cleared=frozenset(judged["cleared"]),
            seed=seed,
            opened_at=moment(self.round["opened_at"]),
        )
        self.compare(form.result(outcome, Limits() if self.terms.hidden else used), published)
        self.note_judged(judged)
        self.note_moment(outcome)
        return outcome

    def beacon(self) -> None:
        """Where the announcement names one, it is the digest of the deadline's time stamp."""
        if self.bundle["terms"].get("beacon") != "timestamp":
            return
        stamp = bytes.fromhex(self.round["timestamp"] or "")
        if not stamp or self.round["beacon"] != hashlib.sha256(stamp).hexdigest():
            self.report.bad(
                "beacon-changed", self.subject, "くじの種が、締切時点のタイムスタンプから作られていません。"
            )

    def compare(self, ours: dict[str, Any], published: Document) -> None:
        parts = {
            "result-limits": ("limits", "予定価格・最低制限価格などの額"),
            "result-lottery": ("draws", "くじの計算"),
            "result-ranking": ("places", "順位・有効無効・評価値"),
            "result-award": ("candidate", "落札者または契約の相手方の候補者"),
            "result-outcome": ("outcome", "開いた結果（候補者あり・再度・不調など）"),
            "result-rebid": ("lowest", "次の回で知らせる最低の価格"),
            "result-rebidders": ("rebidders", "次の回に参加できる者"),
        }
        begun = len(self.report.problems)
        for code, (part, name) in parts.items():
            if ours[part] != published[part]:
                self.report.bad(code, self.subject, f"{name}が、公表された条件のとおりに計算し直した結果と違います。")
        self.report.passes(
            begun, f"第{self.number}回: 順位・端数処理・くじを計算し直し、公表された結果と一致しました。"
        )

    def note_judged(self, judged: Document) -> None:
        if self.terms.hidden:
            self.report.taken.append(
                f"第{self.number}回: 予定価格などは非公表です。額そのものは確かめられません。"
                "超過・失格の判定は、金額の順と食い違わないことだけを確かめました。"
            )
        names = {"technical": "技術点", "refused": "失格の判断", "cleared": "低入札価格調査・事後審査の判断"}
        for part, name in names.items():
            if judged[part]:
                self.report.taken.append(
                    f"第{self.number}回: {name}（{len(judged[part])}件）は、公表されたものをそのまま使いました。"
                )

    def note_moment(self, outcome: Outcome) -> None:
        """和歌山県's draw hangs on the moment of opening, which is the server's word."""
        if self.terms.lottery.opening_milliseconds and any(len(draw.among) > 1 for draw in outcome.draws):
            self.report.taken.append(
                f"第{self.number}回: くじは、開いた時刻のミリ秒によります。時刻は、開いたときの記録のとおりですが、"
                "開いた者がその時刻を選ばなかったことは、この道具では確かめられません。"
            )


def stands_beside(bid: Document, decline: Document) -> bool:
    """Whether a bid counts beside the 辞退届 of its bidder (`decline`: its entry): on paper, and received before."""
    return "paper" in bid and bid["logged"]["entry"]["at"] <= decline["at"]


def check_own(bundle: Document, receipt: Document, keys: Keys, report: Report) -> None:
    """The bidder's own receipt: signed by the log, and its bid stands unchanged in the round it was made for."""
    entry, begun = receipt["entry"], len(report.problems)
    subject = f"receipt {receipt['index']}"
    try:
        check_receipt(receipt, keys.at(int(receipt["index"])), curve.check)
    except BadNote:
        report.bad("receipt-signature", subject, "受領証の署名が、この台帳のものではありません。")
        return
    if entry.get("tender", bundle["terms"]["tender"]) != bundle["terms"]["tender"]:
        report.bad(
            "receipt-other",
            subject,
            "この受領証は、別の案件のものです。公表ファイルか受領証を取り違えていないか確かめてください。",
        )
        return
    if entry["kind"] == "decline":
        check_own_decline(bundle, receipt, report)
        return
    if entry["kind"] != "bid":
        report.taken.append(f"受領証（台帳{receipt['index']}番）は、入札書・見積書の受領証ではありません。")
        return
    bids = [bid["logged"] for round_ in bundle["rounds"] for bid in round_["bids"]]
    mine = [logged for logged in bids if logged["index"] == receipt["index"]]
    if not mine:
        report.bad("my-bid-missing", subject, "あなたの入札書・見積書が、公表ファイルにありません。")
    elif mine[0]["entry"] != entry or mine[0]["salt"] != receipt["salt"]:
        report.bad("my-bid-changed", subject, "あなたの入札書・見積書が、受領証と違うものに変わっています。")
    report.passes(begun, f"あなたの入札書・見積書（台帳{receipt['index']}番）は、受領証のとおり公表されています。")


def check_one_log(bundle: Document, downloaded: Iterable[Any], keys: Keys, report: Report) -> None:
    """A checkpoint that came with a receipt and one of the bundle that are of the same size show the same log: another root is a fork,
    signed by the log itself. Other sizes say nothing here: only a witness, or a proof of consistency, compares them."""
    notes = [round_["checkpoint"] for round_ in bundle["rounds"]]
    notes += [bundle["journal"]["checkpoint"]] if bundle.get("journal") else []
    shown: dict[int, bytes] = {}
    for text in notes:
        try:
            state = keys.open(text)
        except BadNote:
            continue  # said where that checkpoint is checked
        shown.setdefault(state.size, state.root)
    for number, document in enumerate(downloaded, 1):
        text = document.get("checkpoint") if isinstance(document, dict) else None
        if text is None:
            continue
        try:
            own = keys.open(text)
        except BadNote:
            report.bad(
                "receipt-signature", f"receipt {number}", "受領証に付いた台帳の署名が、この台帳のものではありません。"
            )
            continue
        if shown.get(own.size, own.root) != own.root:
            sentence = f"同じ大きさ（{own.size}件）の、内容の違う2つの台帳に署名されています。あなたには別の台帳が示されていました。"
            report.bad("log-forked", f"receipt {number}", sentence)


def check_own_decline(bundle: Document, receipt: Document, report: Report) -> None:
    """The receipt of a 辞退届: it is published, and no bid of who sent it."""
    entry, index, begun = receipt["entry"], receipt["index"], len(report.problems)
    subject = f"receipt {index}"
    rounds = [round_ for round_ in bundle["rounds"] if round_["round"] == entry["round"]]
    told = [each["logged"] for round_ in rounds for each in round_.get("declined", ())]
    if not any("declined" in round_ for round_ in rounds):
        report.taken.append(
            f"この公表ファイルには辞退届がないため、あなたの辞退届（台帳{index}番）は確かめられません。"
        )
        return
    if not any(logged["index"] == index and logged["entry"] == entry for logged in told):
        report.bad("my-decline-missing", subject, "あなたの辞退届が、公表ファイルにありません。")
    tender = bundle["terms"]["tender"]
    for bid in (bid for round_ in rounds for bid in round_["bids"]):
        bidder = form.bidder_of(bid)
        if form.decline_digest(tender, entry["round"], bidder) != entry["digest"]:
            continue
        if stands_beside(bid, entry):
            report.taken.append(
                f"あなたの紙の入札書・見積書は、辞退届より先に受け付けられたため、有効とされています（台帳{bid['logged']['index']}番）。"
            )
        else:
            report.bad("decline-and-bid", bidder, "辞退したあなたの入札書・見積書が、公表されています。")
    report.passes(begun, f"あなたの辞退届（台帳{index}番）は、受領証のとおり公表されています。")
