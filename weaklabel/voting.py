"""Shards -> votes."""

from __future__ import annotations

from functools import partial

from .casting import Ballot, cast_votes, give_up
from .context import Context, Step
from .engine_local import Engine, Failed, local_engine
from .errors import RunError
from .prepare import llm_settings

TITLES = {"documents": "votes", "bound": "prompts", "votes": "votes on votes"}


def cast_all(context: Context, engine: Engine) -> None:
    """The votes of all sources but those that read labels."""
    cast_round(context, "documents", engine)
    ask_prompts(context)
    cast_round(context, "votes", engine)


def ask_prompts(context: Context) -> None:
    """The votes of sources that share an LLM session, from this process: they wait, not work."""
    prepared = context.prepared
    made = [one for task in prepared.tasks for one in prepared.round_of(task, "bound")]
    if not made or not _waiting(context, "bound"):
        return
    from .sources.llm.session import Session

    settings = llm_settings(context.prepared.job)
    settings.setdefault("cache", context.run.folder / "llm.sqlite")
    if context.offline:
        settings["offline"] = True
    session = Session.from_settings(settings)
    try:
        sources = [one.source for one in made]
        session.check(sources)
        for source in sources:
            source.bind(session)  # type: ignore[union-attr]
        session.prepare(sources, context.run.shards)
        cast_round(context, "bound", local_engine(1))
    finally:
        session.close()


def cast_round(context: Context, name: str, engine: Engine) -> None:
    """The votes of one round of sources, on every shard where they are missing or old."""
    waiting = _waiting(context, name)
    title = TITLES.get(name, "votes on labels")
    total = len(waiting)
    done = 0
    while waiting:
        failed = []
        for item, result in engine.map(partial(cast_votes, context.work), waiting):
            if isinstance(result, Failed):
                _give_up(context, item, result)
                failed.append(item)
                continue
            done += 1
            context.made("votes", result)
            context.watch(Step(title, done, total))
        waiting = failed


def _waiting(context: Context, name: str) -> list[tuple[int, str]]:
    wanted = {t: context.prepared.round_of(t, name) for t in context.prepared.tasks}

    def waits(index: int) -> bool:
        ballots = (Ballot(context.work, task, index) for task in wanted)
        return any(b.stale or not all(map(b.has, wanted[b.task])) for b in ballots)

    return [(i, name) for i in range(context.run.n_shards) if waits(i)]


def _give_up(context: Context, item: tuple[int, str], failed: Failed) -> None:
    if context.prepared.job.on_error == "stop":
        raise RunError(
            f"shard {item[0]}: given up after {failed.attempts} attempts: {failed.reason}; "
            "with 'on_error: skip' the run goes on without it"
        )
    give_up(context.work, item, failed.reason)
