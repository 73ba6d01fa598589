"""Opening, verifying and proving, beside the bare cost of the cryptography and hashing they cannot do without, in the same run.

    python -m tests.bench.ebid [--bids 1000] [--leaves 1000000] [--rounds 5]

One tender with --bids sealed bids, 3 of 5 trustees, every tenth bid tied at the lowest price; a log of --leaves leaves. Goals: opening
(shares of three trustees, opening, making each envelope again, ranking, lottery) ≤ 2 s; ebid-verify of its bundle ≤ 2 s; an inclusion
proof ≤ 5 ms. CPU seconds are judged: walls depend on who else uses the machine, and are printed beside them.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.ebid.sealing import envelope, hpke, making, merkle
from services.ebid.sealing.canonical import canonical
from services.ebid.tests.sealed_tender import Tender
from services.ebid.verify.check import check

TRUSTEES = (1, 3, 5)


class Measure:
    """Medians of CPU and wall seconds over some rounds."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def __call__(self, work: Callable[[], Any]) -> tuple[float, float]:
        cpu, wall = [], []
        for _ in range(self.rounds):
            begun, cpu_begun = time.perf_counter(), time.process_time()
            work()
            cpu.append(time.process_time() - cpu_begun)
            wall.append(time.perf_counter() - begun)
        return statistics.median(cpu), statistics.median(wall)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bids", type=int, default=1000)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; medians of {given.rounds}")
    measure = Measure(given.rounds)
    tender = sealed(given.bids)
    good = [opening(tender, measure), verifying(tender, measure), proving(given.leaves, measure)]
    return 0 if all(good) else 1


def sealed(count: int) -> Tender:
    tender = Tender()
    tender.announce({"reserve": 10_000_000, "minimum": 8_000_000})
    begun = time.process_time()
    for number in range(count):
        amount = 8_000_000 if number % 10 == 0 else 9_000_000 + number
        tender.bid(f"{number:036d}", amount, f"{number % 1000:03d}")
    each = (time.process_time() - begun) / count
    size = len(canonical(next(iter(tender.sealed.values()))[0]))
    print(f"sealing and logging a bid:  {1000 * each:8.2f} ms CPU, envelope {size} bytes")
    tender.close()
    return tender


def opening(tender: Tender, measure: Measure) -> bool:
    """All shares of three trustees, then everything the service does with them."""

    def whole() -> None:
        tender.rounds.clear()
        tender.open(TRUSTEES)

    cpu, wall = measure(whole)
    envelopes, keys = [made for made, _ in tender.sealed.values()], {at: tender.keys[at - 1] for at in TRUSTEES}
    bare, _ = measure(lambda: bare_opening(envelopes, keys))
    report(f"opening {len(tender.sealed)} bids, 3 of 5", cpu, wall, bare, 2.0)
    return cpu <= 2.0


def bare_opening(envelopes: Iterable[envelope.Envelope], keys: Mapping[int, bytes]) -> None:
    """Only the library's calls: HPKE opening of the shares at the places of `keys`, one decryption, the two X25519 and the AES-GCM of
    each sealed share."""
    for made in envelopes:
        bound = canonical(made["head"])
        for place, key in keys.items():
            hpke.open_(bytes.fromhex(made["shares"][place - 1]["sealed"]), key, making.share_info(bound, place))
        AESGCM(bytes(32)).encrypt(bytes(12), bytes(512), bound)
        for public in made["head"]["trustees"]:
            secret = X25519PrivateKey.from_private_bytes(os.urandom(32))
            secret.public_key().public_bytes_raw()
            exchanged = secret.exchange(_known(public))
            AESGCM(exchanged[:16]).encrypt(bytes(12), bytes(32), b"")


@cache
def _known(public: str) -> X25519PublicKey:
    return X25519PublicKey.from_public_bytes(bytes.fromhex(public))


def verifying(tender: Tender, measure: Measure) -> bool:
    text = json.dumps(tender.bundle())

    def whole() -> None:
        problems = check(json.loads(text)).problems
        assert not problems, problems

    cpu, wall = measure(whole)
    bare, _ = measure(lambda: bare_verifying(text))
    report(f"ebid-verify of it ({len(text) / 1e6:.1f} MB)", cpu, wall, bare, 2.0)
    return cpu <= 2.0


def bare_verifying(text: str) -> None:
    """Only reading the bundle and hashing what must be hashed: each envelope and the nodes of each proof."""
    for bid in json.loads(text)["rounds"][0]["bids"]:
        envelope.digest(bid["envelope"])
        value = merkle.leaf_hash(bytes(32))
        for step in bid["logged"]["proof"]:
            value = merkle.node_hash(bytes.fromhex(step), value)


def proving(count: int, measure: Measure) -> bool:
    nodes: dict[merkle.Place, bytes] = {}
    begun = time.process_time()
    nodes.update(merkle.append(lambda places: {}, 0, (number.to_bytes(8, "big") for number in range(count))))
    each = (time.process_time() - begun) / count
    print(f"appending to the log:       {1e6 * each:8.1f} µs CPU a leaf, {len(nodes) / count:.2f} nodes a leaf")

    def read(places: Any) -> dict[merkle.Place, bytes]:
        return {place: nodes[place] for place in places}

    index = count * 2 // 3
    length = len(merkle.inclusion_proof(read, index, count))
    hundred = Measure(measure.rounds)
    cpu, wall = hundred(lambda: [merkle.inclusion_proof(read, index, count) for _ in range(100)])
    bare, _ = hundred(lambda: [merkle.node_hash(bytes(32), bytes(32)) for _ in range(100 * length)])
    report(f"inclusion proof of {count} leaves", cpu / 100, wall / 100, bare / 100, 0.005)
    return cpu / 100 <= 0.005


def report(what: str, cpu: float, wall: float, bare: float, goal: float) -> None:
    unit, factor = ("s ", 1) if goal >= 0.1 else ("ms", 1000)
    print(
        f"{what:34} {cpu * factor:8.3f} {unit} CPU, {wall * factor:8.3f} {unit} wall; bare {bare * factor:8.3f} {unit}"
        f" → {cpu / bare:5.2f}×   (goal ≤ {goal * factor:g} {unit.strip()})"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
