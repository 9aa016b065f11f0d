"""The lectures' exercises. Each is a module with a function `train(settings, trainings)`."""
