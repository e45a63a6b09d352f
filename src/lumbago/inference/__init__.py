"""Running the shipped networks: a model is a card, an ONNX file and a golden pair."""
