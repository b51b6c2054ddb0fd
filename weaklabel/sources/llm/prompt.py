"""A prompt source: documents -> calls, answers -> votes. ``registered.py`` makes them from
settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...corpus import Shard
from ...errors import SourceError
from ...votes import SourceKind
from ..base import Cast
from .confidence import Confidence
from .examples import ExamplePool, from_layer
from .forms import Form, combine, read_answer
from .request import Request
from .status import Answer, Reading
from .templates import GUARD, Fence, PromptTemplate, Solved, fenced_fields

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True)
class Call:
    """One request on behalf of a document; ``done`` takes the answer."""

    request: Request
    document: str
    done: Callable[[Answer], None]


@dataclass(frozen=True)
class Settings:
    """How a prompt is asked. model: None for the session's. samples: answers per document."""

    model: str | None = None
    samples: int = 1
    temperature: float | None = 0.0
    max_tokens: int = 1024
    confidence: Confidence = "none"


class PromptSource:
    """Asks a model about every document, one document a call.

    A document whose calls all failed is in ``Cast.failed``: missing, neither a vote nor silence.
    Several samples make one soft vote. ``layer``: take the few-shot examples from the documents
    that have this annotation layer.
    """

    def __init__(
        self,
        name: str,
        form: Form,
        template: PromptTemplate,
        labels: Sequence[str],
        *,
        values: Mapping[str, Any],
        settings: Settings,
        pool: ExamplePool | None = None,
        layer: str | None = None,
        kind: SourceKind = "exhaustive",
        group: str | None = None,
    ) -> None:
        self.name = name
        self.form = form
        self.template = template
        self.labels = tuple(labels)
        self.values = dict(values)
        self.settings = settings
        self.pool = pool
        self.layer = layer
        self.kind: SourceKind = kind
        self.session: Session | None = None
        self._group = group

    @property
    def group(self) -> str | None:
        """Prompts to one model are no independent witnesses: they share a group by default."""
        return self._group or f"llm:{self.model or 'default'}"

    @property
    def model(self) -> str:
        """The model asked: the source's own, or the session's."""
        return self.settings.model or (self.session.model if self.session else "")

    def bind(self, session: Session) -> None:
        """Give the source the session it asks through."""
        self.session = session

    def learn_examples(self, shards: Iterable[Shard]) -> None:
        """Fill the pool from the annotation layer that the settings name, if they name one."""
        if self.layer is not None and self.pool is not None and not self.pool.examples:
            known = (*self.labels, *self.values["answers"])
            self.pool.examples = from_layer(shards, self.layer, known)

    def calls(
        self, shard: Shard, done: Callable[[int, int, Answer], None] | None = None
    ) -> Iterator[Call]:
        """The calls for a shard, document by document; a document without a token needs none."""
        self.learn_examples([shard])
        for d in range(len(shard)):
            if shard.n_tokens[d] == 0:
                continue
            messages = self._messages(shard, d)
            for sample in range(self.settings.samples):
                take = _ignore if done is None else _Take(done, d, sample)
                yield Call(self._request(messages, sample), shard.ids[d], take)

    def __call__(self, shard: Shard) -> Cast:
        """Ask about every document of the shard; blocks until all is answered or has failed."""
        if self.session is None:
            raise SourceError(f"source {self.name!r} has no session: call bind(Session(...)) first")
        readings: dict[tuple[int, int], Reading] = {}

        def read(document: int, sample: int, answer: Answer) -> None:
            readings[document, sample] = read_answer(self.form, shard, document, answer)

        self.session.ask(self.calls(shard, read))
        self.session.judge(self.name, readings.values())
        # By document and sample, whatever order the answers came in.
        ordered: dict[int, list[Reading]] = {}
        for document, sample in sorted(readings):
            ordered.setdefault(document, []).append(readings[document, sample])
        return self._cast(ordered)

    def _messages(self, shard: Shard, document: int) -> tuple[tuple[str, str], ...]:
        text, fields = shard.texts[document], shard.fields[document]
        strings = [value for value in fields.values() if isinstance(value, str)]
        fence = Fence([text, *strings])
        user = self.template.render(
            **self.values,
            text=fence.around(text),
            fields=fenced_fields(fields, fence),
            examples=self._examples(text),
        )
        return ("system", GUARD + self.form.instructions), ("user", user)

    def _examples(self, text: str) -> list[Solved]:
        if self.pool is None:
            return []
        return [
            Solved(Fence([e.text]).around(e.text, "example"), self.form.solve(e))
            for e in self.pool(text)
        ]

    def _request(self, messages: tuple[tuple[str, str], ...], sample: int) -> Request:
        settings = self.settings
        seed = self.session.seed if self.session else None
        return Request(
            self.model,
            messages,
            self.form.schema,
            settings.max_tokens,
            settings.temperature,
            logprobs=20 if settings.confidence == "logprob" else 0,
            seed=seed if seed is not None or settings.samples == 1 else 0,
            sample=sample,
        )

    def _cast(self, readings: Mapping[int, list[Reading]]) -> Cast:
        rows: list[tuple[int, int, int, int, float]] = []
        failed: dict[int, str] = {}
        counts: Counter[str] = Counter()
        for d, some in readings.items():
            good = [r for r in some if r.status.evidence]
            for reading in some:
                counts[f"calls: {reading.status}"] += 1
                counts.update(reading.counts)
            if not good:
                first = some[0]
                failed[d] = f"{first.status}: {first.reason}" if first.reason else first.status
                continue
            hard = self.settings.confidence == "none" and self.settings.samples == 1
            rows += [(d, v.start, v.end, v.label, v.confidence) for v in combine(good, hard=hard)]
        table = np.asarray(rows, dtype=np.float64).reshape(-1, 5)
        return Cast.of(
            self.labels,
            table[:, 0],
            table[:, 1],
            table[:, 2],
            table[:, 3],
            confidence=table[:, 4].astype(np.float32),
            unit="character",
            failed=failed,
            tolerated=True,
            counts=dict(sorted(counts.items())),
        )


class _Take:
    """A callback with its document; a plain object, for there are many."""

    __slots__ = ("document", "done", "sample")

    def __init__(
        self, done: Callable[[int, int, Answer], None], document: int, sample: int
    ) -> None:
        self.done = done
        self.document = document
        self.sample = sample

    def __call__(self, answer: Answer) -> None:
        self.done(self.document, self.sample, answer)


def _ignore(answer: Answer) -> None:
    """For calls that only fill the cache."""
