"""A procedure as a file: YAML in, every fault named in words a clerk understands, and out again."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from libs.common.errors import Invalid
from services.eapply.domain import mynumber
from services.eapply.forms.analysis import Finding, findings
from services.eapply.forms.definition import Procedure, texts

MAX_FILE = 2_000_000
"""Characters."""
WORDS = {
    "missing": "必要な内容がありません。",
    "extra_forbidden": "この名前の設定はありません。つづりを確かめてください。",
    "string_too_short": "空のままにできません。",
    "string_pattern_mismatch": "名前は、英小文字で始まる英小文字・数字・_ にしてください（手続きの名前は _ の代わりに - ）。",
    "int_parsing": "数字で書いてください。",
    "int_type": "数字で書いてください。",
    "string_type": "文字で書いてください。",
    "literal_error": "選べる値ではありません。",
    "too_short": "1つ以上要ります。",
    "too_long": "{max_length}個までにしてください。",
    "string_too_long": "{max_length}文字までにしてください。",
    "greater_than_equal": "{ge}以上の数にしてください。",
    "less_than_equal": "{le}以下の数にしてください。",
    "bool_type": "true か false と書いてください。",
    "bool_parsing": "true か false と書いてください。",
    "list_type": "行の初めに「- 」を付けて並べてください。",
    "tuple_type": "行の初めに「- 」を付けて並べてください。",
    "dict_type": "「名前: 値」の形で書いてください。",
    "model_type": "「名前: 値」の形で書いてください。",
}
"""Kind of fault (pydantic's word) → what to do. In braces: the limit that the fault tells."""
OTHERWISE = "書き方を確かめてください。"
"""For every other kind: what pydantic says of it is English, and for programmers."""


def check(document: Any) -> tuple[Procedure | None, list[Finding]]:
    """The procedure that a document describes, and everything that keeps it from being published.

    Without a procedure the document is not even readable as one; with findings it is, but must not be offered.
    """
    try:
        procedure = Procedure.model_validate(document)
    except ValidationError as error:
        return None, [Finding(_place(document, each["loc"]), _sentence(each)) for each in _own(error.errors())]
    return procedure, findings(procedure)


def _own(errors: list[Any]) -> list[Any]:
    """Without those that only follow from another: pydantic counts a list's sound entries, and then calls it too short."""
    places = [each["loc"] for each in errors]
    return [
        each
        for each in errors
        if each["type"] != "too_short" or not any(each["loc"] == place[: len(each["loc"])] != place for place in places)
    ]


def _place(document: Any, loc: tuple[Any, ...]) -> str:
    """The way to the fault as a person finds it in the file: what has a key by its key, another entry by its count from 1."""
    words = []
    for part in loc:
        try:
            document = document[part]
        except (LookupError, TypeError):
            document = None
        key = document.get("key") if isinstance(document, dict) else None
        words.append(str(part) if isinstance(part, str) else str(key or f"{part + 1}番目"))
    return ".".join(words)


def _sentence(error: Any) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    sentence = WORDS.get(error["type"], OTHERWISE)
    for name, limit in error.get("ctx", {}).items():
        sentence = sentence.replace(f"{{{name}}}", str(limit))
    return sentence


def checked(document: Any) -> Procedure:
    """The procedure, ready to be offered. Raises Invalid naming every place that does not fit."""
    procedure, found = check(document)
    if procedure is None or found:
        raise Invalid(
            "手続きの内容に、決まりに合わないところがあります。",
            fields={each.place or "procedure": each.sentence for each in found},
        )
    return procedure


def read_yaml(text: str) -> Any:
    """What a YAML file holds. Raises Invalid when it is none, or holds a 個人番号."""
    if len(text) > MAX_FILE:
        raise Invalid("ファイルが大きすぎます。手続きのファイルか確かめてください。")
    mynumber.refuse_in(text)
    try:
        return yaml.load(text, Loader=_NoAliases)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, TypeError, AttributeError) as error:
        # the reader itself stumbles over `!!bool x` and a number of five thousand digits
        raise Invalid(
            "手続きのファイルを読めませんでした。YAMLの書き方を確かめてください。", reason=str(error)
        ) from error


class _NoAliases(yaml.SafeLoader):
    """Aliases let a file of a kilobyte unfold to gigabytes; no file of ours has them. Days stay texts."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read")
        return super().compose_node(parent, index)


_NoAliases.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def from_yaml(text: str) -> Procedure:
    """The procedure in a file. Raises Invalid naming the places that do not fit."""
    return checked(read_yaml(text))


def to_yaml(document: dict[str, Any]) -> str:
    """The same document always gives the same text, so that two files can be compared line by line."""
    return yaml.dump(_in_order(document), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)


def _in_order(document: dict[str, Any]) -> dict[str, Any]:
    """Entries in the order of the model, translations in the order of the texts: not every store keeps an order. A draft
    that does not fit together yet stays as it is."""
    try:
        document = Procedure.model_validate(document).document
    except ValidationError:
        return document
    places = {text: number for number, text in reversed(list(enumerate(texts(document))))}
    known = document.get("translations", {})
    ordered = {lang: dict(sorted(words.items(), key=lambda each: places[each[0]])) for lang, words in known.items()}
    return document | ({"translations": ordered} if ordered else {})


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def common(folder: Path | None = None) -> list[Procedure]:
    """The common procedures that come with the service, by key."""
    paths = sorted((folder or Path(__file__).parents[1] / "procedures").glob("*.yaml"))
    return [from_yaml(path.read_text("utf-8")) for path in paths]
