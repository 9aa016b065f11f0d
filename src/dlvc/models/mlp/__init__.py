"""The fully connected network of lectures 24 and 25."""
