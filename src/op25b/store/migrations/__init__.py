"""Alembic's scripts: each takes a store one version forward. There is no way back but a copy."""
