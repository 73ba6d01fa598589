"""Our documents as CKAN's dictionaries."""

from datetime import UTC, datetime
from typing import Any

from services.opendata.api.describe import file_address
from services.opendata.catalogue import ABOUT
from services.opendata.db import PublishedRow
from services.opendata.domain.describe import DRAFT, is_private
from services.opendata.domain.vocabulary import LICENSES, THEMES, license_title
from services.opendata.use_cases import views

Dict = dict[str, Any]
CREATOR = "creator_user_id"
"""In `about` of a data set: the key that made it. Data sets that people publish name nobody."""
VOCABULARY_TAGS = "vocabulary_tags"
"""In `about` of a data set: its tags that are words of a vocabulary, by name."""


def moment(text: str | None) -> str | None:
    """Naive, UTC, as Python writes it: CKAN leaves out microseconds that are none."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None).isoformat() if text else None


def organization(tenant: str, place: tuple[str, str]) -> Dict:
    code, name = place
    return {
        "id": tenant, "name": code, "title": name, "type": "organization", "description": "", "image_url": "",
        "created": None, "is_organization": True, "approval_status": "approved", "state": "active",
    }  # fmt: skip


def group(theme: str) -> Dict:
    return {
        "id": theme.lower(), "name": theme.lower(), "title": str(THEMES.get(theme, theme)), "description": "",
        "display_name": str(THEMES.get(theme, theme)), "image_display_url": "",
    }  # fmt: skip


def license_(key: str) -> Dict:
    found = LICENSES.get(key)
    return {
        "id": key, "title": str(license_title(key)), "url": found.url if found else "", "status": "active",
        "od_conformance": "approved" if found and found.open_ else "not reviewed", "osd_conformance": "not reviewed",
        "domain_content": True, "domain_data": True, "domain_software": False, "family": "", "is_generic": False,
        "maintainer": "",
    }  # fmt: skip


def tag(name: str) -> Dict:
    return {"display_name": name, "id": name, "name": name, "state": "active", "vocabulary_id": None}


def package(site: str, row: PublishedRow, place: tuple[str, str]) -> Dict:
    """What package_show gives."""
    told = row.document
    about: Dict = told["about"]
    known = LICENSES.get(told["license"])
    hidden = {"draft": "draft" if DRAFT in about else "active"}
    state = ({"published": "active"} | hidden).get(row.state, "deleted")
    return {
        **{name: about.get(name) or None for name in ABOUT},
        CREATOR: about.get(CREATOR), "id": row.id, "isopen": bool(known and known.open_), "license_id": told["license"],
        "license_title": str(license_title(told["license"])), "license_url": known.url if known else None,
        "metadata_created": moment(told["created"]), "metadata_modified": moment(told["modified"]), "name": row.name,
        "notes": told["notes"] or None, "num_resources": len(told["resources"]), "num_tags": len(told["tags"]),
        "organization": _owner(row, place), "owner_org": (told.get("owner") or {}).get("id", row.tenant),
        "private": is_private(row.state, about), "state": state,
        "title": told["title"], "type": "dataset", "extras": extras(told), "groups": _groups(told),
        "resources": [resource(site, row, each) for each in told["resources"]], "tags": _tags(told),
        "relationships_as_subject": [], "relationships_as_object": [],
    }  # fmt: skip


def _tags(told: Dict) -> list[Dict]:
    known: Dict = told["about"].get(VOCABULARY_TAGS, {})
    return [tag(name) | known.get(name, {}) for name in told["tags"]]


def _owner(row: PublishedRow, place: tuple[str, str]) -> Dict:
    """The municipality, or the division of it."""
    division = row.document.get("owner")
    return organization(row.tenant, place) | (division or {})


def _groups(told: Dict) -> list[Dict]:
    collections = [
        each | {"display_name": each["title"], "image_display_url": each["image_url"]}
        for each in told.get("groups", ())
    ]
    return ([group(told["theme"])] if told["theme"] else []) + collections


def extras(told: Dict) -> list[Dict]:
    """What was set as extras, and what CKAN has no field for."""
    kept = {each["key"]: each["value"] for each in told["about"].get("extras", [])}
    own = {"frequency": told["frequency"], "standard_dataset": told["kind"]}
    return [{"key": key, "value": value} for key, value in sorted((kept | {k: v for k, v in own.items() if v}).items())]


def resource(site: str, row: PublishedRow, told: Dict) -> Dict:
    """What resource_show gives. What a program said of a file (`about`) stands as it said it, where we do not know better."""
    uploaded = bool(told.get("file"))
    about = {name: value for name, value in told["about"].items() if name != views.KEY}
    modified = moment(told["modified"])
    rows = about.get("url_type") == "datastore"
    known = {
        "hash": f"sha256:{told['sha256']}", "last_modified": modified, "mimetype": told["media_type"], "size": told["size"],
        "url_type": "upload",
    } if uploaded else {"last_modified": modified} if told.get("version") else {}  # fmt: skip
    return {
        "cache_last_updated": None, "cache_url": None, "hash": "", "last_modified": None, "mimetype": None, "mimetype_inner": None,
        "resource_type": None, "size": None, "url_type": None, **about, **known, "created": moment(told["created"]),
        "datastore_active": bool(told.get("table")), "description": told["description"], "format": told["format"], "id": told["id"],
        "metadata_modified": modified, "name": told["name"], "package_id": row.id, "position": told["position"], "state": "active",
        "url": f"{site}/datastore/dump/{told['id']}" if rows else told["url"] or file_address(site, told),
    }  # fmt: skip
