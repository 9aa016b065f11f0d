"""Whether everything is as dvc.lock says: bytes, contracts, metrics. Reads, and changes nothing.

inventory            what is there: each file of the workspace and of DVC's cache, by its content
workspace, cache     what of it is not as it should be -> repair: the command that mends it
contracts            what has to be true of each stage's outs, in stage order -> images, training
committed            the metrics beside those of the commit
report               all of them, in a few lines
"""
