import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor
from torchvision.transforms.v2.functional import resize

from dlvc.models.preprocessing import enlarge, unit_interval


def test_gray_values_become_the_numbers_that_torchvision_makes_of_them():
    values = torch.arange(256, dtype=torch.uint8).reshape(16, 16)
    scaled = unit_interval(values)
    assert scaled.dtype == torch.float32
    assert scaled[0, 0] == 0
    assert scaled[3, 3] == torch.tensor(0.2)  # 51 of 255
    assert scaled[15, 15] == 1
    assert torch.equal(scaled, to_tensor(values.numpy())[0])


def test_two_pixels_become_four_by_hand():
    """A new pixel's middle lies at 1/4, 3/4, 5/4, 7/4 of an old one; the ends are held."""
    image = torch.tensor([[0.0, 4.0], [8.0, 12.0]])[None, None]
    assert enlarge(image, 4)[0, 0].tolist() == [
        [0, 1, 3, 4],
        [2, 3, 5, 6],
        [6, 7, 9, 10],
        [8, 9, 11, 12],
    ]


@pytest.mark.parametrize("size", [28, 32])
def test_an_image_that_has_the_size_is_left_as_it_is(size):
    image = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    assert torch.equal(enlarge(image, size), image)


@pytest.mark.parametrize("size", [32, 224])
def test_corners_keep_their_values_and_a_plane_image_stays_plane(size):
    image = torch.rand(2, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    larger = enlarge(image, size)
    assert larger.shape == (2, 3, size, size)
    for row in (0, -1):
        for column in (0, -1):
            torch.testing.assert_close(larger[..., row, column], image[..., row, column])
    plane = torch.full((1, 1, 28, 28), 0.3)
    torch.testing.assert_close(enlarge(plane, size), torch.full((1, 1, size, size), 0.3))


@pytest.mark.parametrize(("old", "new"), [(28, 32), (32, 224)])
def test_against_torchvision_and_against_pillow_which_rounds_to_gray_values(old, new):
    pixels = np.random.default_rng(2).integers(0, 256, (old, old), dtype=np.uint8)
    ours = enlarge(unit_interval(torch.from_numpy(pixels))[None, None], new)[0, 0]
    theirs = resize(torch.from_numpy(pixels)[None] / 255, [new, new], antialias=True)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    pillow = np.asarray(Image.fromarray(pixels).resize((new, new), Image.Resampling.BILINEAR))
    assert np.abs(ours.numpy() - pillow / 255.0).max() <= 1 / 255
