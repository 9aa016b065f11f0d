"""The code of a logged model, which MLflow keeps beside its weights: images in, probabilities out.

MLflow runs this file when the model is loaded ("models from code"): nothing of it is pickled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from numpy.typing import NDArray


class Classifier(PythonModel):  # type: ignore[misc]
    """One of the course's models, as its stage left it."""

    def load_context(self, context: PythonModelContext) -> None:
        """Build the model, and load its weights (safetensors)."""
        import torch
        from safetensors.torch import load_file

        from dlvc.models.densenet import DenseNet121
        from dlvc.models.lenet import LeNet
        from dlvc.models.mlp import MLP
        from dlvc.models.perceptron import Perceptron

        weights = load_file(context.artifacts["weights"])
        config = context.model_config
        match config["model"]:
            case "perceptron":
                self.model: Any = Perceptron(weights["L.weight"].shape[1])
            case "mlp":
                self.model = MLP()
            case "lenet":
                self.model = LeNet()
            case "densenet":
                self.model = DenseNet121(config["image_size"])
        self.model.load_state_dict(weights)
        self.model.eval()
        self.gives_probabilities = config["model"] == "perceptron"
        self.torch = torch

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,  # MLflow complains of any narrower type
        params: dict[str, Any] | None = None,
    ) -> NDArray[np.float32]:
        """Class probabilities float32 `(N, 10)` of uint8 images or float32 features `(N, ...)`."""
        with self.torch.inference_mode():
            outputs = self.model(self.torch.tensor(np.asarray(model_input)))
            if not self.gives_probabilities:
                outputs = outputs.softmax(dim=1)  # of log-probabilities, too: softmax(log p) = p
            probabilities: NDArray[np.float32] = outputs.numpy()
            return probabilities


set_model(Classifier())
