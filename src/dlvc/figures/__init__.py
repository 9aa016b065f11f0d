"""Functions that draw arrays as matplotlib figures. They keep no global state."""
