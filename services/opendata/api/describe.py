"""A published data set in the words of the standards: schema.org, DCAT (DCAT-AP 2.1.1 and 3.0), data.json (Project Open Data 1.1).

One graph is made as JSON-LD; Turtle and RDF/XML are written from the same graph, so all say the same.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from markupsafe import Markup

from services.opendata.catalogue import years
from services.opendata.db import PublishedRow
from services.opendata.domain.vocabulary import LICENSES, theme_title

CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "hydra": "http://www.w3.org/ns/hydra/core#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
THEME = "http://publications.europa.eu/resource/authority/data-theme/"
FREQUENCY = "http://publications.europa.eu/resource/authority/frequency/"
FILE_TYPE = "http://publications.europa.eu/resource/authority/file-type/"
MEDIA_TYPE = "https://www.iana.org/assignments/media-types/"
LANGUAGE = "http://publications.europa.eu/resource/authority/language/"
LANGUAGES = {
    "ja": "JPN",
    "en": "ENG",
    "zh": "ZHO",
    "ko": "KOR",
    "vi": "VIE",
    "ne": "NEP",
    "pt": "POR",
    "id": "IND",
    "tl": "TGL",
    "my": "MYA",
}
"""What the extra `language` says (ISO 639-1) → the name in the authority's list."""
LANGUAGES_BY = {name: short for short, long in LANGUAGES.items() for name in (short, long.lower())}
JAPANESE = LANGUAGE + LANGUAGES["ja"]
FILE_TYPES = {"CSV", "TSV", "XLSX", "JSON", "GEOJSON", "PDF", "XML", "HTML", "ZIP", "TXT"}

IT = "#dataset"
"""The data set itself, as against the page about it. No byteSize is told: DCAT-AP 2.1.1 and 3.0 want different types of it."""
Node = dict[str, Any]


def ref(address: str) -> Node:
    return {"@id": address}


def text(value: str) -> Node:
    return {"@value": value, "@language": "ja"}


def typed(value: Any, type_: str) -> Node:
    return {"@value": str(value), "@type": f"xsd:{type_}"}


def dataset_address(site: str, row: PublishedRow) -> str:
    return f"{site}/datasets/{row.name}"


NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML can hold (XML 1.0, production 2)."""
_LINK = re.compile(r"(?:https?|ftp)://.", re.IGNORECASE)
_NOT_IN_LINKS = re.compile(r'[\x00-\x20\x7f-\xa0\u2028\u2029<>"{}|\\^`]')


def link(address: str) -> str:
    """What a program said of where a file is, as it may stand in a link and in RDF (RFC 3987); "" for what runs instead of leading
    somewhere (javascript:, data:) or is no address at all."""
    stripped = address.strip()
    return _NOT_IN_LINKS.sub(lambda found: quote(found.group()), stripped) if _LINK.match(stripped) else ""


def file_address(site: str, told: dict[str, Any]) -> str:
    """Where a file's bytes are; of rows that programs keep, where they can be had as CSV."""
    if not told.get("file"):
        return link(told["url"]) or (f"{site}/data/{told['id']}.csv" if told.get("table") else "")
    return f"{site}/datasets/files/{told['id']}/{quote(told['filename'])}"


# ---- DCAT -------------------------------------------------------------------------------------------------------------


