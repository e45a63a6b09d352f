"""Where the commands' text goes, and who gave them."""

import os
from getpass import getuser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console() -> "Console":
    """The terminal; 100 columns wide where there is none."""
    from rich.console import Console

    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=100)


def user_name() -> str:
    """Who gave the command: the name of the account, or its number where it has no name, as in a container."""
    try:
        return getuser()
    except (KeyError, OSError):  # before and from Python 3.13 on
        return f"user {os.getuid()}"
