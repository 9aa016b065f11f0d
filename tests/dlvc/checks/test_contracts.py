"""Each contract holds of what a stage leaves, and says so when one thing is not as promised."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dlvc.arrays.array_files import write_npy, write_pickle
from dlvc.arrays.dataset import Dataset, save_dataset
from dlvc.checks.contract import Outs
from dlvc.checks.contracts import CONTRACTS
from dlvc.features import FEATURE_NAMES
from dlvc.features.scaler import Scaler
from dlvc.models.lenet import LeNet
from dlvc.params.reader import Params
from dlvc.training.results import TRUE_CLASS
from dlvc.training.summary import summarize
from dlvc.training.weights import write_weights
from dvcview.files.artifacts import write_csv, write_json
from dvcview.project.lockfile import Pipeline, StageState
from tests.imports import ROOT

CLASSES = tuple("abcdefghij")
TRAIN, TEST = 230, 20  # images; 230 in batches of 100 make 3 updates
EPOCHS = 2


def picture(path):
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def images(folder, shape):
    rng = np.random.default_rng(1)
    arrays = [
        part
        for n in (TRAIN, TEST)
        for part in (rng.integers(0, 256, (n, *shape), dtype=np.uint8), np.arange(n) % 10)
    ]
    save_dataset(folder, Dataset("noise", None, CLASSES, *arrays))


def features(root):
    folder, rng = root / "data/features", np.random.default_rng(2)
    folder.mkdir()
    shutil.copy(root / "data/photos/summary.json", folder)
    train = rng.random((TRAIN, 9))
    scale = Scaler.fit(train)
    for part, raw in (("train", train), ("test", rng.random((TEST, 9)))):
        write_pickle(folder / f"{part}Feats.pkl", scale.transform(raw))
        write_npy(folder / f"{part}_unnormalised.npy", raw)
        labels = np.load(root / f"data/photos/{part}_labels.npy")
        write_pickle(folder / f"{part}Label.pkl", labels)
    limits = np.stack([scale.minimum, scale.maximum], 1).tolist()
    write_json(folder / "scale.json", dict(zip(FEATURE_NAMES, limits, strict=True)))


def lenet(folder, update_losses):
    """Results with the shape of a training's, of a model that has not learned."""
    model = LeNet()
    rows = [
        {
            "epoch": epoch, "updates": 3 * epoch, "train_loss": 2.0 / epoch, "train_accuracy": 0.5,
            "test_loss": 2.1, "test_accuracy": 0.5, "train_loss_lecture_scale": 0.02,
        }
        for epoch in (1, 2)
    ]  # fmt: skip
    write_csv(folder / "curves.csv", rows)
    seeds = [{"seed": seed, **row} for seed in (29, 30) for row in rows]
    write_csv(folder / "seeds.csv", seeds)
    for name in ("conv1", "conv2"):
        write_npy(folder / f"{name}.npy", np.ones((2, 6, 5, 5), dtype=np.float32))
    more = {"parameters": 61706, "data": "noise", "computed": "here"}
    write_json(folder / "metrics.json", {**rows[-1], **more})
    write_weights(folder / "weights.safetensors", model.state_dict())
    counts = np.eye(10, dtype=int) + np.roll(np.eye(10, dtype=int), 1, axis=1)
    write_csv(
        folder / "confusion.csv",
        [
            {TRUE_CLASS: name, **dict(zip(CLASSES, row, strict=True))}
            for name, row in zip(CLASSES, counts.tolist(), strict=True)
        ],
    )
    table = summarize(model, torch.zeros(1, 28, 28, dtype=torch.uint8))
    write_csv(folder / "layers.csv", [vars(row) for row in table])
    write_npy(folder / "update_losses.npy", update_losses)
    write_npy(folder / "correct.npy", np.tile(np.arange(TEST) % 2 == 0, (2, EPOCHS, 1)))


@pytest.fixture(scope="session")
def intact(tmp_path_factory):
    root = tmp_path_factory.mktemp("intact")
    images(root / "data/digits", (28, 28))
    images(root / "data/photos", (32, 32, 3))
    features(root)
    lenet(root / "results/lenet", np.ones(6, dtype=np.float32))
    pictures = ("figures/images/digits/contact_sheet.png", "figures/kernels/lenet/conv1.png")
    for name in pictures:
        picture(root / name)
    write_json(root / "figures/sources.json", {name: {} for name in pictures})
    write_json(root / "params.schema.json", Params.model_json_schema())
    return root


