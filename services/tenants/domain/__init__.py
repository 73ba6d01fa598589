"""The rules of the registry. Standard library, `libs.common.errors` and the calendar of `libs.common.clock` only."""
