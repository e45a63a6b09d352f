"""`python -m lumbago` is `lumbago`."""

from lumbago.cli import main

main()
