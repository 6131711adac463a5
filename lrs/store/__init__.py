"""The store: PostgreSQL, its schema, its named queries, and what is read from and written to it."""
