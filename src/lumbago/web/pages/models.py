"""The cards of the models in use, and how they do against signed readings."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lumbago.inference.deployed import models_in_use
from lumbago.inference.weights import Card, read_card
from lumbago.report.model_card import card_facts
from lumbago.web.rendering import page
from lumbago.web.scores import evaluate_here
from lumbago.web.visitors import Here, Viewer

router = APIRouter(include_in_schema=False)


@router.get("/models")
def models_page(request: Request, visitor: Viewer, site: Here) -> Response:
    """Cards of all models in use."""
    cards = [card_view(read_card(folder)) for folder in models_in_use(site.settings).values()]
    return page(request, "models.html", visitor, cards=cards)


def card_view(card: Card) -> Mapping[str, Any]:
    """A card, ready to be shown."""
    rows = card.proof.get("scores", [])
    return {
        "name": card.name, "version": card.version, "sha256": card.sha256, "trained_on": card.trained_on,
        "caution": card.caution, "conditions": list(card.conditions), "facts": list(card_facts(card)),
        "scores": [(command, list(group)) for command, group in groupby(rows, lambda row: row["command"])],
    }  # fmt: skip


@router.get("/evaluation")
def evaluation_page(request: Request, visitor: Viewer, site: Here) -> Response:
    """The machine against signed readings, readers among themselves."""
    with site.store.read() as records:
        found = evaluate_here(records)
    return page(request, "evaluation.html", visitor, scores=found.scores, studies=found.studies,
                patients=found.patients, phantoms=found.phantoms, readers=found.readers)  # fmt: skip
