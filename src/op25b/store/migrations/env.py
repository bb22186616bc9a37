"""Read by Alembic: migrate over the connection that `op25b.store.schema` opened, in its transaction."""

from __future__ import annotations

from alembic import context

from op25b.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
