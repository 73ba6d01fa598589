"""The standard's own schema with the bids extension, closed: a field or a code the standard does not know is a finding.

What a validator needs the network for is in `data/ocds/`. Traps of the usual validators (exit code 0 for invalid data, open objects)
do not exist here: every error is returned.
"""

import csv
import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, FormatChecker

DATA = Path(__file__).parents[1] / "data" / "ocds"
STANDARD, BIDS = DATA / "ocds-standard-1__1__5-schema.zip", DATA / "ocds_bid_extension-v1.1.5.zip"
OWN = DATA / "extension"
PAGES = "https://raw.githubusercontent.com/open-contracting-extensions/ocds_pagination_extension/master/extension.json"
"""Read there: `links` is an object whose `next` and `prev` are addresses."""


def findings(kind: str, package: dict[str, Any]) -> list[str]:
    """Everything wrong with a package: `kind` is release or record."""
    known = _package_schema(kind)
    found = [_told(error) for error in Draft4Validator(known, format_checker=FormatChecker()).iter_errors(package)]
    if ("links" in package) != (PAGES in package.get("extensions", ())):
        found.append("links go with the extension that says what they are")
    documents = package.get("releases", []) if kind == "release" else _of_records(package)
    validator = Draft4Validator(release_schema(), format_checker=FormatChecker())
    for document in documents:
        found += [_told(error) for error in validator.iter_errors(document)]
        found += dangling(document)
    return found


def dangling(release: dict[str, Any]) -> list[str]:
    """What no schema sees: references to nothing, and ids given twice."""
    parties = [each.get("id") for each in release.get("parties", ())]
    bids, awards = release.get("bids", {}).get("details", []), release.get("awards", [])
    asked = [each for bid in bids for each in bid.get("tenderers", ())]
    asked += [
        *release.get("tender", {}).get("tenderers", ()),
        *(each for one in awards for each in one.get("suppliers", ())),
    ]
    found = [f"no party {each['id']}" for each in asked if each["id"] not in parties]
    ids = [each["id"] for each in bids]
    found += [f"no bid {one['relatedBid']}" for one in awards if "relatedBid" in one and one["relatedBid"] not in ids]
    known = {each["id"] for each in awards}
    found += [f"no award {one['awardID']}" for one in release.get("contracts", ()) if one["awardID"] not in known]
    for name, given in (("party", parties), ("bid", ids)):
        found += [f"{name} {each} twice" for each in set(given) if given.count(each) > 1]
    return found


def _of_records(package: dict[str, Any]) -> list[dict[str, Any]]:
    records = package.get("records", [])
    return [each for one in records for each in (*one.get("releases", []), one["compiledRelease"])]


def _told(error: Any) -> str:
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"


@cache
def release_schema() -> dict[str, Any]:
    """release-schema.json merged with the extensions (RFC 7396), objects closed, closed codelists as enums."""
    schema = json.loads(_read(STANDARD, "schema/release-schema.json"))
    _merge(schema, json.loads(_read(BIDS, "release-schema.json")))
    _merge(schema, json.loads((OWN / "release-schema.json").read_text("utf-8")))
    _close(schema)
    return schema


@cache
def _package_schema(kind: str) -> dict[str, Any]:
    """The package's own fields; what it holds is checked against the release schema by itself."""
    schema = json.loads(_read(STANDARD, f"schema/{kind}-package-schema.json"))
    inner = schema["properties"]["releases" if kind == "release" else "records"]
    inner["items"] = {"type": "object", "required": ["ocid"]}
    schema.pop("definitions", None)
    schema["properties"] = {name: value for name, value in schema["properties"].items() if "$ref" not in value}
    schema["properties"]["packages"] = {}
    schema["properties"]["links"] = {
        "properties": {"next": {"type": "string", "format": "uri"}},
        "additionalProperties": False,
    }
    schema["additionalProperties"] = False
    return schema


def _read(archive: Path, name: str) -> str:
    with zipfile.ZipFile(archive) as opened:
        root = opened.namelist()[0].split("/")[0]
        return opened.read(f"{root}/{name}").decode().replace("{{lang}}", "en").replace("{{version}}", "1.1")


def _merge(target: dict[str, Any], patch: dict[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def _close(node: Any) -> None:
    """Objects with properties take no others; a closed codelist of a string gives its codes."""
    if isinstance(node, list):
        for each in node:
            _close(each)
        return
    if not isinstance(node, dict):
        return
    if isinstance(node.get("properties"), dict):
        node.setdefault("additionalProperties", False)
    if isinstance(node.get("codelist"), str) and node.get("openCodelist") is False:
        codes = _codes(node["codelist"])
        target = node["items"] if "array" in node.get("type", []) else node
        target.setdefault("enum", [*codes, None])
    for each in node.values():
        _close(each)


def _codes(name: str) -> list[str]:
    for archive, folder in ((STANDARD, "schema/codelists"), (BIDS, "codelists")):
        try:
            rows = csv.DictReader(io.StringIO(_read(archive, f"{folder}/{name}")))
        except KeyError:
            continue
        return [row["Code"] for row in rows]
    raise KeyError(name)


def last_release(town: Any) -> dict[str, Any]:
    """What a municipality's feed told last."""
    return town.guest().get("ocds/releases").json()["releases"][-1]
