"""The rules of e-application: standard library and libs.common.errors only."""
