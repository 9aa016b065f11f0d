"""Lecture 3's normalisation: (x - train minimum) / train maximum, column by column."""

import numpy as np
import pytest

from dlvc.features.scaler import Scaler

# Three training images with four features, the last of which is always 0.
TRAIN = np.array([[1.0, -2.0, 5.0, 0.0], [3.0, 4.0, 5.0, 0.0], [5.0, 8.0, 5.0, 0.0]])


def test_against_the_lecture_s_formula_by_hand():
    assert Scaler.fit(TRAIN).transform(TRAIN).tolist() == [
        [0 / 5, 0 / 8, 0 / 5, 0],
        [2 / 5, 6 / 8, 0 / 5, 0],
        [4 / 5, 10 / 8, 0 / 5, 0],  # by the maximum and not by the range: not 1
    ]


def test_test_images_are_normalised_with_the_training_images_numbers():
    test = np.array([[0.0, -4.0, 6.0, 0.5], [11.0, 8.0, 0.0, -3.0]])
    assert Scaler.fit(TRAIN).transform(test).tolist() == [
        [-1 / 5, -2 / 8, 1 / 5, 0.5],
        [10 / 5, 10 / 8, -5 / 5, -3],
    ]


def test_a_column_of_zeros_stays_and_one_that_ends_at_zero_is_only_shifted():
    train = np.array([[0.0, -4.0], [0.0, -1.0], [0.0, 0.0]])
    assert Scaler.fit(train).transform(train).tolist() == [[0, 0], [0, 3], [0, 4]]


def test_a_negative_maximum_divides_as_it_stands():
    train = np.array([[-4.0], [-2.0]])
    assert Scaler.fit(train).transform(train).tolist() == [[0], [-1]]


def test_the_scale_is_a_number_a_column_and_the_features_are_left_alone():
    scale, before = Scaler.fit(TRAIN), TRAIN.copy()
    scale.transform(TRAIN)
    assert scale.minimum.tolist() == [1, -2, 5, 0]
    assert scale.maximum.tolist() == [5, 8, 5, 0]
    np.testing.assert_array_equal(TRAIN, before)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_an_image_s_numbers_do_not_depend_on_those_beside_it(rows):
    features = np.random.default_rng(3).normal(size=(7, 4))
    scale = Scaler.fit(TRAIN)
    np.testing.assert_array_equal(
        scale.transform(features[:rows]), scale.transform(features)[:rows]
    )
