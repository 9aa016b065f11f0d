"""What the results are compared from: the outs of all stages, and what the lectures published."""
