"""The networks of the course, as the lectures draw them."""
