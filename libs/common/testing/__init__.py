"""What tests of every service share: a migrated database of their own on each store, actors, a service in one process."""
