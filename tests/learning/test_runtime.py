"""Where the arithmetic is done."""

from __future__ import annotations

import pytest
import torch

from dlvc.errors import UserError
from dlvc.learning.runtime import prepare_runtime


@pytest.fixture(autouse=True)
def as_before():
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def test_threads_and_determinism_are_set():
    assert prepare_runtime("cpu", 1) == torch.device("cpu")
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


def test_auto_takes_a_gpu_when_there_is_one(monkeypatch):
    assert prepare_runtime("auto", 1).type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_a_clear_error():
    with pytest.raises(UserError, match=r"runtime\.device is cuda, but torch finds no GPU"):
        prepare_runtime("cuda", 1)
