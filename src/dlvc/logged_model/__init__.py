"""A trained model as MLflow keeps it."""
