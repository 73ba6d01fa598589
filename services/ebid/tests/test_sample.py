"""The sample prefecture's tenders: at every stage, once, openable with the keys that are handed out."""

import json

from libs.common.service import Service
from libs.common.testing.service import Issuers
from services.ebid import sample
from services.ebid.sealing import trustee
from services.ebid.tests.people import Town, visible

PASSPHRASE = "a phrase for samples"


def test_the_sample_has_a_tender_at_each_stage_and_is_loaded_once(service: Service, issuers: Issuers):
    town = sample.Town("402036", "402036", "久留米市")
    people = [(f"company-{number}", "社員") for number in (1, 2)]
    keys = [(f"key-{number}", f"かぎ{number}") for number in (1, 2, 3)]
    for _ in range(2):
        sample.load(
            service, town, ("officer", "担当"), ("manager", "課長"), keys, people, PASSPHRASE, say=lambda text: None
        )
    seen = Town(service, issuers, "402036")
    page = seen.officer.get("desk/").text
    assert page.count("/desk/tenders/") == 9
    for words in ("受付中", "開封中", "審査中", "結果公表", "取止め", "承認待ち", "作成中"):
        assert words in visible(page), words
    locked = json.loads((service.data_dir / "sample-trustee-1.json").read_text())
    assert trustee.public_of(trustee.unlock(locked, PASSPHRASE)) == locked["public"]
