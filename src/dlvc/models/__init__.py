"""The networks of the lectures."""
