"""Checks that outs and cache have the bytes that dvc.lock records. It changes no file.

manifest          the MD5 of each file of the workspace and of DVC's cache
workspace, cache  compare the manifest with dvc.lock -> repair: the command that repairs a file
check             compares the bytes -> verify: the bytes and the project's own checks
"""
