"""The report: the lectures' figures and claims, compared with the results."""
