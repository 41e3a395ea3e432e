"""Runs the migrations on the connection that `Database.upgrade` opened."""

from alembic import context

from indicia.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
context.run_migrations()
