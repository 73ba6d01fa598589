"""CKAN's own tests, run over HTTP against a CKAN-like service: a pytest plugin for the environment CKAN is installed in.

Nothing of CKAN is in here or needed by the project: who wants to run it installs `ckan` with its tests beside it, and

    python -m tests.unbroken.ckan_suite.serve 8120 &                     (the project's environment)
    cd …/site-packages && CKAN_BASE=http://127.0.0.1:8120 PYTHONPATH=…/tests/unbroken/ckan_suite \
        python -m pytest -p over_http -p no:ckan -p no:ckan_fixtures ckan/tests/logic/action/test_get.py     (CKAN's environment)

A test that passes does so by what the service answered. One that fails for needing what no client has (CKAN's database, its mail,
plugins, settings, functions replaced in its process) is skipped as "not over HTTP"; with the reason, so that it can be doubted.
Users that tests make with a token speak with the one key there is.
"""

# ruff: noqa
# pyright: basic, reportMissingImports=false

import json
import os
from urllib.parse import urlencode

import ckan.lib.helpers
import ckan.lib.search
import ckan.logic
import ckan.model
import ckan.plugins
import pytest
import requests
from ckan.common import config
from ckan.tests import factories, helpers

BASE = os.environ["CKAN_BASE"]
KEY = os.environ.get("CKAN_KEY", "the-key-of-ooki")
NEEDS = (
    "mail_server",
    "with_test_worker",
    "cli",
    "reset_redis",
    "clean_redis",
    "migrate_db_for",
    "clean_queues",
    "with_extended_cli",
    "reset_storages",
)
OURS = {"datastore", "image_view", "recline_view", "text_view", "webpage_view", "datatables_view", "activity"}
http = requests.Session()


class NotOverHttp(Exception):
    """What no client of a server can do."""


class NoDatabase:
    """Stands for CKAN's session."""

    def __getattr__(self, name):
        raise NotOverHttp("CKAN's database")

    __call__ = __getattr__


def call(action, context=None, data_dict=None):
    context, data = context or {}, dict(data_dict or {})
    known = context.get("ignore_auth") or context.get("user") or context.get("auth_user_obj")
    headers = {"Authorization": KEY} if known else {}
    url = f"{BASE}/opendata/api/3/action/{action}"
    files = {name: data.pop(name) for name in list(data) if hasattr(data[name], "filename")}
    if files:
        sent = {
            name: (each.filename, each.stream if hasattr(each, "stream") else each.file) for name, each in files.items()
        }
        form = {k: str(v) for k, v in data.items() if isinstance(v, str | int | float | bool)}
        answer = http.post(url, data=form, files={"upload": next(iter(sent.values()))}, headers=headers)
    else:
        answer = http.post(
            url, data=json.dumps(data, default=str), headers={**headers, "Content-Type": "application/json"}
        )
    told = answer.json()
    if isinstance(told, dict) and told.get("success"):
        return told["result"]
    raise _error(answer.status_code, told)


def _error(status, told):
    if isinstance(told, str):
        return KeyError(told)
    error = dict(told["error"])
    kind, message = error.pop("__type", ""), error.get("message", "")
    if kind == "Validation Error":
        return ckan.logic.ValidationError(error)
    kinds = {
        "Not Found Error": ckan.logic.NotFound,
        "Authorization Error": ckan.logic.NotAuthorized,
        "Search Query Error": ckan.lib.search.SearchQueryError,
        "Search Error": ckan.lib.search.SearchError,
    }
    return kinds.get(kind, Exception)(message or str(error))


def call_action(action_name, context=None, **kwargs):
    return call(action_name, {"ignore_auth": True, "user": "127.0.0.1"} | (context or {}), kwargs)


class Answer:
    """A response as Flask's test client gives it."""

    def __init__(self, answer):
        self._answer = answer
        self.status_code, self.headers, self.status_int = answer.status_code, answer.headers, answer.status_code
        answer.encoding = "utf-8"
        self.body = answer.text
        self.data = self.bytes = answer.content

    @property
    def json(self):
        return self._answer.json()

    def get_data(self, as_text=False):
        return self.body if as_text else self.data

    def __contains__(self, text):
        return text in self.body


class App:
    def get(self, url, **more):
        return self._sent("GET", url, **more)

    def post(self, url, **more):
        return self._sent("POST", url, **more)

    def _sent(
        self,
        method,
        url,
        params=None,
        query_string=None,
        data=None,
        json=None,
        headers=None,
        status=None,
        extra_environ=None,
        environ_overrides=None,
        **more,
    ):
        if method == "GET":
            query_string, params = query_string or params, None
        headers = {name: str(value) for name, value in (headers or {}).items() if value is not None}
        data = data or params
        if isinstance(data, dict) and any(hasattr(value, "filename") for value in data.values()):
            raise NotOverHttp("a file of Flask's")
        answer = http.request(
            method, BASE + "/opendata" + url, params=query_string, data=data, json=json, headers=headers
        )
        if status:
            assert answer.status_code == status, (
                f"Actual: {answer.status_code}. Expected: {status}: {answer.text[:300]}"
            )
        return Answer(answer)

    @property
    def flask_app(self):
        raise NotOverHttp("CKAN's own application")

    def __getattr__(self, name):
        raise NotOverHttp("the test client's " + name)


