"""Small procedures for tests."""

from typing import Any

from services.eapply.forms.definition import Procedure


def document(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A procedure of one page with these fields; `steps` in `more` replaces the page."""
    return {
        "key": "test-procedure",
        "version": 1,
        "title": "試しの手続き",
        "kana": "ためしのてつづき",
        "category": "試し",
        "summary": "試すための手続きです。",
        "department": "総務課",
        "legal": {"basis": "要綱", "disposition": False},
        "steps": [page("one", *fields)],
    } | more


def page(key: str, *fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"key": key, "title": f"画面 {key}", "sections": [{"fields": list(fields)}]} | more


def field(key: str, type_: str = "text", **more: Any) -> dict[str, Any]:
    if type_ in ("choice", "choices", "select"):
        more = {"options": options("a", "b", "c")} | more
    return {"key": key, "type": type_, "label": f"項目 {key}"} | more


def options(*values: str) -> list[dict[str, str]]:
    return [{"value": value, "label": f"選択肢 {value}"} for value in values]


def test(key: str, op: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"field": key, "op": op} | ({"value": value} if value is not None else {}) | more


test.__test__ = False  # type: ignore[attr-defined]


def procedure(*fields: dict[str, Any], **more: Any) -> Procedure:
    return Procedure.model_validate(document(*fields, **more))
