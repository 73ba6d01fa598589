"""The room of e-application: prepared with the common procedures, carried out and in as one open archive, removed."""

from services.eapply.rooms.room import EapplyRoom

__all__ = ["EapplyRoom"]
