"""PyTorch networks, one architecture a file, and their export to ONNX. Needs the `train` extra."""
