"""What a job is done with."""

from dataclasses import dataclass
from pathlib import Path

from lumbago.batch.run_child import Progress
from lumbago.records.store import Store
from lumbago.settings import Settings


@dataclass(frozen=True, slots=True)
class Workshop:
    """The records, the settings, a folder that is empty and goes away afterwards, and whom to tell how far it is."""

    store: Store
    settings: Settings
    folder: Path
    progress: Progress