def dataset_nodes(site: str, row: PublishedRow, place: str) -> list[Node]:
    """A data set, its distributions and its publisher."""
    told = row.document
    here = dataset_address(site, row)
    publisher = publisher_node(site, row.tenant, place)
    distributions = [_distribution(site, here, told, each) for each in told["resources"]]
    languages = languages_of(told)
    spatial = {"@id": f"{publisher['@id']}#place", "@type": "dct:Location", "skos:prefLabel": text(place)}
    node: Node = {
        "@id": f"{here}{IT}",
        "@type": "dcat:Dataset",
        "dct:identifier": typed(row.id, "string"),
        "dct:title": text(told["title"]),
        "dct:description": text(told["notes"] or told["title"]),
        "dct:publisher": ref(publisher["@id"]),
        "dct:issued": typed(told["created"], "dateTime"),
        "dct:modified": typed(told["modified"], "dateTime"),
        "dct:language": [ref(LANGUAGE + LANGUAGES[each]) for each in languages],
        "dct:spatial": ref(spatial["@id"]),
        "dcat:landingPage": ref(here),
        "dcat:theme": ref(THEME + told["theme"]) if told["theme"] else None,
        "dct:accrualPeriodicity": ref(FREQUENCY + told["frequency"]) if told["frequency"] else None,
        "dcat:keyword": [text(tag) for tag in told["tags"]],
        "dct:temporal": ref(f"{here}#years") if (about := years(told)) else None,
        "dcat:contactPoint": ref(f"{here}#contact"),
        "dcat:distribution": [ref(each["@id"]) for each in distributions],
    }
    name, mail = who_answers(told, place)
    contact = _whole({
        "@id": f"{here}#contact", "@type": ["vcard:Kind", "vcard:Organization"], "vcard:fn": text(name),
        "vcard:hasEmail": ref(f"mailto:{mail}") if mail else None, "vcard:hasURL": ref(f"{site}/?municipality={row.tenant}"),
    })  # fmt: skip
    page = {"@id": here, "@type": "foaf:Document"}
    spoken = [{"@id": LANGUAGE + LANGUAGES[each], "@type": "dct:LinguisticSystem"} for each in languages]
    return [
        _whole(node),
        publisher,
        spatial,
        contact,
        *distributions,
        page,
        *spoken,
        *_words(told),
        *_period(here, about),
    ]


def languages_of(told: Node) -> list[str]:
    """The languages a program says its data are in (the extra `language`: `en`, `ja,en`, `["ja", "en-US"]`), as ISO 639-1; Japanese where
    it says none, or none that we know."""
    said = next((str(each["value"]) for each in told["about"].get("extras", ()) if each["key"] == "language"), "")
    known = (LANGUAGES_BY.get(word) for word in re.findall(r"[a-z]+", re.sub(r"[-_][a-z]+", "", said.lower())))
    return list(dict.fromkeys(each for each in known if each)) or ["ja"]


_MAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", re.ASCII)


def who_answers(told: Node, place: str) -> tuple[str, str]:
    """Whom to ask about a data set, and the mail address, "" where what was given is none: of who keeps it, else of who made it, else
    the municipality."""
    about = told["about"]
    for kind in ("maintainer", "author"):
        mail = str(about.get(f"{kind}_email") or "").strip()
        mail = mail if _MAIL.fullmatch(mail) else ""
        if about.get(kind) or mail:
            return str(about.get(kind) or place), mail
    return place, ""


def _period(here: str, about: tuple[str, ...]) -> list[Node]:
    """From the first to the last of the years a data set is about (they come the newest first)."""
    if not about:
        return []
    first, last = typed(about[-1], "gYear"), typed(about[0], "gYear")
    return [{"@id": f"{here}#years", "@type": "dct:PeriodOfTime", "dcat:startDate": first, "dcat:endDate": last}]


def _words(told: dict[str, Any]) -> list[Node]:
    """What the standards want typed: frequency, licence, formats."""
    found: list[Node] = []
    if told["theme"]:
        label = text(str(theme_title(told["theme"])))
        found.append({"@id": THEME + told["theme"], "@type": "skos:Concept", "skos:prefLabel": label})
    if told["frequency"]:
        found.append({"@id": FREQUENCY + told["frequency"], "@type": "dct:Frequency"})
    if told["license"] in LICENSES:
        found.append({"@id": LICENSES[told["license"]].url, "@type": "dct:LicenseDocument"})
    for each in told["resources"]:
        if each["format"].upper() in FILE_TYPES:
            found.append({"@id": FILE_TYPE + each["format"].upper(), "@type": "dct:MediaTypeOrExtent"})
        if each.get("media_type"):
            found.append({"@id": MEDIA_TYPE + each["media_type"], "@type": ["dct:MediaType", "dct:MediaTypeOrExtent"]})
    return found


def publisher_node(site: str, tenant: str, place: str) -> Node:
    return {"@id": f"{site}/organizations/{tenant}", "@type": "foaf:Agent", "foaf:name": text(place)}


