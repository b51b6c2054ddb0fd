"""Job -> the sources, models, reader and writers it names; every mistake in it told by its line."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from . import __version__
from .apply import check_names, in_order
from .corpus import Document, Reread, check_ids
from .errors import JobError, WeaklabelError, nearest
from .formats.registry import readers, writers
from .job import Job, SourceSpec, Use
from .keys import code_digest, content_digest, digest
from .models.base import LabelModel
from .models.base import registry as models
from .registry import Registry
from .sources.base import AnySource, LabelReader, VoteReader
from .sources.base import registry as sources
from .task import Task

PATH_SETTINGS = {"file", "files", "path", "paths", "folder"}

WRITER_ARGUMENTS = ("path", "records", "tasks")


@dataclass(frozen=True)
class Made:
    """A source, and the key of everything in the job that it was made from."""

    source: AnySource
    key: str

    @cached_property
    def round(self) -> str:
        """When it is called: "documents", "bound" (LLM session), "votes", "labels" (read those)."""
        if isinstance(self.source, LabelReader):
            return "labels"
        if isinstance(self.source, VoteReader):
            return "votes"
        return "bound" if hasattr(self.source, "bind") else "documents"


@dataclass(frozen=True)
class Prepared:
    """A job that can run. sources: by task, packs unfolded, in the order of the job."""

    job: Job
    tasks: dict[str, Task]
    sources: dict[str, list[Made]]

    def round_of(self, task: str, name: str) -> list[Made]:
        """The sources of a round, readers of votes after whom they read."""
        return [made for made in self._in_order[task] if made.round == name]

    @cached_property
    def _in_order(self) -> dict[str, list[Made]]:
        number = {id(one.source): one for many in self.sources.values() for one in many}
        return {
            task: [number[id(source)] for source in in_order([one.source for one in made])]
            for task, made in self.sources.items()
        }

    def model(self, task: str) -> LabelModel:
        """A fresh label model of a task."""
        use = self.job.tasks[task].chosen_model
        return models.make(use.use, **model_settings(self.job, use))


def prepare(job: Job) -> Prepared:
    """Make everything that the job names; the first mistake is a ``JobError`` with its line."""
    user = UserCode(job)
    tasks = job.to_tasks()
    made: dict[str, list[Made]] = {}
    for name, spec in job.tasks.items():
        made[name] = [
            one for i, s in enumerate(spec.sources) for one in _make_source(job, name, i, s, user)
        ]
        _check_together(job, name, made[name])
        use = spec.chosen_model
        place = ("tasks", name, "model")
        _check_name(job, place, models, use.use)
        settings = model_settings(job, use)
        _check(job, place, models, use.use, settings)
        _at(job, place, partial(models.make, use.use, **settings))
    _check_llm(job, [one.source for many in made.values() for one in many])
    return Prepared(job, tasks, made)


def check_input(job: Job) -> None:
    """Check reader, writers and engine, and read the first document."""
    given = {"path": job.input.path, **job.input.settings}
    _check(job, ("input",), readers, job.input.format, given, name_key="format")
    for i, output in enumerate(job.output):
        given = dict.fromkeys(WRITER_ARGUMENTS, "") | output.settings
        _check(job, ("output", i), writers, output.use, given)
    if job.engine.use not in ("local", "ray"):
        message = f"no engine {job.engine.use!r}; {nearest(job.engine.use, ('local', 'ray'))}"
        job.fail(("engine",), message)
    first = _at(job, ("input", "path"), lambda: next(iter(documents(job)), None))
    if first is None:
        job.fail(("input", "path"), f"{job.input.path}: there is no document in it")


def llm_settings(job: Job) -> dict[str, Any]:
    """The settings of the LLM session, paths made absolute."""
    settings = dict(job.llm)
    for key in ("cache", "prices"):
        if settings.get(key):
            settings[key] = resolve(job.folder, str(settings[key]))
    return settings


def _check_llm(job: Job, made: list[AnySource]) -> None:
    prompts = [source for source in made if hasattr(source, "bind")]
    if not prompts and not job.llm:
        return
    from .sources.llm.session import Session

    settings = {key: value for key, value in llm_settings(job).items() if key != "cache"}
    session = _at(job, ("llm",), partial(Session.from_settings, settings))
    try:
        _at(job, ("llm",), partial(session.check, prompts, network=False))
    finally:
        session.close()


def documents(job: Job, limit: int | None = None) -> Reread:
    """The documents of a job, read afresh each time; ids are checked to differ."""
    return Reread(_read, job, limit)


def _read(job: Job, limit: int | None) -> Iterator[Document]:
    path = resolve(job.folder, job.input.path)
    stream = readers.factory(job.input.format)(path, **job.input.settings)
    for position, document in enumerate(check_ids(stream, str(path))):
        if position == limit:
            return
        yield document


def model_settings(job: Job, use: Use) -> dict[str, Any]:
    """The settings of a model; the job's seed, if the model has one and none is given."""
    settings = use.settings
    if "seed" in inspect.signature(models.factory(use.use)).parameters:
        settings.setdefault("seed", job.seed)
    return settings


