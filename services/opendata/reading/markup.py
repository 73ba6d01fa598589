"""XML: what it is by its outermost element, and its words line by line. No document types, no entities, at flat memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.parsers import expat

from libs.common.errors import Invalid

KINDS = {
    ("http://www.opengis.net/kml/2.2", "kml"): ("KML", "application/vnd.google-earth.kml+xml"),
    ("http://earth.google.com/kml/2.2", "kml"): ("KML", "application/vnd.google-earth.kml+xml"),
    ("http://earth.google.com/kml/2.1", "kml"): ("KML", "application/vnd.google-earth.kml+xml"),
    ("http://earth.google.com/kml/2.0", "kml"): ("KML", "application/vnd.google-earth.kml+xml"),
    ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "RDF"): ("RDF", "application/rdf+xml"),
}
GML = "http://www.opengis.net/gml"
RUN_BY_BROWSERS = ("http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg", "http://www.w3.org/1999/XSL/Transform")
PLACES = {"Point": "point", "LineString": "line", "Polygon": "area"}
"""KML's geometries that have coordinates of their own; several of a place stand in a MultiGeometry."""
PIECE = 64 * 1024
DAMAGED = "XMLとして読めません。"


def kind_of(path: Path) -> tuple[str, str]:
    """(format, media type). Reads the whole file: what is broken at its end is told before it is published. Invalid `damaged`,
    `not-published` for what a browser would run."""
    told: list[str] = []
    spaces: set[str] = set()
    with path.open("rb") as file:
        parser = _parser()
        parser.StartElementHandler = lambda name, _attributes: told.append(name) if not told else None
        parser.StartNamespaceDeclHandler = lambda _prefix, uri: spaces.add(uri or "")
        _parse(parser, file)
    space, _, root = told[0].rpartition("\n")
    if space in RUN_BY_BROWSERS or root.lower() in ("html", "svg"):
        raise Invalid("ウェブページやSVGは公開できません。PDFか画像にしてください。", code="not-published")
    if (space, root) in KINDS:
        return KINDS[space, root]
    if any(each.startswith(GML) for each in spaces):
        return "GML", "application/gml+xml"
    return "XML", "application/xml"


def places(content: bytes) -> Iterator[tuple[str, str, list[str]]]:
    """Each geometry of a KML: the name of its Placemark, its kind (point, line, area), the coordinates of each of its lines as written."""
    found: list[tuple[str, str, list[str]]] = []
    above: list[str] = []
    pieces: list[str] = []
    named = [""]
    parser = _parser()

    def start(name: str, _attributes: dict[str, str]) -> None:
        above.append(name.rpartition("\n")[2])
        pieces.clear()
        if above[-1] in PLACES:
            found.append((named[0], PLACES[above[-1]], []))
        elif above[-1] == "Placemark":
            named[0] = ""

    def end(_name: str) -> None:
        here = above.pop()
        if here == "coordinates" and found:
            found[-1][2].append("".join(pieces))
        elif here == "name" and above[-1:] == ["Placemark"]:
            named[0] = "".join(pieces).strip()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = pieces.append
    _feed(parser, content, last=True)
    return iter(found)


def words(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        yield from words_in(file)


def words_in(file: IO[bytes], ends: frozenset[str] = frozenset()) -> Iterator[str]:
    """What stands in each element and its attributes. `ends`: elements (without their namespace) of which all words within make one piece
    (a paragraph of Word is cut into runs); none named: every element is its own."""
    found: list[str] = []
    pieces: list[str] = []
    parser = _parser()

    def start(_name: str, attributes: dict[str, str]) -> None:
        found.extend(attributes.values())
        parser.CharacterDataHandler = pieces.append

    def end(name: str) -> None:
        if not ends or name.rpartition("\n")[2] in ends:
            found.append("".join(pieces).strip())
            pieces.clear()

    parser.StartElementHandler = start if not ends else lambda *_: None
    parser.CharacterDataHandler = pieces.append
    parser.EndElementHandler = end
    while block := file.read(PIECE):
        _feed(parser, block, last=False)
        yield from filter(None, found)
        found.clear()
    _feed(parser, b"", last=True)
    yield from filter(None, [*found, "".join(pieces).strip()])


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator="\n")
    parser.StartDoctypeDeclHandler = _refuse
    return parser


def _refuse(*_: object) -> None:
    raise Invalid("文書型（DOCTYPE）のあるXMLは受け取れません。外して送り直してください。", code="not-published")


def _parse(parser: expat.XMLParserType, file: IO[bytes]) -> None:
    while block := file.read(PIECE):
        _feed(parser, block, last=False)
    _feed(parser, b"", last=True)


def _feed(parser: expat.XMLParserType, block: bytes, *, last: bool) -> None:
    try:
        parser.Parse(block, last)
    except (expat.ExpatError, ValueError) as error:
        line = getattr(error, "lineno", 0)
        raise Invalid(f"{DAMAGED}（{line}行目）" if line else DAMAGED, code="damaged") from error