def _distribution(site: str, here: str, told: dict[str, Any], each: dict[str, Any]) -> Node:
    address = file_address(site, each)
    own = bool(each.get("file"))
    license_ = LICENSES.get(told["license"])
    format_ = each["format"].upper()
    return _whole(
        {
            "@id": f"{here}#{each['id']}",
            "@type": "dcat:Distribution",
            "dct:title": text(each["name"] or told["title"]),
            "dct:description": text(each["description"]) if each["description"] else None,
            "dcat:accessURL": ref(address or here),
            "dcat:downloadURL": ref(address) if own else None,
            "dct:format": ref(FILE_TYPE + format_) if format_ in FILE_TYPES else None,
            "dcat:mediaType": ref(MEDIA_TYPE + each["media_type"]) if each.get("media_type") else None,
            "dct:license": ref(license_.url) if license_ else None,
            "dct:issued": typed(each["created"], "dateTime"),
            "dct:modified": typed(each["modified"], "dateTime"),
        }
    )


def catalog_node(site: str, name: str, datasets: Iterable[str], modified: str | None) -> list[Node]:
    publisher = {"@id": f"{site}/#publisher", "@type": "foaf:Agent", "foaf:name": text(name)}
    node = {
        "@id": f"{site}/#catalog",
        "@type": "dcat:Catalog",
        "dct:title": text(f"{name} オープンデータ"),
        "dct:description": text(f"{name}に参加する市町村が公開しているデータの目録です。"),
        "dct:publisher": ref(publisher["@id"]),
        "dct:language": ref(JAPANESE),
        "foaf:homepage": ref(f"{site}/"),
        "dct:modified": typed(modified, "dateTime") if modified else None,
        "dcat:dataset": [ref(address) for address in datasets],
    }
    page = {"@id": f"{site}/", "@type": "foaf:Document"}
    return [_whole(node), publisher, page, {"@id": JAPANESE, "@type": "dct:LinguisticSystem"}]


def _whole(node: Node) -> Node:
    return {key: value for key, value in node.items() if value not in (None, [])}


def as_json_ld(nodes: Iterable[Node]) -> str:
    return json.dumps({"@context": CONTEXT, "@graph": list(nodes)}, ensure_ascii=False)


# ---- Turtle -----------------------------------------------------------------------------------------------------------


def prefixes() -> str:
    return "".join(f"@prefix {name}: <{address}> .\n" for name, address in CONTEXT.items()) + "\n"


def as_turtle(nodes: Iterable[Node]) -> Iterator[str]:
    """Each node as a block of statements."""
    for node in nodes:
        lines = [f"    {_predicate(key)} {', '.join(_object(key, value) for value in _many(values))}"
                 for key, values in node.items() if key != "@id"]  # fmt: skip
        yield f"<{_iri(node['@id'])}>\n" + " ;\n".join(lines) + " .\n\n"


def _predicate(key: str) -> str:
    return "a" if key == "@type" else key


