"""Envelopes: k of n trustees open, fewer do not, every k alike; a wrong share is named; a badly made envelope is 無効 for all."""

import copy
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import Invalid
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope, hpke, making, schedule, shamir, trustee
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.sealing.envelope import Envelope, Header, NotEnough, open_envelope, open_share, seal
from services.ebid.verify import aes, curve

KEYS = [trustee.generate() for _ in range(5)]
HEADER = Header("bid", "0197a000-0000-7000-8000-000000000001", 1, "0197b000-0000-7000-8000-0000000000aa", "5e" * 32, 3,
                tuple(trustee.public_of(key) for key in KEYS))  # fmt: skip
RFC9180 = {
    name: bytes.fromhex(text)
    for name, text in json.loads((Path(__file__).parent / "vectors" / "rfc9180-a1.json").read_text()).items()
    if name != "source"
}


def sealed(amount: int = 9_200_000, number: str = "418") -> Envelope:
    return seal(bid_payload(amount, number), HEADER)


def shares_of(made: Envelope, *places: int) -> dict[int, bytes | None]:
    return {place: open_share(made, place, KEYS[place - 1]) for place in places or range(1, 6)}


def hand_made(**changed: Any) -> Envelope:
    """An envelope by somebody who does not follow the protocol: `seal` with parts exchanged."""
    return {**sealed(), **changed}


# ---- k of n


def test_every_three_of_five_open_alike() -> None:
    made = sealed()
    shares = shares_of(made)
    opened = [open_envelope(made, dict(three)) for three in itertools.combinations(shares.items(), 3)]
    assert len(opened) == 10 and all(one == opened[0] for one in opened)
    assert opened[0].payload is not None and opened[0].payload["amount"] == 9_200_000


@pytest.mark.parametrize("places", [(), (1,), (2, 5)])
def test_fewer_than_three_do_not(places: tuple[int, ...]) -> None:
    made = sealed()
    with pytest.raises(NotEnough) as refused:
        open_envelope(made, {place: shares_of(made)[place] for place in places})
    assert refused.value.right == places


def test_two_shares_say_nothing_about_the_seed() -> None:
    """For two shares every value of a third one is possible: joining them with a wrong third never gives the committed seed."""
    made = sealed()
    bound = canonical(made["head"])
    two = {place: value for place, value in shares_of(made, 1, 2).items() if value is not None}
    guesses = [shamir.join({**two, 3: bytes([guess]) * 32}) for guess in range(256)]
    assert len(set(guesses)) == 256
    assert made["seed_commit"] not in {making.seed_commit(guess, bound).hex() for guess in guesses}


@given(st.integers(1, 5), st.integers(0, 4), st.binary(min_size=32, max_size=32))
@settings(deadline=None, max_examples=25)
def test_any_threshold_works(threshold: int, more: int, secret: bytes) -> None:
    coefficients = [tagged("test", bytes([power])) for power in range(1, threshold)]
    shares = {place: shamir.share(secret, coefficients, place) for place in range(1, threshold + more + 1)}
    for chosen in itertools.combinations(shares.items(), threshold):
        assert shamir.join(dict(chosen)) == secret


def test_the_field_is_that_of_aes() -> None:
    """FIPS 197, 4.2: {57}·{83} = {c1}, {57}·{13} = {fe}."""
    assert (shamir.times(0x57, 0x83), shamir.times(0x57, 0x13)) == (0xC1, 0xFE)
    assert all(shamir.times(value, shamir.inverse(value)) == 1 for value in range(1, 256))


# ---- trustees who err or cheat


def test_a_wrong_share_is_named_and_does_not_hinder_the_others() -> None:
    made = sealed()
    shares = {**shares_of(made), 2: b"\1" * 32, 4: None}
    opened = open_envelope(made, shares)
    assert opened.wrong == (2, 4) and opened.payload is not None
    with pytest.raises(NotEnough) as refused:
        open_envelope(made, {place: shares[place] for place in (1, 2, 3)})
    assert (refused.value.wrong, refused.value.right) == ((2,), (1, 3))


