"""Resource views: what clients that make them (datapusher's, xloader's, portals' own) say is kept and told again. Our pages show
every table and map without being asked to."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from libs.common.errors import NotFound
from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, actions, invalid, not_found
from services.opendata.api.ckan.package import Dict
from services.opendata.api.ckan.read import resource_told
from services.opendata.api.ckan.write import allow, changing
from services.opendata.db import DatasetRow, ResourceRow, datasets
from services.opendata.use_cases import programs, views

FILTERED = {"datatables_view", "recline_view", "recline_grid_view", "recline_graph_view", "recline_map_view"}
TYPES = FILTERED | {
    "image_view",
    "text_view",
    "webpage_view",
    "pdf_view",
    "geojson_view",
    "video_view",
    "audio_view",
    "geo_view",
}
"""Those CKAN and its usual extensions have."""


def _told(view: Dict, file: str, package: str) -> Dict:
    return view | {"resource_id": file, "package_id": package}


def _listed_of(call: Call, file: str) -> list[Dict]:
    row, told = resource_told(call, file)
    return [_told(each, file, row.id) for each in views.of(told["about"])]


@actions.reads
def resource_view_list(call: Call) -> list[Dict]:
    """The views of a file, in their order."""
    return _listed_of(call, call.need("id"))


@actions.reads
def resource_view_show(call: Call) -> Dict:
    wanted = call.need("id")
    found = next((each for each in _listed_of(call, views.file_of(wanted)) if each["id"] == wanted), None)
    if found is None:
        raise not_found()
    return found


def _said(call: Call, view_type: str) -> Dict:
    """What a program says of a view. Invalid without a title, and for filters a view of this type does not have."""
    call.need("title")
    said = {name: value for name, value in call.given.items() if name not in ("id", "resource_id", "package_id")}
    fields, values = (_list(said.get(name)) for name in ("filter_fields", "filter_values"))
    if not fields and not values:
        return said
    if view_type not in FILTERED:
        raise invalid(filter_fields=["Only views of tables have filters"])
    if len(fields) != len(values):
        raise invalid(filter_fields=["Length of filter_fields and filter_values must be the same"])
    filters: dict[str, list[Any]] = {}
    for name, value in zip(fields, values, strict=True):
        filters.setdefault(str(name), []).append(value)
    return said | {"filter_fields": fields, "filter_values": values, "filters": filters}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _change(call: Call, file: str, work: Callable[[ResourceRow], Any]) -> tuple[Any, str]:
    """What `work` gives, and the data set's id."""
    with changing(call) as session:
        row = datasets.resource(session, file)
        dataset = datasets.by_id(session, row.dataset_id, lock=True)
        answer = work(row)
        _settled(call, session, dataset)
        return answer, dataset.id


def _settled(call: Call, session: Session, dataset: DatasetRow) -> None:
    programs.settle(session, call.actor, dataset, private=dataset.state == "draft", now=shell.now_of(call.request))


@actions.writes
def resource_view_create(call: Call) -> Dict:
    """A further view of a file: `resource_id`, `title`, `view_type`."""
    allow(call)
    file, view_type = call.need("resource_id"), call.need("view_type")
    if call.given.get("id"):
        raise invalid(id=["The input field id was not expected."])
    if view_type not in TYPES:
        raise invalid(view_type=[f"No plugin found for view_type {view_type}"])
    said = _said(call, view_type)
    try:
        view, package = _change(call, file, lambda row: views.add(row, said))
    except NotFound:
        raise invalid(resource_id=["Not found: Resource"]) from None
    return _told(view, file, package)


@actions.writes
def resource_view_update(call: Call) -> Dict:
    """Replace what is said of a view."""
    allow(call)
    wanted = call.need("id")
    file = views.file_of(wanted)

    def work(row: ResourceRow) -> Dict:
        return views.change(row, wanted, _said(call, views.one(row.about, wanted)["view_type"]))

    view, package = _change(call, file, work)
    return _told(view, file, package)


@actions.writes
def resource_view_delete(call: Call) -> None:
    allow(call)
    wanted = call.need("id")
    _change(call, views.file_of(wanted), lambda row: views.remove(row, wanted))


@actions.writes
def resource_view_reorder(call: Call) -> Dict:
    """The views of the file `id` in the order of `order`; those it does not name come after."""
    allow(call)
    file = call.need("id")
    if not call.given.get("order"):
        raise invalid(order=["Missing value"])
    ids = [str(each) for each in _list(call.given["order"])]
    ordered, _ = _change(call, file, lambda row: views.order(row, ids))
    return {"id": file, "order": ordered}


@actions.writes
def resource_view_clear(call: Call) -> None:
    """All views of one's own files go, or those of `view_types`."""
    types = [str(each) for each in _list(call.given.get("view_types"))]
    with changing(call) as session:
        for dataset in datasets.listed(session):
            if views.clear(session, datasets.resources(session, dataset.id), types):
                _settled(call, session, dataset)