def resolve(folder: Path, path: str) -> str:
    """A path from a job file: relative ones are relative to the job's folder."""
    return path if "://" in path else str(folder / Path(path).expanduser())


class UserCode:
    """The Python files of a job: their source objects by name, and keys of their code."""

    def __init__(self, job: Job) -> None:
        self.objects: dict[str, AnySource] = {}
        self.homes: dict[str, Path] = {}
        before = set(sys.modules)
        for i, name in enumerate(job.python):
            path = Path(resolve(job.folder, name))
            if not path.is_file():
                job.fail(("python", i), f"{name}: no such file")
            registered = set(sources.own_names())
            found = _objects(_at(job, ("python", i), partial(_import, path)))
            self.objects |= found
            mine = set(found) | (set(sources.own_names()) - registered)
            self.homes |= dict.fromkeys(mine, path)
        self.helpers = sorted(_local_modules(set(sys.modules) - before, job.folder))

    def key(self, use: str) -> str:
        """The key of the code behind a name; "" for what is no user code."""
        if use not in self.homes:
            return ""
        path = self.homes[use]
        others = {self._function(n) for n, home in self.homes.items() if home == path} - {
            self._function(use)
        }
        helpers = [content_digest(helper) for helper in self.helpers]
        return digest([code_digest(path, self._function(use), others), helpers])

    def _function(self, name: str) -> str:
        known: Any = self.objects.get(name)
        if known is None:
            known = sources.factory(name)
        known = getattr(known, "function", known)
        return getattr(known, "__name__", name)


