"""The room of the open data service: a municipality's data sets, versions and files; carried out, carried in, removed."""

from services.opendata.rooms.room import OpendataRoom

__all__ = ["OpendataRoom"]
