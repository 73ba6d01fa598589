"""Where restic's own folders have a file (restic's design document, "Repository layout")."""

from services.backup.domain.protocol import CONFIG, Target, target_of


def place_of(type_: str, name: str) -> str:
    """Path inside a repository's folder."""
    if type_ == CONFIG:
        return CONFIG
    return f"{type_}/{name[:2]}/{name}" if type_ == "data" else f"{type_}/{name}"


def target_of_place(place: str) -> Target | None:
    """What lies at such a path; None for everything that is no part of a repository."""
    parts = place.split("/")
    flat = f"{parts[0]}/{parts[-1]}" if len(parts) > 1 else place
    target = target_of(flat)
    known = target is not None and target.kind in ("config", "object") and place_of(target.type, target.name) == place
    return target if known else None
