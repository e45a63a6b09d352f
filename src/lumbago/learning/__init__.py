"""Training, evaluation and their data. Needs the `train` extra."""
