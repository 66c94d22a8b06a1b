"""Version 1: the chain of entries."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table, its two indices, and on SQLite the triggers that keep it append-only."""
    op.create_table(
        "entries",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("treatment", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
    )
    op.create_index("entries_by_treatment", "entries", ["treatment", "number"])
    op.create_index("entries_by_kind", "entries", ["kind", "number"])
    if op.get_context().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER entries_no_{act.lower()} BEFORE {act} ON entries "
                "BEGIN SELECT RAISE(ABORT, 'entries are only ever appended'); END"
            )
