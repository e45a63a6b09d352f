"""Each table of a comparison asks its graders about the sources that it is of, and about no other."""

from dataclasses import replace
from pathlib import Path

from lumbago.dicom.decoder import open_decoder
from lumbago.errors import ModelRefused
from lumbago.inference.weights import Model, load_model
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, label, truth_of
from lumbago.learning.score_together import Wanted, score_studies
from one_slice import write_slice


def test_a_grader_is_not_asked_about_volumes_that_it_has_learned_from(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    image = ImageRef("series", write_slice(tmp_path / "series" / "1.dcm").parent, "dicom", "sagittal_t2")
    truth = truth_of("one", [label("pfirrmann", "L3/L4", None, "3")])
    study = LabelledStudy("phantoms", "phantom:4100", "one", (image,), truth)
    learned = replace(study, source="rsna", patient="rsna:1", images=())
    locator, grader = load_model("spine-locator"), load_model("disc-grader")

    def taught(patient: str) -> Model:
        if patient == learned.patient:
            raise ModelRefused(f"the model was trained on {patient}")
        return grader

    wanted = {
        "out-of-fold": Wanted((lambda _: grader,), (), "out of fold"),
        "from-rsna": Wanted((taught,), ("phantoms",), "external"),
    }
    with open_decoder() as decoder:
        tables = score_studies(lambda _: locator, wanted, [learned, study], decoder)
        nobody = score_studies(lambda _: locator, {"from-rsna": wanted["from-rsna"]}, [learned], decoder)
    assert [case.patient for case in tables["out-of-fold"]] == ["rsna:1", "phantom:4100"]
    (case,) = tables["from-rsna"]
    assert (case.patient, case.split) == ("phantom:4100", "external") and case.probabilities
    assert nobody == {"from-rsna": []}
