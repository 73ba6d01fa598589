"""The room of e-bidding: carried out and in as one open archive, removed."""

from services.ebid.rooms.room import EbidRoom

__all__ = ["EbidRoom"]
