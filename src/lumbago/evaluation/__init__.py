"""Scores of any predictions against any labels: figures of merit, comparisons, tables, pictures, one page."""
