"""How a study becomes grades; `analyze_study` tells it in order."""
