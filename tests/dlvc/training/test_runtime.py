"""Where and how the arithmetic is done."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from torch.nn import functional as F

from dlvc.models.densenet import DenseNet121
from dlvc.models.lenet import LeNet
from dlvc.models.mlp.network import MLP
from dlvc.params.schema import Runtime as Settings
from dlvc.training.initialization import init_model
from dlvc.training.runtime import Runtime, computed_with, prepare_runtime
from dvcview.errors import UserError


@pytest.fixture(autouse=True)
def as_before():
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


def prepared(**changed) -> Runtime:
    usual = {
        "device": "cpu",
        "threads": 1,
        "processes": 1,
        "precision": "float32",
        "memory_format": "channels_last",
        "compile": False,
        "reproducible": "machine",
    }
    return prepare_runtime(Settings(**{**usual, **changed}))


def digits(number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (number, 28, 28), dtype=torch.uint8, generator=generator)


def photos(number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (number, 32, 32, 3), dtype=torch.uint8, generator=generator)


def test_threads_and_determinism_are_set():
    assert prepared().device == torch.device("cpu")
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


def test_what_the_last_digits_depend_on_is_said_in_one_line():
    said = computed_with(prepared().device)
    for word in (
        torch.backends.cpu.get_cpu_capability(),
        "threads: 1",
        f"torch {torch.__version__}",
    ):
        assert word in said
    assert "\n" not in said
    assert said != computed_with(prepared(threads=2).device)


def test_auto_takes_a_gpu_when_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert prepared(device="auto").device.type == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_a_clear_error():
    with pytest.raises(UserError, match=r"runtime\.device is cuda, but torch finds no GPU"):
        prepared(device="cuda")


def test_compilation_without_a_compiler_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match=r"compile is true.* no-such-compiler is not found"):
        prepared(compile=True)


def test_float32_leaves_the_model_as_it_is():
    plain = init_model(MLP, seed=1)
    model = prepared().prepare(copy.deepcopy(plain))
    assert torch.equal(model(digits(5)), plain(digits(5)))


def test_lenet_is_contiguous_whatever_the_settings_say():
    model = prepared(memory_format="channels_last").prepare(LeNet())
    assert all(w.is_contiguous() for w in model.parameters())
    assert not model.conv2.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
@pytest.mark.parametrize(
    ("build", "images"),
    [(LeNet, digits(4)), (lambda: DenseNet121(32), photos(4))],
    ids=["LeNet", "DenseNet"],
)
def test_the_memory_format_changes_the_layout_and_not_the_result(build, images, memory_format):
    plain = init_model(build, seed=1).eval()
    model = prepared(memory_format=memory_format).prepare(copy.deepcopy(plain))
    if build is LeNet:
        memory_format = "contiguous"  # LeNet has a format of its own
    format_of = {
        "channels_last": torch.channels_last,
        "contiguous": torch.contiguous_format,
    }[memory_format]
    kernels = [w for w in model.parameters() if w.dim() == 4]
    assert all(w.is_contiguous(memory_format=format_of) for w in kernels)
    torch.testing.assert_close(model(images), plain(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("build", "images"),
    [(MLP, digits(4)), (LeNet, digits(4)), (lambda: DenseNet121(32), photos(4))],
    ids=["MLP", "LeNet", "DenseNet"],
)
def test_bfloat16_computes_with_fewer_digits_and_keeps_float32_at_both_ends(build, images):
    plain = init_model(build, seed=1).eval()
    model = prepared(precision="bfloat16").prepare(copy.deepcopy(plain))
    outputs, expected = model(images), plain(images)
    assert outputs.dtype == torch.float32
    assert not torch.equal(outputs, expected)
    torch.testing.assert_close(outputs, expected, rtol=0.05, atol=0.1)
    F.cross_entropy(outputs, torch.tensor([0, 1, 2, 3])).backward()
    assert {w.dtype for w in model.parameters()} == {torch.float32}
    assert {w.grad.dtype for w in model.parameters()} == {torch.float32}


@pytest.mark.full
@pytest.mark.skipif(not shutil.which("g++"), reason="there is no C++ compiler here")
@pytest.mark.filterwarnings("ignore")  # torch's own compiler warns of torch's own ways
def test_a_compiled_model_is_the_same_model():
    plain = init_model(MLP, seed=1)
    model = prepared(compile=True).prepare(copy.deepcopy(plain))
    torch.testing.assert_close(model(digits(5)), plain(digits(5)), rtol=1e-4, atol=1e-5)
    assert model.state_dict().keys() == plain.state_dict().keys()
