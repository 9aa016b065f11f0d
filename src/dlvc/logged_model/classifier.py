"""The code of a logged model, which MLflow stores with the weights.

MLflow runs this file when it loads the model ("models from code"), so nothing is pickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class Classifier(PythonModel):  # type: ignore[misc]
    """A trained model of the course."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the model and load its weights (safetensors)."""
        import torch
        from safetensors.torch import load_file

        from dlvc.models.densenet import DenseNet121
        from dlvc.models.lenet import LeNet
        from dlvc.models.mlp.network import MLP
        from dlvc.models.perceptron import Perceptron

        weights = load_file(context.artifacts["weights"])
        config = json.loads(Path(context.artifacts["config"]).read_text(encoding="utf-8"))
        match config["model"]:
            case "perceptron":
                self.model: Any = Perceptron(*reversed(weights["L.weight"].shape))
            case "mlp":
                self.model = MLP(len(weights["fc3.bias"]))
            case "lenet":
                self.model = LeNet(len(weights["fc3.bias"]))
            case "densenet":
                self.model = DenseNet121(config["image_size"], len(weights["net.classifier.bias"]))
        self.model.load_state_dict(weights)
        self.model.eval()
        self.gives_probabilities = config["model"] == "perceptron"
        self.torch = torch

    # MLflow reads these type hints and rejects narrower ones.
    def predict(self, context: PythonModelContext, model_input: np.ndarray) -> np.ndarray:
        """Class probabilities float32 `(N, classes)` of uint8 images or float32 features."""
        with self.torch.inference_mode():
            outputs = self.model(self.torch.tensor(np.asarray(model_input)))
            if not self.gives_probabilities:
                outputs = outputs.softmax(dim=1)  # of log-probabilities, too: softmax(log p) = p
            probabilities: np.ndarray = outputs.numpy()
            return probabilities


set_model(Classifier())