def test_a_share_of_another_bid_or_another_place_is_wrong() -> None:
    made, other = sealed(), sealed()
    mixed = {**shares_of(made, 1, 2), 3: open_share(other, 3, KEYS[2])}
    with pytest.raises(NotEnough) as refused:
        open_envelope(made, mixed)
    assert refused.value.wrong == (3,)
    swapped = {1: open_share(made, 2, KEYS[1]), 2: open_share(made, 1, KEYS[0]), 3: None, 99: b"\0" * 32}
    with pytest.raises(NotEnough):
        open_envelope(made, swapped)


def test_another_trustee_s_key_opens_nothing() -> None:
    assert open_share(sealed(), 1, KEYS[1]) is None


# ---- bidders who do not follow the protocol


def broken_envelopes() -> dict[str, Envelope]:
    good, other = sealed(), sealed()
    bound = canonical(HEADER.document())
    junk = copy.deepcopy(good)
    junk["shares"][4]["sealed"] = other["shares"][4]["sealed"]
    lying = copy.deepcopy(good)
    lying["shares"][4]["commit"] = making.share_commit(b"\7" * 32, bound, 5).hex()
    return {
        "a share sealed for nobody": junk,
        "a commitment to another share": lying,
        "a commitment to another content": {**good, "content_commit": "00" * 32},
        "a content that does not decrypt": {**good, "content": other["content"]},
        "a commitment to another seed": {**good, "seed_commit": other["seed_commit"]},
        "no payload": making.make(b"s" * 32, b"[]".ljust(512), HEADER.document(), hpke.PRIMITIVES),
        "nothing but brackets": making.make(b"s" * 32, b"[" * 512, HEADER.document(), hpke.PRIMITIVES),
        "no blind": making.make(b"s" * 32, b'{"amount":1}'.ljust(512), HEADER.document(), hpke.PRIMITIVES),
    }


@pytest.mark.parametrize("name", list(broken_envelopes()))
def test_a_badly_made_envelope_is_invalid_for_every_set_of_trustees(name: str) -> None:
    made = broken_envelopes()[name]
    shares = shares_of(made)
    enough = [
        three
        for three in itertools.combinations(shares.items(), 3)
        if sum(value is not None for _, value in three) == 3
    ]
    found = [open_envelope(made, dict(three)) for three in enough]
    assert len(found) >= 4  # those with an unopenable share ask for another trustee instead
    assert all(one.payload is None and one.invalid and one.invalid == found[0].invalid for one in found)


def test_a_trustee_who_could_not_open_a_badly_sealed_share_is_not_blamed() -> None:
    made = broken_envelopes()["a share sealed for nobody"]
    assert open_envelope(made, shares_of(made)).wrong == ()


# ---- what an envelope is bound to


@pytest.mark.parametrize(
    "changed",
    [{"tender": "0197a000-0000-7000-8000-000000000002"}, {"round": 2}, {"bidder": "x"}, {"terms": "00" * 32}, {"threshold": 2},
     {"trustees": HEADER.trustees[::-1]}, {"purpose": "limits"}],
)  # fmt: skip
def test_an_envelope_moved_elsewhere_is_refused_and_does_not_open(changed: dict[str, Any]) -> None:
    made = sealed()
    other = Header(**{**{name: getattr(HEADER, name) for name in HEADER.__slots__}, **changed})
    with pytest.raises(Invalid):
        envelope.check_form(made, other)
    moved = {**made, "head": other.document()}
    assert set(shares_of(moved).values()) == {None}


MALFORMED: list[Any] = [
    None, [], "x", 1, {}, {"head": {}}, {**sealed(), "more": 1}, {**sealed(), "content": "zz"}, {**sealed(), "content": "A" * 1056},
    {**sealed(), "shares": []}, {**sealed(), "shares": sealed()["shares"][:4]}, {**sealed(), "shares": [None] * 5},
    {**sealed(), "shares": [{"commit": "00" * 32, "sealed": "00"}] * 5}, {**sealed(), "seed_commit": 5},
    {**sealed(), "head": None}, {**sealed(), "head": {**HEADER.document(), "v": True}},
    {**sealed(), "head": {**HEADER.document(), "round": "1"}},
]  # fmt: skip


