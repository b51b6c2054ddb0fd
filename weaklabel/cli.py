"""The command line. Commands parse, call and print; what they call is imported when needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from . import __version__
from .errors import WeaklabelError

app = typer.Typer(
    name="weaklabel",
    help="Weak supervision for spans and classes: many cheap sources vote, "
    "a label model learns whom to trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

JobPath = Annotated[Path, typer.Argument(metavar="JOB", help="The job file (YAML).")]
RunPath = Annotated[str, typer.Argument(metavar="RUN", help="The run folder; an URL will do.")]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A user's mistake is one line and exit code 2, Ctrl-C one line and 130."""
    try:
        yield
    except WeaklabelError as error:
        typer.echo(f"weaklabel: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("weaklabel: interrupted; the same command goes on from here", err=True)
        raise typer.Exit(130) from None


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    """Weak supervision for spans and classes."""
    if version:
        typer.echo(f"weaklabel {__version__}")
        raise typer.Exit


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Start a project that runs as it is: a job, two sources of your own, a few documents."""
    from .starter import start

    with one_line_errors():
        for path in start(folder):
            typer.echo(f"wrote {path}")
        typer.echo(f"next: weaklabel run {folder / 'job.yaml'}")


@app.command()
def run(
    job: JobPath,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The run folder, also s3://...; default: JOB-run."),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Start anew; review decisions and cached LLM answers are kept."
        ),
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Send nothing to an LLM; use cached answers only.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N documents.")
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Say where the time went, by source.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes; default: as the job says.")
    ] = None,
) -> None:
    """Run a job: documents, votes, label model, labels, report.

    What an earlier run left and is still right is kept: an interrupted run goes on,
    a changed source is run again alone, an unchanged job does nothing.
    """
    with one_line_errors():
        from .pipeline import run_job
        from .screen import print_outcome, print_profile, watching

        with watching() as watch:
            outcome = run_job(
                job,
                out,
                fresh=fresh,
                offline=offline,
                limit=limit,
                workers=workers,
                watch=watch,
            )
        print_outcome(outcome)
        if profile:
            print_profile(outcome.run)


@app.command()
def plan(job: JobPath) -> None:
    """Say what a run would do: documents, sources, what is there already, what prompts cost."""
    with one_line_errors():
        from .planning import plan_lines

        for line in plan_lines(job):
            typer.echo(line)


@app.command()
def analyze(
    run: RunPath,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the analysis as JSON.")
    ] = None,
) -> None:
    """Show what each source says, and how good it and the labels are, without and with gold."""
    with one_line_errors():
        from .analysis import analyze as analyze_run
        from .atomic import write_text
        from .run import Run, to_json
        from .screen import print_analysis

        analysis = analyze_run(Run.open(run))
        print_analysis(analysis)
        if json is not None:
            write_text(json, to_json(analysis))


@app.command()
def review(
    run: RunPath,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8765,
    order: Annotated[
        str, typer.Option(help="What comes first: see the documentation of the queue.")
    ] = "gain",
    budget: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Items in the queue.")
    ] = None,
    static: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one HTML file of the first items; no server."),
    ] = None,
) -> None:
    """Review the labels most likely to be wrong, in the browser; decisions anchor the next run."""
    with one_line_errors():
        from .errors import RunError
        from .remote import is_remote
        from .run import Run

        if static is not None:
            from .review.static_report import write

            count = write(Run.open(run), static, order=order, budget=budget)
            typer.echo(f"wrote {static}: {count} items")
            return
        if is_remote(run):
            raise RunError(
                f"{run}: decisions need a local disk to be safe on; "
                "copy the run folder here and review the copy"
            )
        from .review.app import serve

        serve(Run.open(run), host=host, port=port, order=order, budget=budget)


@app.command()
def export(
    run: RunPath,
    format: Annotated[str, typer.Option(help="jsonl, conll, docbin, ...")],
    out: Annotated[Path, typer.Option(metavar="PATH", help="Where to write.")],
    task: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this task; may be repeated.")
    ] = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of the format; may be repeated."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=SHARE,...",
            help="Several files, as train=0.8,dev=0.1,test=0.1; near-duplicates stay in one.",
        ),
    ] = None,
) -> None:
    """Write the labels in a format for the tool that goes on with them."""
    with one_line_errors():
        from .exporting import export_to, fractions_of, settings_of

        settings = settings_of(format, set or [])
        fractions = None if split is None else fractions_of(split)
        for path, written in export_to(run, format, out, task, settings, fractions).items():
            typer.echo(f"wrote {path}: {written.documents} documents, {written.spans} spans")
            for reason, count in sorted(written.left_out.items()):
                typer.echo(f"left out: {count} spans {reason}")


if __name__ == "__main__":
    app()
