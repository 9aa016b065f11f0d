"""Update rules, optimizers, and the one loop that trains every model."""