PATHS = {
    "api.dataset_autocomplete": "util/dataset",
    "api.tag_autocomplete": "util/tag",
    "api.group_autocomplete": "util/group",
    "api.organization_autocomplete": "util/organization",
    "api.user_autocomplete": "util/user",
}


def url_for(name, **values):
    ver = values.pop("ver", 3)
    if name == "api.get_api":
        return f"/api/{ver}"
    if name == "api.action":
        path = f"/api/{ver}/action/{values.pop('logic_function')}"
        return path + ("?" + urlencode(values) if values else "")
    if name == "api.format_autocomplete":
        return f"/api/{ver}/util/resource/format_autocomplete?" + urlencode(values)
    if name in PATHS:
        return f"/api/{ver}/{PATHS[name]}/autocomplete" + ("?" + urlencode(values) if values else "")
    if name == "datastore.dump":
        return f"/datastore/dump/{values.pop('resource_id')}?" + urlencode(values)
    raise NotOverHttp(f"the address of {name}")


def again(*_):
    http.post(BASE + "/again")


def _replace():
    """In each module that may hold the name already."""
    import ckan.plugins.toolkit as toolkit

    helpers.call_action, helpers.reset_db, helpers._get_test_app = call_action, again, App
    helpers.call_auth = lambda *a, **k: (_ for _ in ()).throw(NotOverHttp("what may be done is asked by doing it"))
    ckan.logic.get_action = lambda name: lambda context=None, data=None: call(name, context, data)
    toolkit.get_action, toolkit.url_for = ckan.logic.get_action, url_for
    ckan.plugins.load_all = ckan.plugins.unload_all = lambda *a, **k: None
    ckan.plugins.load = ckan.plugins.unload = lambda *a, **k: None
    import ckanext.datastore.backend.postgres as postgres
    import ckanext.datastore.tests.helpers as datastore

    datastore.rebuild_all_dbs = lambda *a: None
    postgres.get_write_engine = lambda: None
    ckan.plugins.plugin_loaded = lambda name: name in OURS
    ckan.model.repo.init_db = ckan.model.repo.rebuild_db = again
    ckan.lib.helpers.url_for = url_for
    ckan.lib.search.clear_all = lambda *a: None
    ckan.model.Session = ckan.model.meta.Session = NoDatabase()
    factories.APIToken.api_create = classmethod(lambda cls, data: {"token": KEY})


config.update(
    {
        "ckan.site_url": "http://test.ckan.net",
        "ckan.plugins": "",
        "testing": True,
        "SECRET_KEY": "x",
        "ckan.datastore.search.rows_max": 32000,
        "ckan.site_id": "test",
        "ckan.root_path": "",
    }
)
_replace()


from ckan.tests.pytest_ckan.fixtures import *  # the factories as fixtures; those below stand for some of them


@pytest.fixture(autouse=True)
def _each():
    """Each test begins with nothing."""
    again()


@pytest.fixture
def with_plugins():
    """The service has what it has."""


@pytest.fixture
def test_request_context():
    return __import__("contextlib").nullcontext


@pytest.fixture
def with_request_context():
    pass


@pytest.fixture
def ckan_config():
    """Settings of the service cannot be changed by a client: read only in effect."""
    return config


@pytest.fixture
def app():
    return App()


def pytest_configure(config):
    for name in (
        "ckan_config(*args)",
        "with_plugins(*args)",
        "provide_plugin(*args)",
        "usefixtures(*args)",
        "freeze_time(*args)",
    ):
        config.addinivalue_line("markers", name)


def _beyond(item, error):
    """Why no client could pass this test, or "" if it might."""
    kind = type(error)
    if kind is NotOverHttp or kind.__module__.startswith("sqlalchemy"):
        return str(error)[:80]
    if needed := [name for name in NEEDS if name in item.fixturenames]:
        return f"needs {needed[0]}"
    for mark in item.iter_markers():
        if mark.name == "provide_plugin" or (mark.name == "with_plugins" and not {*map(str, mark.args)} <= OURS):
            return f"plugins {mark.args}"
        if mark.name == "ckan_config" and not (mark.args[0] == "ckan.plugins" and {*str(mark.args[1]).split()} <= OURS):
            return f"settings {mark.args[0]}"
    source = __import__("inspect").getsource(item.function)
    for word in (
        "mock.patch",
        "monkeypatch",
        "freeze_time",
        "changed_config",
        "model.Session",
        "db.",
        "_get_test_app",
        "set_system_info",
    ):
        if word in source:
            return f"its process: {word}"
    return ""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and call.excinfo and (why := _beyond(item, call.excinfo.value)):
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, f"not over HTTP: {why}")
