"""The commands of those who keep records: export, delete, backup, restore, verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lumbago.errors import UsageError
from lumbago.terminal import user_name

if TYPE_CHECKING:
    from lumbago.records.audit import Actor, Head

records_app = typer.Typer(
    help="The records of the dashboard: patients, studies, findings, reviews.", no_args_is_help=True
)

PatientName = Annotated[str, typer.Argument(metavar="PATIENT", help="A PatientID, or an id of the dashboard.")]


def _actor() -> "Actor":
    from lumbago.records.audit import Actor

    return Actor(user_name=user_name(), address="command line")


@records_app.command("export")
def export_records(
    patient: PatientName, out: Annotated[Path, typer.Option("--out", help="A new folder for all of it.")]
) -> None:
    """Write all that is kept of a patient: studies as received, every version of the findings, reviews, audit."""
    from lumbago.records.export_patient import export_patient
    from lumbago.records.store import open_records
    from lumbago.settings import Settings

    export_patient(open_records(Settings.read()), patient, out, _actor())
    print(f"Written to {out}")


@records_app.command("delete")
def delete_records(
    patient: PatientName, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Delete a patient with all studies, for good; the audit keeps a line that names nobody."""
    from lumbago.records.delete_patient import delete_patient
    from lumbago.records.store import open_records
    from lumbago.settings import Settings

    store = open_records(Settings.read())
    if not yes:
        typer.confirm("Delete this patient and all studies, for good?", abort=True)
    count = delete_patient(store, patient, _actor())
    print(f"Deleted, with {count} stud{'y' if count == 1 else 'ies'}")


@records_app.command("backup")
def back_up_records(file: Annotated[Path, typer.Argument(help="A new file, a zip.")]) -> None:
    """Write every row and every file into one file, while the dashboard goes on."""
    from lumbago.records.backup import back_up
    from lumbago.records.store import open_records
    from lumbago.settings import Settings

    summary = back_up(open_records(Settings.read()), file, _actor())
    print(f"{summary['rows']['studies']} studies and {summary['files']} files in {file}")
    print(f"The audit trail's head: {summary['audit']['number']}:{summary['audit']['hash']}")


@records_app.command("restore")
def restore_records(file: Annotated[Path, typer.Argument(help="What `lumbago records backup` wrote.")]) -> None:
    """Put a backup into empty records, and write the training labels of its reviews."""
    from lumbago.records.backup import restore
    from lumbago.records.store import open_records
    from lumbago.settings import Settings
    from lumbago.web.reviewed_labels import write_all_labels

    settings = Settings.read()
    store = open_records(settings)
    summary = restore(store, file, _actor())
    labelled = write_all_labels(store, settings.home_folder / "reviewed")
    print(f"{summary['rows']['studies']} studies and {summary['files']} files, as of {summary['made_at']}")
    print(f"Training labels of {labelled} reviewed studies")


@records_app.command("verify")
def verify_kept_records(
    head: Annotated[str, typer.Option(help="What an earlier verify printed, as NUMBER:HASH.")] = "",
) -> None:
    """Read everything that is kept and say what is damaged; with an earlier head, whether the audit's end is there."""
    from lumbago.errors import RecordsDamaged
    from lumbago.records.store import open_records
    from lumbago.records.verify import verify_records
    from lumbago.settings import Settings

    found = verify_records(open_records(Settings.read()), _head(head) if head else None)
    for damage in found.damages:
        print(damage)
    if found.damages:
        raise RecordsDamaged(f"{len(found.damages)} damages", advice="restore from a backup what is named above")
    if found.head is not None:
        print("All is as it was kept. The head of the audit trail, to write down elsewhere:")
        print(f"{found.head.number}:{found.head.hash}")


@records_app.command("password")
def set_password(name: Annotated[str, typer.Argument(help="Who signs in by it.")]) -> None:
    """Give a user who has lost it a new password; it is asked for. Sessions of the user end."""
    from lumbago.errors import NotInRecords
    from lumbago.records.audit import Deed, Event, append_line
    from lumbago.records.store import open_records
    from lumbago.records.users import set_password_hash, user_named
    from lumbago.settings import Settings
    from lumbago.web.passwords import hash_password

    store = open_records(Settings.read())
    kept = hash_password(typer.prompt("New password", hide_input=True, confirmation_prompt=True), name)
    with store.write() as db:
        user = user_named(db, name)
        if user is None:
            raise NotInRecords(f"no user signs in as {name}")
        set_password_hash(db, user.id, kept)
        append_line(db, _actor(), Deed(Event.USER_AUTHENTICATION, "set password", detail={"user": user.id}))
    print(f"{user.name} signs in by it from now on")


def _head(text: str) -> "Head":
    from lumbago.records.audit import Head

    number, _, digest = text.partition(":")
    if not number.isdigit() or not digest:
        raise UsageError(f"--head is {text!r}", "NUMBER:HASH, as lumbago records verify prints it")
    return Head(int(number), digest)
