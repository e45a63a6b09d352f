"""Parametric lumbar spines, drawn, rendered, scanned and written, whose geometry is the truth."""
