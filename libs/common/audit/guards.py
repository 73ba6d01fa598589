"""The database's own part: an audit entry is never changed after it is chained, and never deleted but by rule."""

from sqlalchemy import Connection

_CONTENT = ("tenant_id", "id", "at", "actor_kind", "actor", "action", "subject", "reason", "detail")


def install(connection: Connection) -> None:
    """Make the triggers; safe to run again. To be called by every migration that rebuilds one of the two tables."""
    if connection.dialect.name == "postgresql":
        _install_postgresql(connection)
    else:
        _install_sqlite(connection)


def _install_sqlite(connection: Connection) -> None:
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _CONTENT)
    triggers = {
        "audit_entries_change": f"""BEFORE UPDATE ON audit_entries
            WHEN OLD.position IS NOT NULL OR NEW.position IS NULL OR {changed}
            BEGIN SELECT RAISE(ABORT, 'an audit entry is never changed'); END""",
        "audit_entries_delete": """BEFORE DELETE ON audit_entries
            WHEN NOT EXISTS (SELECT 1 FROM audit_heads h
                             WHERE h.tenant_id = OLD.tenant_id AND OLD.position <= h.forgotten_to)
            BEGIN SELECT RAISE(ABORT, 'an audit entry is never deleted'); END""",
        "audit_heads_change": """BEFORE UPDATE ON audit_heads
            WHEN NEW.position < OLD.position OR NEW.forgotten_to < OLD.forgotten_to OR NEW.forgotten_to > NEW.position
            BEGIN SELECT RAISE(ABORT, 'the head of an audit chain only goes forward'); END""",
        "audit_heads_delete": """BEFORE DELETE ON audit_heads
            BEGIN SELECT RAISE(ABORT, 'the head of an audit chain is never deleted'); END""",
    }
    for name, body in triggers.items():
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE TRIGGER {name} {body}")


def _install_postgresql(connection: Connection) -> None:
    changed = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in _CONTENT)
    connection.exec_driver_sql(f"""
        CREATE OR REPLACE FUNCTION audit_entries_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP = 'TRUNCATE' THEN RAISE EXCEPTION 'audit entries are never deleted'; END IF;
          IF TG_OP = 'UPDATE' THEN
            IF OLD.position IS NOT NULL OR NEW.position IS NULL OR {changed} THEN
              RAISE EXCEPTION 'an audit entry is never changed';
            END IF;
            RETURN NEW;
          END IF;
          IF NOT EXISTS (SELECT 1 FROM audit_heads h
                         WHERE h.tenant_id = OLD.tenant_id AND OLD.position <= h.forgotten_to) THEN
            RAISE EXCEPTION 'an audit entry is never deleted';
          END IF;
          RETURN OLD;
        END $$""")  # noqa: S608 (our own column names)
    connection.exec_driver_sql("""
        CREATE OR REPLACE FUNCTION audit_heads_guard() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF TG_OP <> 'UPDATE' THEN RAISE EXCEPTION 'the head of an audit chain is never deleted'; END IF;
          IF NEW.position < OLD.position OR NEW.forgotten_to < OLD.forgotten_to OR NEW.forgotten_to > NEW.position THEN
            RAISE EXCEPTION 'the head of an audit chain only goes forward';
          END IF;
          RETURN NEW;
        END $$""")
    for table in ("audit_entries", "audit_heads"):
        connection.exec_driver_sql(
            f"CREATE OR REPLACE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_guard()"
        )
        connection.exec_driver_sql(
            f"CREATE OR REPLACE TRIGGER {table}_all BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_guard()"
        )
