"""The commands that serve: `lumbago serve`, `lumbago worker`."""

from typing import Annotated

import typer

from lumbago.settings import Settings

serve_app = typer.Typer()


@serve_app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any free one.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="Address to listen on; other machines reach 0.0.0.0.")] = "127.0.0.1",
) -> None:
    """Serve the dashboard: upload, look, review, sign, compare. Needs the extra `serve`."""
    from lumbago.web.serving import Address, answer, opened

    with opened(Settings.read(), Address(host, port)) as served:
        address = served.address
        print(f"The dashboard is at {address.url} (Ctrl-C ends it). Research use, not a diagnosis.", flush=True)
        if served.first_secret:
            print(f"Make the first admin: {address.url}first-start?secret={served.first_secret}", flush=True)
        answer(served)


@serve_app.command()
def worker(
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
) -> None:
    """Analyze what waits in the records of this LUMBAGO_DATABASE and LUMBAGO_HOME. Needs the extra `serve`."""
    import logging
    import signal
    import threading

    from lumbago.batch.end_with_input import when_input_ends
    from lumbago.batch.worker import work
    from lumbago.records.store import open_records

    logging.basicConfig(level=logging.WARNING, format="lumbago worker: %(message)s")
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    if until_input_ends:
        when_input_ends(stop.set)
    settings = Settings.read()
    work(open_records(settings), settings, stop)
