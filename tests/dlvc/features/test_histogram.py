import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy as scipy_entropy

from dlvc.features import histogram_energy_entropy


def reference(maps, bins):
    """NumPy's histogram, SciPy's entropy, one map at a time."""
    p = [np.histogram(one, bins)[0] / one.size for one in maps]
    return [np.sum(q**2) for q in p], [scipy_entropy(q, base=2) for q in p]


def assert_equals_reference(maps, bins):
    np.testing.assert_allclose(
        histogram_energy_entropy(maps, bins), reference(maps, bins), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("bins", [1, 2, 7, 8, 10])
def test_equals_numpys_histogram(images, bins):
    assert_equals_reference(images, bins)
    assert_equals_reference(images.astype(np.int64) ** 2, bins)


@pytest.mark.parametrize("bins", [3, 6, 7, 8, 10])
def test_values_on_an_edge_go_where_numpy_puts_them(bins):
    for high in range(1, 60):
        assert_equals_reference(np.arange(1000, 1001 + high).reshape(1, 1, -1), bins)
        edges = np.linspace(0.1, high, bins + 1)
        assert_equals_reference(edges.reshape(1, 1, -1), bins)


@given(arrays(np.int64, (2, 3, 4), elements=st.integers(-(10**6), 10**6)), st.integers(1, 12))
def test_equals_numpys_histogram_for_any_map(maps, bins):
    assert_equals_reference(maps, bins)


def test_a_constant_map_is_certain_whatever_stands_beside_it():
    maps = np.array([[[5, 5], [5, 5]], [[1, 2], [3, 4]]])
    energy, entropy = histogram_energy_entropy(maps, bins=4)
    np.testing.assert_array_equal(energy, [1, 0.25])
    np.testing.assert_array_equal(entropy, [0, 2])


def test_refuses_no_bins():
    with pytest.raises(ValueError, match="bins must be at least 1, found 0"):
        histogram_energy_entropy(np.zeros((1, 2, 2)), bins=0)
