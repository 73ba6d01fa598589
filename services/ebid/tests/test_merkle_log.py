"""The log: hashing, proofs, checkpoints and receipts of RFC 9162 and C2SP."""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ebid.sealing import merkle, note, signing
from services.ebid.sealing.merkle import Place, leaf_hash, node_hash
from services.ebid.verify import curve

CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The reference roots of Certificate Transparency's test data (RFC 6962 hashing, unchanged in RFC 9162)."""
SIGNER = signing.signer_of("log.example/ebid", bytes(range(32)))
AT = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)


class Tree:
    """A log in memory that counts what is read."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.nodes: dict[Place, bytes] = {}
        self.size = self.reads = 0
        for leaf in leaves:
            self.append([leaf])

    def read(self, places: Sequence[Place]) -> dict[Place, bytes]:
        self.reads += len(places)
        return {place: self.nodes[place] for place in places}

    def append(self, leaves: Sequence[bytes]) -> None:
        self.nodes.update(merkle.append(self.read, self.size, leaves))
        self.size += len(leaves)


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    tree = Tree([bytes.fromhex(leaf) for leaf in CT_LEAVES[:size]])
    assert merkle.root(tree.read, size).hex() == CT_ROOTS[size - 1]


LEAVES = [bytes([number, 7]) for number in range(150)]
TREE = Tree(LEAVES)
ROOTS = [by_definition(LEAVES[:size]) for size in range(151)]


@given(st.integers(1, 150), st.data())
@settings(deadline=None)
def test_every_leaf_is_provably_in_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(TREE.read, index, size)
    good = leaf_hash(LEAVES[index])
    assert merkle.root(TREE.read, size) == ROOTS[size]
    assert merkle.verify_inclusion(good, index, size, proof, ROOTS[size])
    assert not merkle.verify_inclusion(leaf_hash(b"other"), index, size, proof, ROOTS[size])
    assert not merkle.verify_inclusion(good, index, size, [*proof, bytes(32)], ROOTS[size])
    assert not merkle.verify_inclusion(good, index, size, proof, bytes(32))
    assert not merkle.verify_inclusion(good, size, size, proof, ROOTS[size])
    if proof:
        assert not merkle.verify_inclusion(good, index, size, proof[:-1], ROOTS[size])
        assert not merkle.verify_inclusion(good, index ^ 1, size, proof, ROOTS[size])


@given(st.integers(0, 150), st.integers(0, 150))
@settings(deadline=None)
def test_a_longer_log_provably_begins_with_the_shorter(one: int, other: int) -> None:
    old, new = sorted((one, other))
    proof = merkle.consistency_proof(TREE.read, old, new)
    assert merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)
    rewritten = by_definition([b"rewritten", *LEAVES[1:new]]) if new else bytes(32)
    if old:
        assert not merkle.verify_consistency(old, new, ROOTS[old], rewritten, proof)
        assert not merkle.verify_consistency(old, new, rewritten, ROOTS[new], proof)
    assert not merkle.verify_consistency(old, new, ROOTS[old], ROOTS[new], [*proof, bytes(32)])


def test_many_leaves_at_once_are_the_same_as_one_by_one() -> None:
    tree = Tree()
    for size in (1, 2, 5, 13, 60, 69):
        tree.append(LEAVES[tree.size : tree.size + size])
    assert tree.nodes == TREE.nodes


def test_positions_outside_the_log_are_refused() -> None:
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(IndexError):
            merkle.inclusion_proof(TREE.read, index, size)
    with pytest.raises(IndexError):
        merkle.consistency_proof(TREE.read, 6, 5)


def test_an_entry_costs_a_few_nodes_however_long_the_log_is() -> None:
    """2 nodes written on average, at most log₂ n read, for a proof too (tests/bench/ebid.py has the times, of a million)."""
    size = 100_003
    tree = Tree()
    tree.append([number.to_bytes(4, "big") for number in range(size)])
    assert len(tree.nodes) < 2 * size
    tree.reads = 0
    tree.append([b"one more"])
    assert tree.reads <= 17
    tree.reads = 0
    proof = merkle.inclusion_proof(tree.read, 65_432, size)
    assert tree.reads <= 2 * 17
    leaf = leaf_hash((65_432).to_bytes(4, "big"))
    assert merkle.verify_inclusion(leaf, 65_432, size, proof, merkle.root(tree.read, size))


# ---- checkpoints and receipts


@pytest.fixture(params=[signing.check, curve.check], ids=["library", "plain"])
def check(request: pytest.FixtureRequest) -> note.Check:
    return request.param


def a_note() -> str:
    return note.signed_note(note.Checkpoint(SIGNER.origin, 7, bytes(range(32)), AT), SIGNER.public, SIGNER.sign)


def test_a_checkpoint_is_a_c2sp_signed_note(check: note.Check) -> None:
    lines = a_note().split("\n")
    assert lines[:3] == ["log.example/ebid", "7", base64.b64encode(bytes(range(32))).decode()]
    assert lines[3:5] == ["time 2026-07-01T08:00:00.000000Z", ""]
    assert lines[5].startswith("— log.example/ebid ") and lines[6:] == [""]
    state = note.open_note(a_note(), SIGNER.origin, SIGNER.public, check)
    assert (state.size, state.root, state.at) == (7, bytes(range(32)), AT)


@pytest.mark.parametrize(
    "change",
    [("\n7\n", "\n8\n"), ("08:00:00", "08:00:01"), ("log.example/ebid\n7", "log.example/other\n7"), ("— log", "- log"),
     ("\n\n", "\n")],
)  # fmt: skip
def test_a_changed_checkpoint_is_refused(change: tuple[str, str], check: note.Check) -> None:
    with pytest.raises(note.BadNote):
        note.open_note(a_note().replace(*change), SIGNER.origin, SIGNER.public, check)


def test_a_witness_signs_beside_the_log(check: note.Check) -> None:
    witness = signing.signer_of("witness.example", bytes(reversed(range(32))))
    both = note.cosign(a_note(), witness.origin, witness.public, witness.sign)
    for signer in (SIGNER, witness):
        assert note.open_note(both, signer.origin, signer.public, check).size == 7
    with pytest.raises(note.BadNote):
        note.open_note(a_note(), witness.origin, witness.public, check)


def test_a_receipt_is_worth_something_years_later(check: note.Check) -> None:
    entry, salt = note.entry("bid", AT, "ab" * 32), secrets.token_bytes(32)
    receipt = note.receipt(entry, salt, 41, SIGNER.origin, SIGNER.public, SIGNER.sign)
    note.check_receipt(receipt, SIGNER.public, check)
    for changed in (
        {**receipt, "index": 42}, {**receipt, "entry": {**entry, "at": note.stamp(datetime(2026, 7, 2, tzinfo=UTC))}},
        {**receipt, "salt": "00" * 32}, {**receipt, "more": 1}, {**receipt, "signature": "zz"}, {"key": SIGNER.public.hex()},
    ):  # fmt: skip
        with pytest.raises(note.BadNote):
            note.check_receipt(changed, SIGNER.public, check)
    with pytest.raises(note.BadNote):
        note.check_receipt(receipt, bytes(32), check)


def test_a_leaf_tells_nothing_without_its_salt() -> None:
    entry = note.entry("bid", AT, "ab" * 32)
    assert note.leaf_data(entry, b"1" * 32) != note.leaf_data(entry, b"2" * 32)


def test_proofs_of_many_leaves_are_read_at_once_and_are_those_of_each():
    tree = Tree([bytes([number]) for number in range(200)])
    tree.reads = 0
    many = merkle.inclusion_proofs(tree.read, range(64, 128), 193)
    assert tree.reads < 64 + 64 + 20, "what paths share is read once"
    assert many == {index: merkle.inclusion_proof(tree.read, index, 193) for index in range(64, 128)}
    with pytest.raises(IndexError):
        merkle.inclusion_proofs(tree.read, [0, 193], 193)