@pytest.mark.parametrize("document", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_envelope_is_refused_on_arrival(document: Any) -> None:
    with pytest.raises(Invalid):
        envelope.check_form(document, HEADER)
    assert envelope.check_form(json.loads(json.dumps(sealed())), HEADER)


# ---- what an envelope shows


def test_every_envelope_of_a_tender_has_the_same_length() -> None:
    lengths = {len(canonical(sealed(amount, number))) for amount, number in ((1, "000"), (999_999_999_999, "999"))}
    assert len(lengths) == 1


def test_no_amount_can_be_found_in_an_envelope() -> None:
    """The check first finds an amount that is planted."""

    def holds(document: Mapping[str, Any]) -> bool:
        text = canonical(dict(document))
        forms = (b"9200123", b"9200123".hex().encode(), (9200123).to_bytes(4, "big").hex().encode())
        return any(form in text for form in forms)

    assert holds({"content": b"9200123".hex()})
    assert not holds(sealed(9_200_123))


def test_the_same_bid_sealed_twice_has_nothing_in_common() -> None:
    first, second = sealed(), sealed()
    assert not {first[part] for part in ("content", "seed_commit", "content_commit")} & {
        second[part] for part in ("content", "seed_commit", "content_commit")
    }


def test_a_payload_that_is_too_long_is_refused_not_cut() -> None:
    with pytest.raises(Invalid):
        seal({"note": "x" * 512}, HEADER)


# ---- the primitives against their standards


def test_hpke_gives_the_vectors_of_rfc_9180_a_1() -> None:
    vector = RFC9180
    exchanged = hpke.PRIMITIVES.exchange(vector["skEm"], vector["pkRm"])
    shared = schedule.shared_secret(exchanged, vector["enc"], vector["pkRm"])
    assert shared == vector["shared_secret"]
    key, nonce = schedule.key_and_nonce(shared, vector["info"])
    assert (key, nonce) == (vector["key"], vector["base_nonce"])
    assert hpke.PRIMITIVES.encrypt(key, nonce, vector["pt"], vector["aad"]) == vector["ct"]
    message = making.seal_to(hpke.PRIMITIVES, vector["pkRm"], b"share", vector["info"], vector["skEm"])
    assert hpke.open_(message, vector["skRm"], vector["info"]) == b"share"
    with pytest.raises(InvalidTag):
        hpke.open_(message, vector["skRm"], b"other")


@given(
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=70),
    st.binary(max_size=40),
)
@settings(deadline=None, max_examples=15)
def test_the_verifier_s_plain_primitives_are_the_library_s(
    one: bytes, two: bytes, message: bytes, bound: bytes
) -> None:
    plain = aes.Plain()
    public = hpke.PRIMITIVES.public(two)
    assert plain.public(two) == public
    assert plain.exchange(one, public) == hpke.PRIMITIVES.exchange(one, public)
    for key in (one, one[:16]):
        assert plain.encrypt(key, two[:12], message, bound) == hpke.PRIMITIVES.encrypt(key, two[:12], message, bound)


def test_plain_ed25519_gives_the_vector_of_rfc_8032_and_refuses_what_is_none() -> None:
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert curve.check(public, b"\x72", signature)
    high = (int.from_bytes(signature[32:], "little") + curve.ORDER).to_bytes(32, "little")
    for message, wrong in (
        (b"\x73", signature),
        (b"\x72", signature[:32] + high),
        (b"\x72", b"\xff" * 64),
        (b"\x72", b""),
    ):
        assert not curve.check(public, message, wrong)
    assert not curve.check(b"\xff" * 32, b"\x72", signature)


# ---- trustees' keys


def test_a_key_file_opens_with_its_words_only() -> None:
    key = trustee.generate()
    locked = json.loads(json.dumps(trustee.lock(key, "correct horse battery", iterations=1000)))
    assert trustee.unlock(locked, "correct horse battery") == key
    assert key.hex() not in json.dumps(locked)
    for document, words in (
        (locked, "incorrect horse battery"), ({**locked, "public": trustee.public_of(KEYS[0])}, "correct horse battery"),
        ({**locked, "sealed": "00"}, "correct horse battery"), ({}, "x"), ({**locked, "iterations": 10**12}, "x"),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            trustee.unlock(document, words)
    with pytest.raises(Invalid):
        trustee.lock(key, "too short")


def test_a_fingerprint_is_read_out_by_telephone() -> None:
    prints = {trustee.fingerprint(trustee.public_of(key)) for key in KEYS}
    assert len(prints) == 5 and all(len(text) == 24 and text.replace(" ", "").isdigit() for text in prints)
