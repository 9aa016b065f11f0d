"""The training loops of lectures 24, 29 and 40, as their notebooks have them.

Written plainly after the transcripts: a loader (but in 24c) with four workers that turns each
picture into a tensor by itself, a graph for each batch, the loss fetched after each. What torch no
longer has is as torch now writes it (`Variable` is gone, `loss.data[0]` is `loss.item()`); what the
notebooks draw is left out. Each function trains one epoch and tests once, as one turn of their
loops does; those that are left after some updates do not test.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import models, transforms

from dlvc.arrays.dataset import Dataset

WORKERS = 4
CPU = torch.device("cpu")


class Pictures(TorchDataset[tuple[Tensor, Tensor]]):
    """What `torchvision.datasets.MNIST` and `CIFAR10` do: an array, a PIL image, a tensor."""

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[np.int64],
        transform: Callable[[Image.Image], Tensor],
    ) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture = Image.fromarray(self.images[index])
        return self.transform(picture), torch.tensor(self.labels[index])


Loader = DataLoader[tuple[Tensor, Tensor]]


def loaders(data: Dataset, batch_size: int, *, size: int | None = None) -> tuple[Loader, Loader]:
    """The notebooks' two loaders; with `size` each picture is resized by itself."""
    steps = [transforms.Resize(size)] if size else []
    transform = transforms.Compose([*steps, transforms.ToTensor()])
    train = Pictures(data.train_images, data.train_labels, transform)
    test = Pictures(data.test_images, data.test_labels, transform)
    with warnings.catch_warnings():  # of four workers on fewer cores
        warnings.simplefilter("ignore", UserWarning)
        return (
            DataLoader(train, batch_size=batch_size, shuffle=True, num_workers=WORKERS),
            DataLoader(test, batch_size=batch_size, shuffle=False, num_workers=WORKERS),
        )


class NeuralNet(nn.Module):
    """Lectures 24 and 25."""

    def __init__(self) -> None:
        super().__init__()
        self.Layer1 = nn.Sequential(
            nn.Linear(28 * 28, 400), nn.ReLU(), nn.Linear(400, 256), nn.ReLU()
        )
        self.Layer2 = nn.Sequential(nn.Linear(256, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Scores `(N, 10)` of `(N, 784)`."""
        x = self.Layer1(x)
        scores: Tensor = self.Layer2(x)
        return scores


class LeNet(nn.Module):
    """Lecture 29."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=5)
        self.pool1 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.pool2 = nn.MaxPool2d(kernel_size=2, stride=2)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Log-probabilities `(N, 10)` of `(N, 1, 32, 32)`."""
        x = self.pool1(F.relu(self.conv1(x)))
        x = self.pool2(F.relu(self.conv2(x)))
        x = x.view(-1, 400)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return F.log_softmax(self.fc3(x), dim=1)


def count_correct(net: nn.Module, loader: Loader, *, flat: bool, device: torch.device = CPU) -> int:
    """The notebooks' test loop."""
    correct = 0
    for images, answers in loader:
        inputs, labels = images.to(device), answers.to(device)
        outputs = net(inputs.view(-1, 28 * 28) if flat else inputs)
        _, predicted = torch.max(outputs.data, 1)
        correct += int((predicted == labels).sum())
    return correct


def update(net: nn.Module, loss: Tensor, learning_rate: float) -> float:
    """Go backward from a loss and take a step, as lecture 24 does by each of its rules."""
    net.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for f in net.parameters():
        f.data.sub_(f.grad.data * learning_rate)  # type: ignore[union-attr]
    return loss.item()


def once_an_epoch(
    data: Dataset, learning_rate: float = 0.1, *, device: torch.device = CPU
) -> nn.Module:
    """Lecture 24a: the losses of all batches add up, with all their graphs; then one update."""
    train_loader, test_loader = loaders(data, batch_size=100)
    net, criterion = NeuralNet().to(device), nn.CrossEntropyLoss()
    total_loss = torch.zeros(())
    for i, (images, answers) in enumerate(train_loader):
        inputs, labels = images.to(device), answers.to(device)
        outputs = net(inputs.view(-1, 28 * 28))
        loss = criterion(outputs, labels)
        total_loss = loss if i == 0 else total_loss + loss
    total_loss = total_loss / (i + 1)
    update(net, total_loss, learning_rate)
    count_correct(net, test_loader, flat=True, device=device)
    return net


def once_a_batch(
    data: Dataset, learning_rate: float = 0.1, *, device: torch.device = CPU
) -> nn.Module:
    """Lecture 24b."""
    train_loader, test_loader = loaders(data, batch_size=100)
    net, criterion = NeuralNet().to(device), nn.CrossEntropyLoss()
    running_loss = 0.0
    for images, answers in train_loader:
        inputs, labels = images.to(device), answers.to(device)
        outputs = net(inputs.view(-1, 28 * 28))
        running_loss += update(net, criterion(outputs, labels), learning_rate)
    count_correct(net, test_loader, flat=True, device=device)
    return net


def once_a_sample(
    data: Dataset, updates: int, learning_rate: float = 0.01, *, device: torch.device = CPU
) -> nn.Module:
    """Lecture 24c, left after so many updates. It has no loader: each image is fetched by its
    number, once for its pixels and once for its label."""
    train = Pictures(data.train_images, data.train_labels, transforms.ToTensor())
    net, criterion = NeuralNet().to(device), nn.CrossEntropyLoss()
    running_loss = 0.0
    for i in range(updates):
        inputs, labels = train[i][0].to(device), train[i][1].reshape(1).to(device)
        outputs = net(inputs.view(-1, 28 * 28))
        running_loss += update(net, criterion(outputs, labels), learning_rate)
    return net


def lenet(data: Dataset) -> nn.Module:
    """Lecture 29."""
    train_loader, test_loader = loaders(data, batch_size=100, size=32)
    net, criterion = LeNet(), nn.NLLLoss()
    optimizer = optim.Adam(net.parameters(), lr=1e-4)
    running_loss = 0.0
    net.train(True)
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    net.train(False)
    count_correct(net, test_loader, flat=False)
    return net


def densenet(data: Dataset, updates: int) -> nn.Module:
    """Lecture 40, left after so many updates."""
    train_loader, _ = loaders(data, batch_size=32, size=224)
    net: nn.Module = models.densenet121()
    net.classifier = nn.Linear(1024, 10)
    criterion = nn.NLLLoss()
    optimizer = optim.Adam(net.parameters(), lr=1e-4)
    running_loss, running_correct = 0.0, 0
    net.train(True)
    for inputs, labels in islice(train_loader, updates):
        optimizer.zero_grad()
        outputs = F.log_softmax(net(inputs), dim=1)
        _, preds = torch.max(outputs.data, 1)
        running_correct += int((preds == labels).sum())
        loss = criterion(outputs, labels)
        running_loss += loss.item()
        loss.backward()
        optimizer.step()
    return net
