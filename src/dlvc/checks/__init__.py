"""What must be true of the outs of each stage, for `dvcview verify`."""
