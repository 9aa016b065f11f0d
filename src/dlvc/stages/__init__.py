"""The stages of the pipeline, one file each: read parameters, load, compute, save."""
