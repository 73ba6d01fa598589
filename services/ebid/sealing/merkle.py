"""The append-only log: Merkle tree hashing, inclusion and consistency proofs of RFC 9162, section 2.1.

The tree is kept as the hashes of its complete subtrees, by (level, index): level 0 are leaf hashes, node (l, i) covers leaves
i·2ˡ to (i+1)·2ˡ−1. Appending and proving read and write O(log n) of them; a store is a table with those three columns.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

Place = tuple[int, int]
Read = Callable[[Sequence[Place]], Mapping[Place, bytes]]
"""Reads the named complete subtrees at once; all of them exist."""
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\1" + left + right).digest()


def append(read: Read, size: int, leaves: Iterable[bytes]) -> dict[Place, bytes]:
    """The new complete subtrees when leaf data follow a tree of `size` leaves: about two per leaf, to be stored with them.

    Reads at most log₂(size) nodes, once.
    """
    edge = dict(read(subtrees(0, size)))
    made: dict[Place, bytes] = {}
    for index, data in enumerate(leaves, size):
        level, value = 0, leaf_hash(data)
        made[level, index] = value
        while index >> level & 1:
            left = (level, (index >> level) - 1)
            value = node_hash(made.get(left) or edge[left], value)
            level += 1
            made[level, index >> level] = value
    return made


def subtrees(begin: int, end: int) -> list[Place]:
    """The complete subtrees that cover the leaves begin…end−1, from left to right; `begin` is a multiple of the first's width."""
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def fold(values: Sequence[bytes]) -> bytes:
    """The hash over complete subtrees of falling width: MTH of the range they cover."""
    total = values[-1]
    for value in reversed(values[:-1]):
        total = node_hash(value, total)
    return total


def root(read: Read, size: int) -> bytes:
    """MTH of the first `size` leaves, 32 bytes."""
    if not size:
        return EMPTY_ROOT
    places = subtrees(0, size)
    nodes = read(places)
    return fold([nodes[place] for place in places])


def inclusion_proof(read: Read, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]): from the leaf upwards. Raises IndexError unless 0 ≤ index < size."""
    return inclusion_proofs(read, [index], size)[index]


def inclusion_proofs(read: Read, indexes: Iterable[int], size: int) -> dict[int, list[bytes]]:
    """The same of many leaves by one read: what their paths share is read and hashed once."""
    paths = {}
    for index in indexes:
        if not 0 <= index < size:
            raise IndexError(f"leaf {index} is not in a tree of {size}")
        paths[index] = _path(index, 0, size)
    spans = list({span for path in paths.values() for span in path})
    values = dict(zip(spans, _fetch(read, spans), strict=True))
    return {index: [values[span] for span in path] for index, path in paths.items()}


def _path(index: int, begin: int, end: int) -> list[tuple[int, int]]:
    """The ranges of leaves beside the way from the leaf up to the root."""
    spans = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((begin, middle))
            begin = middle
    return spans[::-1]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _fetch(read: Read, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    groups = [subtrees(begin, end) for begin, end in spans]
    nodes = read([place for group in groups for place in group])
    return [fold([nodes[place] for place in group]) for group in groups]


def consistency_proof(read: Read, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[new]). Empty when old is 0 or new. Raises IndexError unless 0 ≤ old ≤ new."""
    if not 0 <= old <= new:
        raise IndexError(f"a tree of {new} never had {old} leaves")
    if old in {0, new}:
        return []
    spans, begin, end, whole = [], 0, new, True
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((begin, middle))
            begin, whole = middle, False
    if not whole:
        spans.append((begin, end))
    return _fetch(read, spans[::-1])


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_: bytes) -> bool:
    """RFC 9162, 2.1.3.2. `leaf` is the leaf's hash."""
    if not 0 <= index < size:
        return False
    fn, sn, value = index, size - 1, leaf
    for step in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            value = node_hash(step, value)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            value = node_hash(value, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and value == root_


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162, 2.1.4.2; an empty old tree is consistent with everything."""
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if old == new:
        return not proof and old_root == new_root
    if not 0 < old < new or not proof:
        return False
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = node_hash(step, first), node_hash(step, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root
