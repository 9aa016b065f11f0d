"""Which class is taken for which."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from dlvc.training.metrics import confusion_matrix


def test_against_a_matrix_counted_by_hand():
    labels, predicted = [0, 0, 0, 1, 1, 2], [0, 0, 2, 1, 0, 2]
    matrix = confusion_matrix(labels, predicted, classes=3)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[2, 0, 1], [1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_against_scikit_learn(dtype):
    labels, predicted = np.random.default_rng(0).integers(0, 100, (2, 5000)).astype(dtype)
    expected = sklearn_confusion_matrix(labels, predicted, labels=range(100))
    assert (confusion_matrix(labels, predicted, 100) == expected).all()


def test_classes_that_do_not_occur_keep_their_place():
    assert confusion_matrix([2], [2], classes=4).tolist() == np.diag([0, 0, 1, 0]).tolist()
    assert confusion_matrix([], [], classes=2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("wrong", [-1, 3])
def test_a_class_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match="labels"):
        confusion_matrix([0, wrong], [0, 0], classes=3)
    with pytest.raises(ValueError, match="predicted"):
        confusion_matrix([0, 0], [0, wrong], classes=3)
