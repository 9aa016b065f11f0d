"""MLflow for a team: a server, and a PostgreSQL database for it."""
