"""The room of the backup service: an allowance, then repositories; carried out as restic's own folders, carried in, removed."""

from services.backup.rooms.room import BackupRoom

__all__ = ["BackupRoom"]