@pytest.fixture
def root(intact, tmp_path):
    return shutil.copytree(intact, tmp_path / "project")


STATES = {
    **{
        f"data/{name}": StageState(name, "", {}, {}, {f"data/{name}": "0.dir"})
        for name in ("digits", "photos", "features")
    },
    "results/lenet": StageState(
        "lenet", "", {}, {"lenet": {"epochs": EPOCHS, "batch_size": 100, "seed": 29, "seeds": 2}},
        {"results/lenet/metrics.json": "0", "results/lenet/curves.csv": "0"},
    ),
    "figures": StageState(
        "figures", "", {}, {}, {"figures/sources.json": "0", "figures/images": "0.dir"}
    ),
    "params.schema.json": StageState("params", "", {}, {}, {"params.schema.json": "0"}),
}  # fmt: skip


def failures(root, folder):
    outs = Outs(root, STATES[folder])
    found = {}
    for contract in CONTRACTS[outs.state.stage]:
        for complaint in contract.violations(outs):
            found.setdefault(outs.name(contract.file), []).append(complaint)
    return found


def test_there_is_a_contract_for_every_stage_of_the_pipeline_in_its_order():
    assert list(CONTRACTS) == list(Pipeline(ROOT, ROOT, None).states())


@pytest.mark.parametrize("folder", list(STATES))
def test_what_a_stage_leaves_keeps_its_contract(root, folder):
    assert failures(root, folder) == {}


def edit_json(name, **values):
    def edit(root):
        path = root / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return edit


def edit_text(name, old, new):
    def edit(root):
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return edit


def edit_npy(name, change):
    def edit(root):
        np.save(root / name, change(np.load(root / name)))

    return edit


def edit_pickle(name, change):
    def edit(root):
        write_pickle(root / name, change(np.load(root / name, allow_pickle=True)))

    return edit


def edit_weights(change):
    def edit(root):
        path = root / "results/lenet/weights.safetensors"
        save_file(change(load_file(path)), path)

    return edit


def one_colour(root, name):
    Image.new("RGB", (3, 3), "red").save(root / name)


def with_nan(state):
    state["fc3.bias"][0] = torch.nan
    return state


