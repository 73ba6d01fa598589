"""A download that broke off goes on where it was, and counts once; what several people count stays true under tricks."""

import pytest

from services.opendata.tests.people import BROWSER, Town
from services.opendata.tests.test_use_is_counted import seen

pytestmark = pytest.mark.any_store

CONTENT = "番号,町名\n" + "".join(f"{n},大木\n" for n in range(500))


@pytest.fixture
def file(town: Town) -> tuple[str, str, bytes]:
    """(data set, address, bytes)"""
    dataset = town.publish(CONTENT.encode(), "numbers.csv", title="数の表")
    address = (
        town.visitor().result("package_show", id=dataset)["resources"][0]["url"].removeprefix("http://127.0.0.1:8080")
    )
    return dataset, address, town.visitor().get(address, page=False, headers={"User-Agent": "curl/8"}).content


def part(town: Town, address: str, said: str, who: str = "one", **headers: str):
    return town.visitor(who).get(address, page=False, headers={"Range": said, **headers})


def test_a_part_of_a_file_is_sent_as_the_standard_says(town: Town, file):
    _, address, whole = file
    size = len(whole)
    for said, start, end in (
        ("bytes=0-99", 0, 100), ("bytes=100-", 100, size), ("bytes=-7", size - 7, size), (f"bytes=-{size * 2}", 0, size),
        (f"bytes=10-{size * 9}", 10, size), (f"bytes={size - 1}-", size - 1, size), ("bytes=5-5", 5, 6),
    ):  # fmt: skip
        answer = part(town, address, said)
        assert (answer.status_code, answer.content) == (206, whole[start:end]), said
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["content-length"] == str(end - start)
    for said in (f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=-0"):
        answer = part(town, address, said)
        assert (answer.status_code, answer.content) == (416, b""), said
        assert answer.headers["content-range"] == f"bytes */{size}"
    for said in (
        "bytes=0-1,5-6",
        "bytes=a-b",
        "lines=0-5",
        "bytes=-",
        "bytes=" + "9" * 40 + "-",
    ):
        answer = part(town, address, said)
        assert (answer.status_code, answer.content) == (200, whole), said
    assert answer.headers["accept-ranges"] == "bytes"


def test_a_broken_download_joins_the_same_version_only(town: Town, file):
    dataset, address, whole = file
    etag = part(town, address, "bytes=0-99").headers["etag"]
    rest = part(town, address, "bytes=100-", **{"If-Range": etag})
    assert (rest.status_code, rest.content) == (206, whole[100:])
    for other in (f"W/{etag}", '"another"', "Fri, 27 Nov 2026 00:00:00 GMT"):
        answer = part(town, address, "bytes=100-", **{"If-Range": other})
        assert (answer.status_code, answer.content) == (200, whole), other
    assert part(town, address, "bytes=100-", **{"If-None-Match": etag}).status_code == 304
    staff, resource = town.staff(), town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    draft = staff.send(CONTENT.replace("大木", "大角").encode(), "numbers.csv", dataset=dataset, resource=resource)
    assert staff.publish(draft).status_code == 303
    answer = part(town, address, "bytes=100-", **{"If-Range": etag})
    assert answer.status_code == 200 and "大角" in answer.text, "two versions are never mixed"


def test_a_download_in_parts_counts_once_and_a_look_at_the_head_never(town: Town, file):
    dataset, address, whole = file
    for start in range(0, len(whole), 1000):
        part(town, address, f"bytes={start}-{start + 999}")
        town.service.clock.advance(seconds=40)
    assert seen(town, dataset) == {"download": 1}
    head = town.visitor("two").client.head(
        address, headers=town.visitor("two")._headers(False) | {"Range": "bytes=0-1"}
    )
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(whole)), b"")
    part(town, address, f"bytes={len(whole)}-", "three")
    assert seen(town, dataset) == {"download": 1}
    part(town, address, "bytes=0-1,4-5", "four")
    assert seen(town, dataset) == {"download": 2}, "it got the whole file"


def test_ten_thousand_views_from_one_address_without_a_cookie_are_one(town: Town):
    dataset = town.publish()
    uses, now = town.app.state.uses, town.service.clock.now()
    counted = sum(uses.note("view", f"203.0.113.7 {BROWSER}", BROWSER, dataset, "", now) for _ in range(10_000))
    assert counted == 1 and seen(town, dataset) == {"view": 1}