def _import(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location(f"weaklabel_job_{digest(str(path))}", path)
    if spec is None or spec.loader is None:
        raise JobError(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except WeaklabelError:
        raise
    except Exception as error:
        line = _line_in(error, path)
        raise JobError(f"{path}{line}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return vars(module)


def _line_in(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    trace, line = error.__traceback__, ""
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line


def _local_modules(names: set[str], folder: Path) -> Iterator[Path]:
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and not name.startswith("weaklabel_job_") and Path(file).is_relative_to(folder):
            yield Path(file)


def _objects(values: dict[str, Any]) -> dict[str, AnySource]:
    return {
        value.name: value
        for value in values.values()
        if not isinstance(value, type)
        and all(hasattr(value, key) for key in ("name", "labels", "kind", "group"))
        and any(
            callable(getattr(value, k, None)) for k in ("read_votes", "read_labels", "__call__")
        )
    }


def _make_source(job: Job, task: str, i: int, spec: SourceSpec, user: UserCode) -> Iterator[Made]:
    place = ("tasks", task, "sources", i)
    if spec.use in user.objects:
        make: Callable[[], Any] = partial(_rename, user.objects[spec.use], spec)
        settings = spec.settings
        files: list[str] = []
    else:
        if spec.use not in sources.names():
            known = {*sources.names(), *user.objects}
            job.fail((*place, "use"), f"no source {spec.use!r}; {nearest(spec.use, known)}")
        _check(job, place, sources, spec.use, spec.settings)
        settings, files = _with_paths(job, place, spec)
        make = partial(sources.make, spec.use, **settings)
    result = _at(job, place, make)
    many = result if isinstance(result, list | tuple) else [result]
    facts = [__version__, spec.use, spec.settings, user.key(spec.use)]
    facts.append([content_digest(Path(file)) for file in files])
    for source in many:
        _check_labels(job, place, task, source)
        yield Made(source, digest([*facts, source.name, source.kind, source.group]))


def _rename(source: AnySource, spec: SourceSpec) -> AnySource:
    settings = spec.settings
    if not is_dataclass(source):
        if settings != {"name": source.name}:
            raise JobError(f"source {spec.use!r} takes no settings in a job; set them in Python")
        return source
    known = [key for key in source.__dataclass_fields__ if key != "function"]
    for key in settings:
        if key not in known:
            raise JobError(f"source {spec.use!r} has no setting {key!r}; {nearest(key, known)}")
    renamed: AnySource = replace(source, **settings)
    return renamed


def _with_paths(
    job: Job, place: tuple[str | int, ...], spec: SourceSpec
) -> tuple[dict[str, Any], list[str]]:
    """The settings with paths made absolute, and the files and folders they name."""
    parameters = inspect.signature(sources.factory(spec.use)).parameters
    settings = spec.settings
    files: list[str] = []

    def absolute(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {k: absolute(v, key) for k, v in value.items()}
        if isinstance(value, list):
            return [absolute(v, key) for v in value]
        if not isinstance(value, str) or "://" in value:
            return value
        path = resolve(job.folder, value)
        if Path(path).exists():
            files.append(path)
        elif key in PATH_SETTINGS:
            job.fail((*place, key), f"{value}: no such file (looked in {job.folder})")
        return path

    for key, value in settings.items():
        annotation = str(parameters[key].annotation) if key in parameters else ""
        if key in PATH_SETTINGS or "Path" in annotation:
            settings[key] = absolute(value, key)
    return settings, files


def _check_labels(job: Job, place: tuple[str | int, ...], name: str, source: AnySource) -> None:
    task = job.tasks[name].to_task(name)
    for label in source.labels:
        if label not in task.vote_labels:
            hint = nearest(label, task.vote_labels)
            job.fail(place, f"source {source.name!r} casts {label!r}, no label of the task; {hint}")


def _check_together(job: Job, task: str, made: list[Made]) -> None:
    def check() -> None:
        members = [one.source for one in made]
        check_names(members)
        in_order(members)

    _at(job, ("tasks", task, "sources"), check)


def _check_name(
    job: Job,
    place: tuple[str | int, ...],
    registry: Registry[Any],
    name: str,
    name_key: str = "use",
) -> None:
    if name not in registry.names():
        hint = nearest(name, registry.names())
        job.fail((*place, name_key), f"no {registry.kind} {name!r}; {hint}")


def _check(
    job: Job,
    place: tuple[str | int, ...],
    registry: Registry[Any],
    name: str,
    settings: dict[str, Any],
    name_key: str = "use",
) -> None:
    _check_name(job, place, registry, name, name_key)
    wrong = _at(job, place, partial(registry.check, name, settings))
    for key, message in wrong:
        job.fail((*place, key) if key else place, message)


def _at(job: Job, place: tuple[str | int, ...], call: Callable[[], Any]) -> Any:
    """Call; what goes wrong is told with the line of the place."""
    try:
        return call()
    except WeaklabelError as error:
        prefix = f"{job.file.path}:"
        if str(error).startswith(prefix):
            raise
        return job.fail(place, str(error))
