"""The vocabulary: levels, conditions, findings. Standard library only."""
