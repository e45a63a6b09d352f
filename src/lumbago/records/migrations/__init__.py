"""The schema, as the steps that led to it."""
