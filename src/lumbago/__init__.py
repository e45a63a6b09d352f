"""Lumbago: grades the degeneration of a lumbar spine on MRI, level by level. Research use, not a diagnosis."""

__version__ = "0.1.0"
