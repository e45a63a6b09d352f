"""What a search did and decided, one line an event in `history.jsonl`, each with a sentence that a person can read."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

HISTORY: Final = "history.jsonl"


class History:
    """The events of a run folder so far; a line that a kill cut short is dropped."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / HISTORY
        self.events: list[dict[str, Any]] = []
        if self._path.is_file():
            *whole, _ = self._path.read_text(encoding="utf8").split("\n")
            self.events = [json.loads(line) for line in whole]
            self._path.write_text("".join(f"{line}\n" for line in whole), encoding="utf8")

    def add(self, event: str, sentence: str, **facts: Any) -> dict[str, Any]:
        """Writes an event down, on the disk before anything follows from it."""
        row = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "event": event, "sentence": sentence, **facts}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.events.append(row)
        return row

    def of(self, event: str) -> list[dict[str, Any]]:
        """The events of a kind."""
        return [row for row in self.events if row["event"] == event]
