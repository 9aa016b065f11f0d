"""What the lectures leave to do: each module trains what one of their claims is about."""
