"""A clerk publishes what is no table: maps, timetables, documents, pictures. As they were sent, told apart by what they hold."""

import io
import json
import re
import struct
import zipfile
from urllib.parse import unquote

import pytest
from PIL import Image

from services.opendata.db import published
from services.opendata.domain.quality import quality_of
from services.opendata.tests.people import AED, Town, visible

POINTS = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [130.4398, 33.2101]}, "properties": {"名称": "役場", "段": 3}},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [130.4412, 33.2115]}, "properties": {"名称": "図書館"}},
    ],
}  # fmt: skip
KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>大木町役場</name>
<Point><coordinates>130.4398,33.2101</coordinates></Point></Placemark></Document></kml>"""
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def packed(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            package.writestr(name, content)
    return out.getvalue()


def timetable(**more: str) -> bytes:
    names = ("agency", "stops", "routes", "trips", "stop_times", "calendar")
    return packed({f"{name}.txt": f"{name}_id\r\n1\r\n" for name in names} | {f"{k}.txt": v for k, v in more.items()})


def word(text: str, **parts: str) -> bytes:
    runs = "".join(f"<w:r><w:t>{letter}</w:t></w:r>" for letter in text)  # Word cuts a paragraph wherever it likes
    body = f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body><w:p>{runs}</w:p></w:body></w:document>'
    return packed({"[Content_Types].xml": "<Types/>", "word/document.xml": body} | parts)


def attributes(*names: str) -> bytes:
    """A dBASE table of one column 名称, in Shift_JIS."""
    field = "名称".encode("cp932").ljust(11, b"\0") + b"C" + b"\0" * 4 + bytes([20, 0]) + b"\0" * 14
    head = b"\x03" + bytes(3) + struct.pack("<IHH", len(names), 32 + 32 + 1, 21) + bytes(20)
    return head + field + b"\r" + b"".join(b" " + name.encode("cp932").ljust(20) for name in names) + b"\x1a"


def picture(form: str, *, taken_at: bool = False) -> bytes:
    out, image = io.BytesIO(), Image.new("RGB", (8, 8))
    exif = image.getexif()
    if taken_at:
        exif.get_ifd(0x8825)[1] = "N"
    image.save(out, form, exif=exif) if form == "JPEG" else image.save(out, form)
    return out.getvalue()


CASES = {
    "map.geojson": (json.dumps(POINTS).encode(), "GEOJSON", 3),
    "list.json": (b'[{"stop": "\xe5\xa4\xa7\xe6\xba\x9d", "n": 1}]', "JSON", 3),
    "map.kml": (KML.encode(), "KML", 3),
    "map.kmz": (packed({"doc.kml": KML}), "KMZ", 3),
    "rules.xml": ("<?xml version='1.0'?><規則><条>第一条</条></規則>".encode(), "XML", 3),
    "bus.zip": (timetable(), "GTFS", 3),
    "shape.zip": (packed({"a.shp": b"\0", "a.shx": b"\0", "a.dbf": attributes("大溝"), "a.prj": "GEOGCS[]"}), "SHP", 2),
    "plan.pdf": (PDF, "PDF", 1),
    "plan.docx": (word("計画"), "DOCX", 1),
    "photo.jpg": (picture("JPEG"), "JPEG", 1),
    "photo.png": (picture("PNG"), "PNG", 1),
    "photo.webp": (picture("WEBP"), "WEBP", 1),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_published_as_it_was_sent_with_the_stars_it_deserves(town: Town, name: str):
    content, form, stars = CASES[name]
    staff = town.staff()
    draft = staff.send(content, name)
    offered = staff.get(draft)
    assert offered.status_code == 200 and "項目：。" not in offered.text
    assert staff.publish(draft).status_code == 303, visible(staff.get(draft).text)
    entry = next(iter(town.service.extras["catalogue"].refresh().entries.values()))
    resource = town.visitor().result("package_show", id=entry.id)["resources"][0]
    assert resource["format"] == form
    sent = town.visitor().get(f"/opendata/datasets/files/{resource['id']}/{name}")
    assert sent.content == content
    with town.service.database.reading() as session:
        assert quality_of(published.get(session, entry.name).document).stars == stars


def test_points_of_a_map_file_are_seen_on_a_map_and_asked_for_as_rows(town: Town):
    name = town.name_of(town.publish(CASES["map.geojson"][0], "避難所.geojson"))
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    page = town.visitor().get(f"/opendata/datasets/{name}/resources/{resource}").text
    assert 'class="map"' in page and "役場" in page
    rows = town.visitor().get(f"/opendata/data/{resource}.json?段=3", page=False).json()["rows"]
    assert [(each["名称"], each["緯度"], each["経度"]) for each in rows] == [("役場", 33.2101, 130.4398)]


WAYS = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[130.40, 33.20], [130.41, 33.21], [130.42, 33.20]]},
         "properties": {"名称": "川沿いの道"}},
        {"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": [
            [[[130.40, 33.20], [130.41, 33.20], [130.41, 33.19], [130.40, 33.20]],
             [[130.405, 33.198], [130.406, 33.198], [130.406, 33.197], [130.405, 33.198]]],
            [[[130.42, 33.20], [130.43, 33.20], [130.43, 33.19], [130.42, 33.20]]]]}, "properties": {"名称": "二つの<池>"}},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [130.40, 33.20]}, "properties": {"名称": "入口"}},
        {"type": "Feature", "geometry": None, "properties": {"名称": "場所なし"}},
    ],
}  # fmt: skip
WAYS_KML = """<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>道と池</name>
<Placemark><name>川沿いの道</name><LineString><coordinates>130.40,33.20,0 130.41,33.21,0
130.42,33.20,0</coordinates></LineString></Placemark>
<Placemark><name>二つの&lt;池&gt;</name><MultiGeometry><Polygon>
<outerBoundaryIs><LinearRing><coordinates>130.40,33.20 130.41,33.20 130.41,33.19
130.40,33.20</coordinates></LinearRing></outerBoundaryIs><innerBoundaryIs><LinearRing><coordinates>130.405,33.198 130.406,33.198
130.406,33.197 130.405,33.198</coordinates></LinearRing></innerBoundaryIs></Polygon></MultiGeometry></Placemark>
<Placemark><name>入口</name><Point><coordinates>130.40,33.20</coordinates></Point></Placemark></Document></kml>"""


@pytest.mark.parametrize(
    ("name", "content", "count"),
    [("散策路.geojson", json.dumps(WAYS).encode(), 3), ("散策路.kml", WAYS_KML.encode(), 3)],
)
def test_lines_and_areas_of_a_map_file_are_drawn_on_its_page(town: Town, name: str, content: bytes, count: int):
    dataset = town.name_of(town.publish(content, name))
    page = town.visitor().get(f"/opendata/datasets/{dataset}").text
    [drawing] = re.findall(r'<svg class="map".*?</svg>', page, re.DOTALL)
    line, area = re.findall(r'<path d="(M[^"]*)" fill="(?:none|#0066be)"[^>]*stroke-width="1.5"', drawing)
    assert line.count("L") == 2 and "Z" not in line
    assert area.count("Z") >= 2, "an island's hole is a ring of its own"
    assert "二つの&lt;池&gt;" in drawing and drawing.count("<circle") == 1
    assert f"{count}個の図形を、北を上にして" in visible(page)


def test_a_map_too_large_for_a_phone_is_drawn_in_part_and_says_so(town: Town):
    ring = [[130 + n / 10_000, 33 + n % 7 / 100] for n in range(8000)]
    shape = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": ring}, "properties": {"名称": "道"}}
    dataset = town.name_of(town.publish(json.dumps({**WAYS, "features": [shape] * 5}).encode(), "散策路.geojson"))
    page = town.visitor().get(f"/opendata/datasets/{dataset}")
    assert page.status_code == 200 and "5個の図形のうち、はじめの2個を" in visible(page.text)
    assert len(page.content) < 500_000


@pytest.mark.parametrize("places", ["-40000,70000", "130.4", "130.4,x"])
def test_a_map_file_whose_places_are_no_degrees_still_has_its_page(town: Town, places: str):
    content = KML.replace("130.4398,33.2101", places).encode()
    page = town.visitor().get(f"/opendata/datasets/{town.name_of(town.publish(content, '散策路.kml'))}")
    assert page.status_code == 200 and 'class="map"' not in page.text


def test_a_collection_of_shapes_that_is_none_still_has_its_page(town: Town):
    odd = {
        "type": "Feature",
        "properties": {"名称": "道"},
        "geometry": {"type": "GeometryCollection", "geometries": [{"geometries": 5}, 7]},
    }
    dataset = town.name_of(town.publish(json.dumps({**WAYS, "features": [odd]}).encode(), "散策路.geojson"))
    assert 'class="map"' not in town.visitor().get(f"/opendata/datasets/{dataset}").text


def test_the_table_within_a_shapefile_is_seen_in_its_own_letters(town: Town):
    name = town.name_of(town.publish(CASES["shape.zip"][0], "校区.zip"))
    resource = town.visitor().result("package_show", id=name)["resources"][0]["id"]
    assert town.visitor().get(f"/opendata/data/{resource}.json", page=False).json()["rows"][0]["名称"] == "大溝"


def test_a_name_that_says_something_else_is_told_and_the_file_goes_out_under_a_right_one(town: Town):
    staff = town.staff()
    draft = staff.send(PDF, "一覧.csv")
    assert "中身はPDFです" in visible(staff.get(draft).text)
    staff.publish(draft)
    entry = next(iter(town.service.extras["catalogue"].refresh().entries.values()))
    assert town.visitor().result("package_show", id=entry.id)["resources"][0]["name"] == "一覧"
    resource = next(iter(town.visitor().result("package_show", id=entry.id)["resources"]))
    sent = town.visitor().get(f"/opendata/datasets/files/{resource['id']}/x")
    assert sent.headers["content-type"] == "application/pdf" and ".csv.pdf" in unquote(
        sent.headers["content-disposition"]
    )


@pytest.mark.parametrize(
    "content,name,words",
    [
        (json.dumps({"type": "Point", "coordinates": [33.21, 130.44]}).encode(), "a.geojson", "経度と緯度の順が逆"),
        (
            json.dumps({"type": "Point", "coordinates": [-52000.1, 33210.2]}).encode(),
            "a.geojson",
            "緯度・経度（度）ではない",
        ),
        (packed({"a.shp": b"", "a.shx": b"", "a.dbf": attributes()}), "a.zip", "座標系が分からない"),
        (word("計画", **{"word/comments.xml": f'<w:comments xmlns:w="{WORD}"/>'}), "a.docx", "コメントが残っています"),
        (PDF, "a.pdf", "自動では調べられません"),
    ],
)
def test_what_a_reader_would_stumble_over_is_said_before_it_is_published(
    town: Town, content: bytes, name: str, words: str
):
    staff = town.staff()
    assert words in visible(staff.get(staff.send(content, name)).text)


@pytest.mark.parametrize(
    "content,name,words",
    [
        (PDF[:-6], "a.pdf", "途中で切れています"),
        (b'{"a": 1,\n "b": }', "a.json", "2行目"),
        (b'{"a": NaN}', "a.json", "NaN"),
        (b"[" * 100_000, "a.json", "入れ子が深すぎる"),
        ('{"名": 1}'.encode("cp932"), "a.json", "UTF-8ではありません"),
        (b'{"type": "FeatureCollection", "features": [{"type": "Point"}]}', "a.geojson", "1番目の地物"),
        (b'{"type": "Point", "coordinates": ["130", "33"]}', "a.geojson", "数でないところ"),
        (b'{"type": "Point", "coordinates": [1%s, 33]}' % (b"0" * 400), "a.geojson", "数でないところ"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "a.xml", "DOCTYPE"),
        (b"<?xml version='1.0'?><a><b></a>", "a.xml", "XMLとして読めません"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "a.xml", "ウェブページやSVG"),
        (packed({"list.csv": "a"}), "a.zip", "1つずつ登録"),
        (packed({"agency.txt": "", "stops.txt": "", "routes.txt": ""}), "a.zip", "必要なstop_times.txt"),
        (packed({f"bus/{name}.txt": "" for name in ("agency", "stops", "routes")}), "a.zip", "フォルダーに入れずに"),
        (packed({"a.shp": b"", "a.dbf": b""}), "a.zip", "a.shxがありません"),
        (packed({"a.shp": b"", "a.shx": b"", "a.dbf": attributes(), "名簿.xlsx": b""}), "a.zip", "名簿.xlsx"),
        (word("a", **{"word/vbaProject.bin": ""}), "a.docx", "マクロ"),
        (packed({"doc.kml": b"\0" * 30_000_000}), "a.kmz", "zip爆弾"),
        (timetable()[:-60], "a.zip", "壊れていて"),
        (picture("PNG")[:60], "a.png", "画像を開けません"),
    ],
)  # fmt: skip
def test_what_is_broken_or_hides_something_is_refused_in_words(town: Town, content: bytes, name: str, words: str):
    staff = town.staff()
    draft = staff.send(content, name)
    assert words in visible(staff.get(draft).text)
    assert staff.post(f"{draft}/publish", {"title": "題名", "theme": "GOVE"}).status_code == 409


PEOPLE = "山田太郎 090-1234-5678"


@pytest.mark.parametrize(
    "content,name",
    [
        (json.dumps({"a": {"b": [PEOPLE]}}).encode(), "a.json"),
        (json.dumps({**POINTS, "features": [POINTS["features"][0] | {"properties": {"連絡": PEOPLE}}]}).encode(), "a.geojson"),
        (KML.replace("大木町役場", PEOPLE).encode(), "a.kml"),
        (packed({"doc.kml": KML.replace("大木町役場", PEOPLE)}), "a.kmz"),
        (timetable(agency_jp=f"agency\n{PEOPLE}\n"), "a.zip"),
        (packed({"a.shp": b"", "a.shx": b"", "a.dbf": attributes("090-1234-5678")}), "a.zip"),
        (word(PEOPLE), "a.docx"),
        (picture("JPEG", taken_at=True), "a.jpg"),
    ],
)  # fmt: skip
def test_personal_data_in_it_waits_for_a_reason(town: Town, content: bytes, name: str):
    staff = town.staff()
    draft = staff.send(content, name)
    assert "個人情報のように見える" in visible(staff.get(draft).text)
    assert staff.publish(draft).status_code == 422
    assert staff.publish(draft, title="連絡先", confirmed="本人が公開に同意しました。").status_code == 303


def test_a_number_is_a_persons_for_certain_only_where_it_says_so(town: Town):
    staff = town.staff()
    certain = staff.send(json.dumps({"a": "個人番号 1234 5678 9018"}).encode(), "a.json")
    assert staff.publish(certain, title="停留所", confirmed="公開してよい番号です。").status_code == 422
    perhaps = staff.send(json.dumps({"code": "123456789018"}).encode(), "b.json")
    assert staff.publish(perhaps).status_code == 422
    assert staff.publish(perhaps, title="停留所", confirmed="停留所の番号です。").status_code == 303


def test_a_further_file_stands_beside_the_first_and_takes_nothing_from_it(town: Town):
    dataset = town.publish()
    staff = town.staff()
    draft = staff.send(PDF, "AEDの使い方.pdf", dataset=dataset)
    assert staff.publish(draft).status_code == 303
    told = town.visitor().result("package_show", id=dataset)
    assert [(each["name"], each["format"]) for each in told["resources"]] == [
        ("AED設置箇所一覧", "CSV"),
        ("AEDの使い方", "PDF"),
    ]
    page = visible(town.visitor().get(f"/opendata/datasets/{told['name']}").text)
    assert "0行" not in page and "08 AED設置箇所一覧" in page
    assert "ファイルを加える" in visible(staff.get(f"desk/datasets/{dataset}").text)


def test_a_table_is_not_replaced_by_a_picture_of_it(town: Town):
    dataset = town.publish()
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    staff = town.staff()
    refused = staff.publish(staff.send(PDF, "aed.pdf", dataset=dataset, resource=resource))
    assert refused.status_code == 409 and "別のファイルとして" in visible(refused.text)
    assert town.visitor().get(f"/opendata/data/{resource}.csv").status_code == 200


def test_a_table_with_a_bracket_first_is_a_table(town: Town):
    staff = town.staff()
    assert "2列" in visible(staff.get(staff.send("[番号],名称\n1,大溝\n".encode(), "a.csv")).text)
    assert "AED" in visible(staff.get(staff.send(AED)).text)
