"""Work that waits: studies to receive and to analyze, done by processes of their own."""
