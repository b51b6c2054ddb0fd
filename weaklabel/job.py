"""The job: a YAML file, checked as a whole before any work. What can be known without running it.

``weaklabel.prepare`` goes on from here: it makes the sources and models that the job names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from .errors import WeaklabelError, nearest
from .job_lines import JobFile, Place
from .task import Task

TASK_KEYS = ("task", "labels", "multi", "nested", "groups", "sources", "model")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Use(BaseModel):
    """A registered name and the settings that are passed to it: ``{use: regex, pattern: ...}``."""

    model_config = ConfigDict(extra="allow", frozen=True)
    use: str

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but ``use``."""
        return dict(self.model_extra or {})


class SourceSpec(Use):
    """A source of a job; without a name it is called what it uses."""

    name: str = ""

    def model_post_init(self, _: Any) -> None:
        """Fill in the name."""
        object.__setattr__(self, "name", self.name or self.use)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but ``use``; the name among them."""
        return {"name": self.name, **(self.model_extra or {})}


class InputSpec(BaseModel):
    """Where the documents are: a reader's name, a path, and the reader's own settings."""

    model_config = ConfigDict(extra="allow", frozen=True)
    format: str
    path: str

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but format and path."""
        return dict(self.model_extra or {})


class FitOn(_Strict):
    """Fit the label model on a sample of this many documents."""

    documents: int = Field(ge=1)


def _shorthand(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


def _shorthands(value: Any) -> Any:
    return [_shorthand(item) for item in value] if isinstance(value, list) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


UseOrName = Annotated[Use, BeforeValidator(_shorthand)]


class TaskSpec(_Strict):
    """One task of a job: what is labelled, who votes, which model decides."""

    task: Literal["spans", "classes"]
    labels: list[str] = Field(min_length=1)
    multi: bool = False
    nested: bool = False
    groups: dict[str, list[str]] = Field(default_factory=dict)
    sources: Annotated[list[SourceSpec], BeforeValidator(_shorthands)] = Field(min_length=1)
    model: UseOrName | None = None

    @property
    def chosen_model(self) -> Use:
        """The model, or the default one of the kind of task."""
        return self.model or Use(use=self.task)

    def to_task(self, name: str) -> Task:
        """The task itself."""
        groups = {k: tuple(v) for k, v in self.groups.items()}
        return Task(self.task, tuple(self.labels), self.multi, self.nested, groups, name)


class Job(_Strict):
    """A whole job, as the YAML file says it. Relative paths are relative to that file."""

    input: InputSpec
    lang: str = "en"
    seed: int = Field(default=0, ge=0)
    tasks: dict[str, TaskSpec] = Field(min_length=1)
    python: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    on_error: Literal["stop", "skip"] = "stop"
    misaligned: Literal["drop", "widen"] = "drop"
    output: Annotated[list[Use], BeforeValidator(_shorthands), BeforeValidator(_listed)] = Field(
        default_factory=lambda: [Use(use="jsonl")]
    )
    gold: str | None = None
    anchors: str | None = None
    llm: dict[str, Any] = Field(default_factory=dict)
    engine: UseOrName = Use(use="local")
    workers: int = Field(default=1, ge=1)
    shard_documents: int = Field(default=20_000, ge=1)
    fit_on: FitOn | None = None

    _file: JobFile = PrivateAttr()
    _flat: bool = PrivateAttr(default=False)
    _folder: Path = PrivateAttr()

    @classmethod
    def load(cls, path: Path | str, *, folder: Path | None = None) -> Self:
        """Read and check a job file.

        folder: what relative paths are relative to, if not the folder of the file.
        Raises ``JobError`` with file, line and the nearest right key.
        """
        file = JobFile.read(Path(path))
        data = dict(file.data)
        flat = "tasks" not in data
        if flat:
            task = {key: data.pop(key) for key in TASK_KEYS if key in data}
            if not task:
                file.fail((), "a job needs 'task', 'labels' and 'sources' (or 'tasks')")
            data["tasks"] = {str(task.get("task", "task")): task}
        else:
            both = [key for key in TASK_KEYS if key in data]
            if both:
                file.fail(both[:1], f"{both[0]!r} stands beside 'tasks'; it belongs to one of them")
        try:
            job = cls.model_validate(data)
        except ValidationError as error:
            _explain(error, file, flat)
        job._file, job._flat = file, flat
        job._folder = (folder or Path(path).parent).absolute()
        job._check_tasks()
        return job

    @property
    def file(self) -> JobFile:
        """The YAML behind the job, for errors that name a line."""
        return self._file

    @property
    def folder(self) -> Path:
        """What relative paths in the job are relative to."""
        return self._folder

    def place(self, *place: str | int) -> Place:
        """Where a value stands in the file: a job of one task has no ``tasks`` key."""
        return place[2:] if self._flat and place[:1] == ("tasks",) else place

    def fail(self, place: Place, message: str) -> Any:
        """Raise a ``JobError`` that names file and line of a value."""
        self._file.fail(self.place(*place), message)

    def to_tasks(self) -> dict[str, Task]:
        """The tasks by name."""
        return {name: spec.to_task(name) for name, spec in self.tasks.items()}

    def _check_tasks(self) -> None:
        for name, spec in self.tasks.items():
            try:
                spec.to_task(name)
            except WeaklabelError as error:
                self.fail(("tasks", name, "labels"), str(error))
            seen: set[str] = set()
            for i, source in enumerate(spec.sources):
                if source.name in seen:
                    self.fail(
                        ("tasks", name, "sources", i),
                        f"two sources are named {source.name!r}; give one a 'name' of its own",
                    )
                seen.add(source.name)


def _explain(error: ValidationError, file: JobFile, flat: bool) -> Any:
    """The first mistake in the file, as one line."""
    places: list[tuple[int, Place, Any]] = []
    for mistake in error.errors(include_url=False):
        place: Place = tuple(mistake["loc"])
        if flat and tuple(place[:1]) == ("tasks",):
            place = place[2:]
        places.append((file.line(place), place, mistake))
    # of two mistakes in one line a wrong key explains why the right one is missing
    rank = {"extra_forbidden": 0}
    _, place, mistake = min(places, key=lambda p: (p[0], rank.get(p[2]["type"], 1)))
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    file.fail(place, _say(place, mistake, flat) + more)


def _say(place: Place, mistake: Any, flat: bool) -> str:
    key = str(place[-1]) if place else ""
    where = ".".join(str(part) for part in place)
    if mistake["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {nearest(key, _known(place, flat))}"
    if mistake["type"] == "missing":
        return f"the key {where!r} is missing"
    if mistake["type"] == "string_type" and isinstance(mistake["input"], bool | int | float):
        return f"{where}: YAML reads this as {mistake['input']!r}; put it in quotes to make it text"
    got = repr(mistake["input"])
    return f"{where}: {mistake['msg']}, not {got if len(got) < 60 else got[:57] + '...'}"


def _known(place: Place, flat: bool) -> list[str]:
    if len(place) == 1:
        job = [key for key in Job.model_fields if key != "tasks" or not flat]
        return job + list(TASK_KEYS) if flat else job
    if place[0] == "fit_on":
        return list(FitOn.model_fields)
    return list(TaskSpec.model_fields)
