"""The nine texture features of lecture 3, which lecture 5 classifies, as functions on arrays."""

from dlvc.features.extraction import FEATURE_NAMES, extract
from dlvc.features.gabor import gabor_magnitude
from dlvc.features.glcm import PROPERTIES, cooccurring_pairs, graycoprops
from dlvc.features.gray import to_gray
from dlvc.features.histogram import histogram_energy_entropy
from dlvc.features.lbp import local_binary_pattern

__all__ = [
    "FEATURE_NAMES",
    "PROPERTIES",
    "cooccurring_pairs",
    "extract",
    "gabor_magnitude",
    "graycoprops",
    "histogram_energy_entropy",
    "local_binary_pattern",
    "to_gray",
]
