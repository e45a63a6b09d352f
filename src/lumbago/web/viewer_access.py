"""The viewer's routes behind access control: which images are meant, and what may be known of them."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.encoders import jsonable_encoder

from lumbago.errors import NotInRecords
from lumbago.records.audit import Event
from lumbago.records.files import files_of_study
from lumbago.records.studies import find_study
from lumbago.review.signed_findings import placed_findings
from lumbago.web.access import Visitor, audited
from lumbago.web.site import Site
from lumbago.web.study_records import TEACHING, study_record
from lumbago.web.viewer_data import Reading
from lumbago.web.viewer_routes import ImagesOf, viewer_router
from lumbago.web.visitors import Here

_SECONDS = 600.0
Looking = Annotated[
    Visitor, Depends(audited("viewer", Event.INSTANCES_ACCESSED, "look at images", every_seconds=_SECONDS))
]


def images_of(study_id: str, visitor: Looking, site: Here, images: str = "") -> ImagesOf:
    """Where the images of a study lie: as they are now, or as they were when a page was told of them, before others
    joined: slices are counted, and would be others."""
    with site.store.read() as records:
        study = find_study(records, study_id)
        received = files_of_study(records, study_id, ("received",))
    if not received:
        raise NotInRecords("the images of this study are not kept")
    sha256 = next((file.sha256 for file in received if file.sha256 == images), received[-1].sha256)
    return ImagesOf(site.store.blobs.place(sha256), study.study_instance_uid, sha256)


def reading_of(study_id: str, visitor: Looking, site: Here, blind: bool = False) -> Reading:
    """Findings under the numbering in force, where readers put them, and reviews; nothing of it to one who grades
    blind."""
    with site.store.read() as records:
        record = study_record(records, study_id)
    if blind or record.whole is None:
        return Reading()
    heat_maps = {file.name: site.store.blobs.place(file.sha256) for file in record.files if file.kind == "heat_map"}
    reviews = [jsonable_encoder(asdict(review)) for review in record.reviews if review.kind != TEACHING]
    return Reading(placed_findings(record.whole), reviews, heat_maps)


def router_of(site: Site) -> APIRouter:
    """The viewer's routes over the images that this site keeps open."""
    return viewer_router(site.images, images_of, reading_of)
