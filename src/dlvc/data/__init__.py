"""Loaders that read the data sets as arrays: uint8 images and int64 labels."""
