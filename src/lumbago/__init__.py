"""Lumbago: grades the degeneration of a lumbar spine on MRI, level by level. Research use, not a diagnosis."""

import os

__version__ = "0.1.0"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime reads it when imported, and else reports its use
