"""Plumbing every service needs and no service owns. Never a municipal word, never a service's name."""
