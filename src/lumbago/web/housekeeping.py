"""What the server does beside answering: at the start and every hour it lets go of what is over."""

import logging
import threading
from typing import Final

from lumbago.errors import LumbagoError
from lumbago.records.tidy import tidy
from lumbago.web.site import Site
from lumbago.web.uploads import forget_old_uploads

_EVERY_SECONDS: Final = 3600.0
_LOG: Final = logging.getLogger(__name__)


class Housekeeping:
    """A thread that tidies records and uploads while it is entered; what fails is tried again an hour later."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> "Housekeeping":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stop.is_set():
            try:
                tidy(self._site.store, self._site.settings)
                forget_old_uploads(self._site.uploads)
            except (LumbagoError, OSError):
                _LOG.exception("tidying failed; it is tried again in an hour")
            self._stop.wait(_EVERY_SECONDS)
