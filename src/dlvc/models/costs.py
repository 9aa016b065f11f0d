"""What each model costs: parameters, operations, and memory during training.

The numbers are counted, not measured, so they are the same on every machine. The models are on
torch's meta device: their tensors have shapes and no values, and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import densenet121, resnet18, resnet34, resnet50, vgg16

from dlvc.models.lenet import LeNet
from dlvc.models.mlp.network import MLP
from dlvc.models.perceptron import Perceptron
from dlvc.training.summary import count_parameters

FLOAT = 4  # bytes of a float32


@dataclass(frozen=True)
class Cost:
    """The cost of one model: a row of models.csv.

    `operations` are those of a forward pass of one image; a multiplication and an addition are two.
    `activation_bytes` is what autograd stores for the backward pass for each image in a batch.
    """

    model: str
    input: str
    parameters: int
    operations: int
    parameter_bytes: int
    activation_bytes: int


def model_costs(image_size: int) -> Iterator[Cost]:
    """The costs of the course's models, and of the models that lecture 40 compares.

    The large models have 1,000 classes and images of `image_size` pixels.
    """
    digits = torch.zeros(3, 28, 28, dtype=torch.uint8, device="meta")
    yield cost("perceptron", lambda: Perceptron(9), torch.zeros(3, 9, device="meta"))
    yield cost("MLP", MLP, digits)
    yield cost("LeNet", LeNet, digits)
    photos = torch.zeros(3, 3, image_size, image_size, device="meta")
    for name, model_fn in (
        ("DenseNet-121", densenet121),
        ("ResNet-18", resnet18),
        ("ResNet-34", resnet34),
        ("ResNet-50", resnet50),
        ("VGG-16", vgg16),
    ):
        yield cost(name, model_fn, photos)


def cost(name: str, model_fn: Callable[[], nn.Module], inputs: Tensor) -> Cost:
    """The cost of a model with these inputs, a batch of three on the meta device.

    The activations are the difference between a batch of three and one of two, because batch
    normalization cannot train on a single small image.
    """
    with torch.device("meta"):
        model = model_fn()
    parameters = count_parameters(model)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(inputs[:1])
    three, two = (stored_bytes(model.train(), [inputs[:n].clone()]) for n in (3, 2))
    return Cost(
        name,
        "x".join(map(str, inputs.shape[1:])),
        parameters,
        counter.get_total_flops(),
        parameters * FLOAT,
        three - two,
    )


def stored_bytes(model: nn.Module, batches: list[Tensor]) -> int:
    """The bytes that autograd stores until the backward pass of the sum of the batches' losses.

    The parameters are not counted, because they are stored anyway.
    """
    parameters = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    stored: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in parameters:
            stored[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        labels = [
            torch.zeros(len(batch), dtype=torch.int64, device=batch.device) for batch in batches
        ]
        losses = [
            F.cross_entropy(model(batch), label)
            for batch, label in zip(batches, labels, strict=True)
        ]
        total = torch.stack(losses).sum()
    result = sum(stored.values())
    del total  # not earlier: a freed storage could be reused, and would be counted only once
    return result


def activation_rows(batch_size: int, batches: int) -> Iterator[dict[str, int]]:
    """The stored bytes of lecture 24's MLP for one batch, and for several with summed losses."""
    with torch.device("meta"):
        model = MLP()
        batch = torch.zeros(batch_size, 28, 28, dtype=torch.uint8)
    for count in (1, batches):
        stored = stored_bytes(model, [batch] * count)
        yield {"batches": count, "images": count * batch_size, "activation_bytes": stored}


def size_rows() -> Iterator[dict[str, object]]:
    """LeNet's parameters and the shape of its output, for one image and for two."""
    for batch_size in (1, 2):
        with torch.device("meta"), torch.no_grad():
            lenet = LeNet()
            output = lenet(torch.zeros(batch_size, 28, 28, dtype=torch.uint8))
        yield {
            "batch_size": batch_size,
            "parameters": count_parameters(lenet),
            "output": "x".join(map(str, output.shape)),
        }
