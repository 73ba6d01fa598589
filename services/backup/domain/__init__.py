"""The rules of the backup service: protocol, modes, quotas, retention, recovery points. Standard library and errors only."""