def _many(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _object(key: str, value: Any) -> str:
    if key == "@type":
        return value
    if "@id" in value:
        return f"<{_iri(value['@id'])}>"
    quoted = json.dumps(value["@value"], ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"{quoted}@{value['@language']}" if "@language" in value else f"{quoted}^^{value['@type']}"


def _iri(address: str) -> str:
    """What may not stand between < and > (Turtle, IRIREF) is escaped as in an address."""
    return "".join(quote(c) if c in '<>"{}|^`\\' or c <= " " else c for c in address)


# ---- RDF/XML ----------------------------------------------------------------------------------------------------------


def rdf_begin() -> str:
    names = "".join(f' xmlns:{name}="{address}"' for name, address in CONTEXT.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rdf:RDF xmlns:rdf="{RDF}"{names}>\n'


RDF_END = "</rdf:RDF>\n"


def as_rdf_xml(nodes: Iterable[Node]) -> Iterator[str]:
    """Each node as a description; between `rdf_begin()` and `RDF_END`."""
    for node in nodes:
        parts = [_element(key, value) for key, values in node.items() if key != "@id" for value in _many(values)]
        yield f"<rdf:Description rdf:about={_attribute(_iri(node['@id']))}>{''.join(parts)}</rdf:Description>\n"


def _element(key: str, value: Any) -> str:
    if key == "@type":
        return f"<rdf:type rdf:resource={_attribute(_whole_name(value))}/>"
    if "@id" in value:
        return f"<{key} rdf:resource={_attribute(_iri(value['@id']))}/>"
    kind = (
        f' xml:lang="{value["@language"]}"'
        if "@language" in value
        else f" rdf:datatype={_attribute(_whole_name(value['@type']))}"
    )
    return f"<{key}{kind}>{escape(NOT_XML.sub('', value['@value']))}</{key}>"


def _whole_name(short: str) -> str:
    """dcat:Dataset → http://www.w3.org/ns/dcat#Dataset"""
    prefix, _, name = short.partition(":")
    return CONTEXT[prefix] + name


def _attribute(text_: str) -> str:
    return quoteattr(NOT_XML.sub("", text_))


# ---- schema.org -------------------------------------------------------------------------------------------------------


def schema_org(site: str, row: PublishedRow, place: str) -> Node:
    """`Dataset` as search engines for data read it."""
    told, about = row.document, years(row.document)
    license_ = LICENSES.get(told["license"])
    return _whole(
        {
            "@context": "https://schema.org/",
            "@type": "Dataset",
            "@id": dataset_address(site, row),
            "url": dataset_address(site, row),
            "name": told["title"],
            "description": told["notes"] or told["title"],
            "identifier": row.id,
            "keywords": told["tags"],
            "license": license_.url if license_ else None,
            "isAccessibleForFree": True,
            "inLanguage": languages_of(told),
            "dateCreated": told["created"],
            "dateModified": told["modified"],
            "spatialCoverage": place,
            "temporalCoverage": f"{about[-1]}/{about[0]}" if about else None,
            "creator": {"@type": "GovernmentOrganization", "name": place},
            "publisher": {"@type": "GovernmentOrganization", "name": place},
            "includedInDataCatalog": {"@type": "DataCatalog", "url": f"{site}/"},
            "distribution": [
                _whole(
                    {
                        "@type": "DataDownload",
                        "name": each["name"],
                        "contentUrl": file_address(site, each) or None,
                        "encodingFormat": each.get("media_type") or each["format"],
                        "contentSize": str(each["size"]) if each.get("size") else None,
                        "sha256": each.get("sha256"),
                    }
                )
                for each in told["resources"]
            ],
            "variableMeasured": sorted(
                {column["name"] for each in told["resources"] for column in each.get("columns", ())}
            ),
        }
    )


def json_ld_script(site: str, row: PublishedRow, place: str) -> Markup:
    """The block a page carries for search engines: data, never run (`<` cannot close it)."""
    told = json.dumps(schema_org(site, row, place), ensure_ascii=False).replace("<", "\\u003c")
    return Markup('<script type="application/ld+json">') + Markup(told) + Markup("</script>")  # noqa: S704 (escaped above)


# ---- data.json --------------------------------------------------------------------------------------------------------


def project_open_data(site: str, row: PublishedRow, place: str) -> Node:
    """One entry of `data.json` (Project Open Data Metadata Schema v1.1)."""
    told = row.document
    license_ = LICENSES.get(told["license"])
    name, mail = who_answers(told, place)
    contact = {"@type": "vcard:Contact", "fn": name} | ({"hasEmail": f"mailto:{mail}"} if mail else {})
    return _whole(
        {
            "@type": "dcat:Dataset",
            "identifier": row.id,
            "title": told["title"],
            "description": told["notes"] or told["title"],
            "keyword": told["tags"] or [told["title"]],
            "modified": told["modified"],
            "issued": told["created"],
            "accessLevel": "public",
            "license": license_.url if license_ else None,
            "language": languages_of(told),
            "spatial": place,
            "landingPage": dataset_address(site, row),
            "publisher": {"@type": "org:Organization", "name": place},
            "contactPoint": contact,
            "distribution": [_project_file(site, row, each) for each in told["resources"]],
        }
    )


def _project_file(site: str, row: PublishedRow, each: Node) -> Node:
    """A `downloadURL` wants its media type; what nobody knows it of, or where it is, has an `accessURL`."""
    address, media = file_address(site, each), each.get("media_type")
    where = (
        {"downloadURL": address, "mediaType": media}
        if address and media
        else {"accessURL": address or dataset_address(site, row)}
    )
    return _whole({"@type": "dcat:Distribution", "title": each["name"], "format": each["format"], **where})
