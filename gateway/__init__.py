"""The only door: who is asking, for which tenant, allowed to pass or not. Knows prefixes, no municipal word."""
