"""The text of a notice: first line the subject, an empty line, then the body. Jinja2; a missing value is an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from jinja2 import Template as JinjaTemplate

# Plain text, no markup: nothing to escape.
_environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)  # noqa: S701


@dataclass(frozen=True)
class Template:
    """`name` is what a list of notices can be filtered by."""

    name: str
    source: JinjaTemplate

    def render(self, context: Mapping[str, Any]) -> tuple[str, str]:
        """Subject (one line) and body."""
        text = self.source.render(context).replace("\r\n", "\n")
        subject, _, body = text.partition("\n\n")
        return " ".join(subject.split()), body.strip() + "\n"


def template(path: Path) -> Template:
    """The template in a file, named like the file."""
    return from_text(path.stem, path.read_text("utf-8"))


def from_text(name: str, text: str) -> Template:
    """A template given as text."""
    return Template(name, _environment.from_string(text))
