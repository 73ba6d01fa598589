"""The catalogue of events is what the code sends: page and schemas are up to date, and a breaking change is refused."""

import json
from pathlib import Path

import pytest

from libs.common import events, schemas
from libs.common.events import Event
from services import event_docs


class Sold(Event, type="shop.thing.sold.v1"):
    """Somebody bought something."""

    thing_id: str
    price: int


def test_the_page_and_the_schemas_are_those_of_the_code() -> None:
    readers = event_docs._load()
    classes = [events.registry[name] for name in sorted(events.registry) if event_docs._is_ours(events.registry[name])]
    assert classes, "no event at all would make this test worthless"
    for event_class in classes:
        path = schemas.FOLDER / f"{event_class.type}.json"
        assert path.is_file(), f"{event_class.type} has no schema: run `python -m services events`"
        assert json.loads(path.read_text("utf-8")) == schemas.schema_of(event_class), f"{event_class.type} changed"
    assert event_docs.PAGE.read_text("utf-8") == event_docs.page(classes, readers)
    strangers = {p.stem for p in schemas.FOLDER.glob("*.json")} - {c.type for c in classes}
    assert not strangers, f"schemas of events nobody sends: {strangers}"


def test_every_event_that_is_read_is_sent_by_somebody() -> None:
    readers = event_docs._load()
    unknown = {name for name in readers if name not in events.registry}
    assert not unknown, f"readers wait for events that no class sends: {unknown}"


class _Renamed(Event):
    thing: str
    price: int


class _Retyped(Event):
    thing_id: str
    price: str


class _MadeOptional(Event):
    thing_id: str
    price: int | None = None


class _Extended(Event):
    thing_id: str
    price: int
    note: str | None = None


@pytest.mark.parametrize(
    ("changed", "refused"), [(_Renamed, True), (_Retyped, True), (_MadeOptional, True), (_Extended, False)]
)
def test_a_change_that_would_break_a_reader_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: type[Event], refused: bool
) -> None:
    assert schemas.publish([Sold], tmp_path) == []
    before = (tmp_path / "shop.thing.sold.v1.json").read_text("utf-8")

    monkeypatch.setattr(changed, "type", Sold.type, raising=False)  # the same type, as a later release would have it
    problems = schemas.publish([changed], tmp_path)
    assert bool(problems) is refused
    if refused:
        assert (tmp_path / "shop.thing.sold.v1.json").read_text("utf-8") == before
