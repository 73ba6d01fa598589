"""files of data sets that were withdrawn before their addresses told so: they answer 410 with the reason, like the data set's page

Withdrawing took `published_resources` away until then, and the file's address knew nothing of it any more (404).
"""

from alembic import op

revision = "opendata_0007"
down_revision = "opendata_0006"
branch_labels = None
depends_on = None

SQLITE = """INSERT INTO published_resources (id, dataset_id)
            SELECT json_extract(told.value, '$.id'), published.id
              FROM published, json_each(published.document, '$.resources') AS told
             WHERE published.state = 'withdrawn' ON CONFLICT DO NOTHING"""
POSTGRESQL = """INSERT INTO published_resources (id, dataset_id)
                SELECT told->>'id', published.id
                  FROM published, jsonb_array_elements(published.document->'resources') AS told
                 WHERE published.state = 'withdrawn' ON CONFLICT DO NOTHING"""


def upgrade() -> None:
    op.execute(POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE)
