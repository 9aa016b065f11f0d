"""A rule for every claim: from outs to a verdict. None is typed in."""
