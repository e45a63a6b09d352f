"""Who may ask for what, as the annotations of handlers."""

from typing import Annotated

from fastapi import Depends

from lumbago.web.access import Visitor, require
from lumbago.web.site import Site, site_of

Here = Annotated[Site, Depends(site_of)]
Viewer = Annotated[Visitor, Depends(require("viewer"))]
Reader = Annotated[Visitor, Depends(require("reader"))]
Uploader = Annotated[Visitor, Depends(require("reader", "upload"))]
Admin = Annotated[Visitor, Depends(require("admin"))]
