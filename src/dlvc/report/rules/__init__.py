"""Rules that compute the verdict on each claim from the outs. No verdict is written by hand."""
