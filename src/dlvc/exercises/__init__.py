"""The exercises that the lectures leave to do, one module each: `train(settings, trainings)`."""