LENET = "results/lenet"
BROKEN = [
    (
        "params.schema.json",
        "",
        edit_json("params.schema.json", properties={}),
        "has the sections",
    ),
    (
        "data/digits",
        "summary.json",
        edit_npy("data/digits/train_images.npy", np.zeros_like),
        "show a single gray",
    ),
    (
        "data/digits",
        "summary.json",
        edit_npy("data/digits/test_labels.npy", np.zeros_like),
        "other numbers of test images per class",
    ),
    (
        "data/digits",
        "summary.json",
        edit_npy("data/digits/test_labels.npy", np.float32),
        "test_labels.npy: found float32",
    ),
    (
        "data/digits",
        "summary.json",
        lambda root: images(root / "data/digits", (32, 32, 3)),
        r"images are \(32, 32, 3\), expected \(28, 28\)",
    ),
    (
        "data/features",
        "scale.json",
        edit_json("data/features/scale.json", lbp_energy=[0, 1]),
        "is not the range of",
    ),
    (
        "data/features",
        "trainFeats.pkl",
        edit_pickle("data/features/trainFeats.pkl", lambda x: x + 1),
        "is not train_unnormalised.npy scaled",
    ),
    (
        "data/features",
        "testFeats.pkl",
        edit_pickle("data/features/testFeats.pkl", np.float32),
        r"float32 \(20, 9\), expected float64 \(20, 9\)",
    ),
    (
        "data/features",
        "testFeats.pkl",
        edit_pickle("data/features/testFeats.pkl", lambda x: x / 0),
        "not finite",
    ),
    (
        "data/features",
        "testLabel.pkl",
        edit_pickle("data/features/testLabel.pkl", lambda x: x + 1),
        "labels 1 to 10, expected 0 to 9",
    ),
    (
        "data/features",
        "trainLabel.pkl",
        edit_pickle("data/features/trainLabel.pkl", lambda x: 9 - x),
        "differs from data/photos/train_labels.npy",
    ),
    (LENET, "metrics.json", edit_json(f"{LENET}/metrics.json", more=1), "lacks or adds keys: more"),
    (
        LENET,
        "metrics.json",
        edit_json(f"{LENET}/metrics.json", train_loss=None),
        "train_loss is None",
    ),
    (
        LENET,
        "metrics.json",
        edit_json(f"{LENET}/metrics.json", test_accuracy=1.5),
        "expected 0 to 1",
    ),
    (LENET, "curves.csv", edit_json(f"{LENET}/metrics.json", test_loss=2.2), "another test_loss"),
    (LENET, "curves.csv", edit_text(f"{LENET}/curves.csv", "test_loss", "loss"), "has the columns"),
    (LENET, "curves.csv", edit_text(f"{LENET}/curves.csv", "\n1,", "\n3,"), "epochs 3, 2"),
    (LENET, "curves.csv", edit_text(f"{LENET}/curves.csv", ",3,", ",4,"), "expected 3 per epoch"),
    (LENET, "curves.csv", edit_text(f"{LENET}/curves.csv", "3,2.0,", "3,nan,"), "not finite"),
    (
        LENET,
        "weights.safetensors",
        edit_weights(lambda w: {k: w[k] for k in w if k != "fc3.bias"}),
        "fc3.bias",
    ),
    (
        LENET,
        "weights.safetensors",
        edit_weights(lambda w: {k: w[k].half() for k in w}),
        r"conv1.weight is torch.float16 \(6, 1, 5, 5\), expected torch.float32",
    ),
    (LENET, "weights.safetensors", edit_weights(with_nan), "fc3.bias has numbers that are not"),
    (
        LENET,
        "weights.safetensors",
        edit_json(f"{LENET}/metrics.json", parameters=3),
        "has 61706 parameters, metrics.json 3",
    ),
    (LENET, "layers.csv", edit_text(f"{LENET}/layers.csv", "156", "157"), "has 61707 parameters"),
    (
        LENET,
        "confusion.csv",
        edit_json(f"{LENET}/metrics.json", test_accuracy=0.25),
        "on its diagonal",
    ),
    (LENET, "confusion.csv", edit_text(f"{LENET}/confusion.csv", "a,1,1", "a,2,2"), "per class"),
    (
        "figures",
        "sources.json",
        lambda root: one_colour(root, "figures/kernels/lenet/conv1.png"),
        "conv1.png shows a single colour",
    ),
    (
        "figures",
        "sources.json",
        lambda root: (root / "figures/images/digits/contact_sheet.png").write_bytes(b"PNG"),
        "not as figures writes it",
    ),
]


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("folder", "file", "damage", "said"), BROKEN)
def test_a_broken_promise_is_named(root, folder, file, damage, said):
    damage(root)
    found = failures(root, folder)
    name = f"{folder}/{file}" if file else folder
    with pytest.raises(AssertionError, match=said):
        raise AssertionError("; ".join(found.get(name, [])))


def update_rule(root, file):
    """The contract of one file of a stage of lecture 24, and the outs to check."""
    state = StageState("update_rules@per_batch", "", {}, {}, STATES[LENET].outs)
    (contract,) = [one for one in CONTRACTS[state.stage] if one.file == file]
    return contract, Outs(root, state)


def test_the_losses_of_updates_are_as_many_as_updates(root):
    """LeNet leaves none, but they are held to metrics.json the same way."""
    contract, outs = update_rule(root, "update_losses.npy")
    assert contract.violations(outs) == []
    edit_npy(f"{LENET}/update_losses.npy", lambda x: x[1:])(root)
    assert contract.violations(outs) == ["float32 (5,), expected float32 (6,)"]
    edit_npy(f"{LENET}/update_losses.npy", lambda x: np.full(6, np.inf, np.float32))(root)
    assert contract.violations(outs) == ["has losses that are not finite"]


def test_the_answers_give_the_accuracies_of_every_seed_and_epoch(root):
    contract, outs = update_rule(root, "correct.npy")
    assert contract.violations(outs) == []
    original = np.load(root / LENET / "correct.npy")
    one_more = original.copy()
    one_more[1, 1, 1] = True
    for changed, said in (
        (one_more, "has other accuracies than seeds.csv"),
        (original[:, :1], "has other accuracies than seeds.csv"),
        (original[:, :, :10], "bool (2, 2, 10), expected bool (seeds, epochs, 20)"),
        (original.astype(np.uint8), "uint8 (2, 2, 20), expected bool (seeds, epochs, 20)"),
    ):
        np.save(root / LENET / "correct.npy", changed)
        assert contract.violations(outs) == [said]
