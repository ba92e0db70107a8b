"""What Alembic runs around every command: the connection and its transaction are the caller's."""

from alembic import context

from underwing.casebook.migrations import TABLE

given = context.config.attributes
context.configure(
    connection=given["connection"],
    target_metadata=given.get("metadata"),
    version_table=TABLE,
    compare_type=True,
    transactional_ddl=False,  # the caller's transaction is around it
)
context.run_migrations()
