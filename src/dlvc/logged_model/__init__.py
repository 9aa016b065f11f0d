"""A trained model in the form in which MLflow stores it."""
