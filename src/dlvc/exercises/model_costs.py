"""What each model costs in numbers to learn, operations, and memory while it trains.

Nothing here is timed: everything is counted, and the same on every machine.
"""

from __future__ import annotations

import math
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
from dlvc.training.initialization import initialise
from dlvc.training.summary import count_parameters

FLOAT = 4  # bytes of a float32


@dataclass(frozen=True)
class Cost:
    """Of one model: a row of models.csv.

    `operations` are those of a forward pass of one image: a multiplication and an addition are two.
    `activation_bytes` is what one more image in a batch makes autograd keep for the way back.
    """

    model: str
    input: str
    parameters: int
    operations: int
    parameter_bytes: int
    activation_bytes: int


def model_costs(image_size: int) -> Iterator[Cost]:
    """The course's models, and those that lecture 40 compares with.

    The large ones are for 1,000 classes, at `image_size` pixels.
    """
    digits = torch.zeros(3, 28, 28, dtype=torch.uint8)
    yield cost("perceptron", lambda: Perceptron(9), torch.zeros(3, 9))
    yield cost("MLP", MLP, digits)
    yield cost("LeNet", LeNet, digits)
    photos = torch.zeros(3, 3, image_size, image_size)
    for name, build in (
        ("DenseNet-121", densenet121),
        ("ResNet-18", resnet18),
        ("ResNet-34", resnet34),
        ("ResNet-50", resnet50),
        ("VGG-16", vgg16),
    ):
        yield cost(name, build, photos)


def cost(name: str, build: Callable[[], nn.Module], inputs: Tensor) -> Cost:
    """Of a model that takes `inputs`, a batch of three.

    Two and three are compared: batch normalisation cannot train on one small image.
    """
    model = initialise(build, seed=0)
    parameters = count_parameters(model)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(inputs[:1])
    three, two = (kept_for_backward(model.train(), [inputs[:n].clone()]) for n in (3, 2))
    return Cost(
        name,
        "x".join(map(str, inputs.shape[1:])),
        parameters,
        counter.get_total_flops(),
        parameters * FLOAT,
        three - two,
    )


def kept_for_backward(model: nn.Module, batches: list[Tensor]) -> int:
    """The bytes that autograd keeps until it goes backward from the sum of the batches' losses.

    The parameters are not counted: they are there anyhow.
    """
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        labels = [torch.zeros(len(batch), dtype=torch.int64) for batch in batches]
        losses = [
            F.cross_entropy(model(batch), label)
            for batch, label in zip(batches, labels, strict=True)
        ]
        total = torch.stack(losses).sum()
    kept_bytes = sum(kept.values())
    del total  # all of it had to be there at once, or two tensors could have had one address
    return kept_bytes


def activation_rows(batch_size: int, batches: int) -> Iterator[dict[str, int]]:
    """Of lecture 24's MLP: what is kept of one batch, and of several whose losses are added up."""
    model = initialise(MLP, seed=0)
    batch = torch.zeros(batch_size, 28, 28, dtype=torch.uint8)
    for count in (1, batches):
        kept = kept_for_backward(model, [batch] * count)
        yield {"batches": count, "images": count * batch_size, "activation_bytes": kept}


def size_rows() -> Iterator[dict[str, object]]:
    """Of LeNet at two image sizes and two batch sizes: what it learns, and what it puts out.

    At another size than 32 px the first linear layer has as many inputs as there are then.
    """
    lenet = initialise(LeNet, seed=0)
    convolutions = nn.Sequential(lenet.conv1, nn.MaxPool2d(2), lenet.conv2, nn.MaxPool2d(2))
    linear = [lenet.fc2, lenet.fc3]
    for size in (32, 64):
        for batch in (1, 2):
            with torch.no_grad():
                shape = convolutions(torch.zeros(batch, 1, size, size)).shape
            fc1 = math.prod(shape[1:]) * lenet.fc1.out_features + lenet.fc1.out_features
            learned = count_parameters(convolutions)
            yield {
                "image_size": size,
                "batch_size": batch,
                "convolution_parameters": learned,
                "parameters": learned + fc1 + sum(map(count_parameters, linear)),
                "convolution_output": "x".join(map(str, shape)),
            }
