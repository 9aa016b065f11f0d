"""The nine texture features of lecture 3, which lecture 5 classifies: arrays in, arrays out."""

from dlvc.features.extraction import FEATURE_NAMES, extract
from dlvc.features.gabor import gabor_magnitude
from dlvc.features.glcm import (
    contrast,
    cooccurring_pairs,
    correlation,
    dissimilarity,
    energy,
    homogeneity,
)
from dlvc.features.gray import to_gray
from dlvc.features.histogram import histogram_energy_entropy
from dlvc.features.lbp import local_binary_pattern

__all__ = [
    "FEATURE_NAMES",
    "contrast",
    "cooccurring_pairs",
    "correlation",
    "dissimilarity",
    "energy",
    "extract",
    "gabor_magnitude",
    "histogram_energy_entropy",
    "homogeneity",
    "local_binary_pattern",
    "to_gray",
]
