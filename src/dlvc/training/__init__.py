"""Training: the loop, optimizers, evaluation, checkpoints, several processes, determinism."""
