"""Pictures from wherever they lie, as arrays: uint8 images, int64 labels."""
