"""Every error that a user can meet, as one tree.

    LumbagoError                    1  our own fault, when raised as itself
    ├── UsageError                  2  the command was used wrongly
    │   └── NotInRecords               nothing of that name is kept
    ├── InputError                  3  the input cannot be read
    │   ├── UnreadableInput            no file in it can be read as an image
    │   ├── MixedPatients              it holds more than one patient
    │   └── NotAGrid                   slices that form no regular volume
    ├── NotALumbarStudy             4  readable, but not a lumbar MR study
    ├── PartsMissing                5  done, with parts missing
    └── Refused                     6
        ├── ModelRefused               weights that do not fit their card
        ├── SettingsRefused            settings that make no sense
        │   └── TrainingDiverged       settings by which a training came to nothing
        └── RecordsRefused             records that cannot be opened, or are of another version
            ├── RecordsDamaged         something kept is not what it was
            └── RecordsFull            the quota, or the disk, is used up

An error is one sentence: what was found, what was expected, what to do.
Errors of lower libraries are translated where that library is called, never further up.
"""


class LumbagoError(Exception):
    """Base of all errors of ours: `found`, `expected` and `advice` make its sentence."""

    exit_code = 1

    def __init__(self, found: str, expected: str = "", advice: str = "") -> None:
        self.found, self.expected, self.advice = found, expected, advice
        expectation = f"expected {expected}" if expected else ""
        super().__init__("; ".join(part.rstrip(".") for part in (found, expectation, advice) if part) + ".")


class UsageError(LumbagoError):
    """The command was given arguments that cannot be meant."""

    exit_code = 2


class NotInRecords(UsageError):
    """Nothing of that name or id is kept."""


class InputError(LumbagoError):
    """The input cannot be read."""

    exit_code = 3


class UnreadableInput(InputError):
    """No file of the input can be read as an image."""


class MixedPatients(InputError):
    """One study, or one folder, holds the images of more than one patient."""


class NotAGrid(InputError):
    """Slices whose positions form no regular volume."""


class NotALumbarStudy(LumbagoError):
    """Readable, but not a lumbar MR study: another modality, another body part, localizers only."""

    exit_code = 4


class PartsMissing(LumbagoError):
    """The work is done, but parts of the input could not be used. Reported, seldom raised."""

    exit_code = 5


class Refused(LumbagoError):
    """A model, a setting or the records are refused."""

    exit_code = 6


class ModelRefused(Refused):
    """Weights that are missing, damaged, or do not do what their card says."""


class SettingsRefused(Refused):
    """Settings that make no sense."""


class TrainingDiverged(SettingsRefused):
    """Settings by which a training came to nothing: its loss is no number."""


class RecordsRefused(Refused):
    """Records that cannot be opened, or that another version of Lumbago made."""


class RecordsDamaged(RecordsRefused):
    """Something kept is not what it was when it was kept."""


class RecordsFull(RecordsRefused):
    """No more may be kept: the quota, or the disk, is used up."""
