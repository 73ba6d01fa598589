"""What every service promises about its rooms."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Action = Literal["provision", "suspend", "resume", "export", "import", "delete"]


@dataclass(frozen=True, slots=True)
class Step:
    """`done` of `total` steps are behind; `label` says in Japanese what has just been done."""

    done: int
    total: int
    label: str


Facts = dict[str, Any]
Progress = Generator[Step, None, Facts | None]


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """`tenant` is the registry's unchanging id; `code` and `name` are the municipality's present ones (None:
    unchanged).

    `archive` is the stored file (in the service's store, of this tenant) that `import_` reads.
    """

    request_id: str
    tenant: str
    action: Action
    code: str | None = None
    name: str | None = None
    archive: str | None = None


class Room(Protocol):
    """Made with the `Service` of the process: `EapplyRoom(service)`."""

    def provision(self, request: RoomRequest) -> Progress:
        """Put everything in place that the tenant needs to begin."""
        ...

    def suspend(self, request: RoomRequest) -> Progress:
        """Stop what runs by itself (reminders, harvests); the door is closed by `check_open`. Data stays."""
        ...

    def resume(self, request: RoomRequest) -> Progress:
        """Begin again where `suspend` stopped."""
        ...

    def export(self, request: RoomRequest) -> Progress:
        """Everything the tenant owns, in open formats, as one stored file: returns `file`, `size`, `sha256`."""
        ...

    def import_(self, request: RoomRequest) -> Progress:
        """Instead of `provision`: make the room from such a file (`request.archive`). What a killed import left is
        completed; a room that holds anything that is not in the file is refused."""
        ...

    def delete(self, request: RoomRequest) -> Progress:
        """Remove every row and every stored byte of the tenant."""
        ...


def method_of(room: Room, action: Action) -> Any:
    """The method that does `action`."""
    return getattr(room, "import_" if action == "import" else action)


def drain(progress: Progress) -> Facts:
    """Take all steps; the facts it returned."""
    while True:
        try:
            next(progress)
        except StopIteration as end:
            return end.value or {}
