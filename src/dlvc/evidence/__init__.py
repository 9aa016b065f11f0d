"""The input of the comparison: the outs of all stages, and the lectures' figures and claims."""
