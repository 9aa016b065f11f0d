"""dlvc: five lectures of Deep Learning for Visual Computing as one reproducible pipeline."""
