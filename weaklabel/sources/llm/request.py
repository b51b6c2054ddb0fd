"""One chat completion to ask for, its content key, and the dialect an endpoint turned out to
speak."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_ADAPTER = 1
"""Part of every key: raised when the same request would be sent in other words."""

_FORMATS = ("json_schema", "json_object+schema", "json_object", "none")

_PER_MESSAGE = 16
"""More than any chat format adds to a message: roles and separators."""


@dataclass(frozen=True)
class Request:
    """What is asked, before any endpoint's peculiarities.

    messages: (role, content) pairs. schema: JSON schema that the answer should follow.
    sample: which of several answers to the same words. logprobs: alternatives a token (0: none).
    """

    model: str
    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 1024
    temperature: float | None = None
    logprobs: int = 0
    seed: int | None = None
    sample: int = 0

    def key(self, base_url: str) -> bytes:
        """(32 bytes) SHA-256 of all that decides the answer. No secret enters it."""
        facts = {"adapter": _ADAPTER, "base_url": base_url, **vars(self)}
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    @property
    def size(self) -> int:
        """UTF-8 bytes of what is sent."""
        sent = sum(len(content.encode("utf-8", "replace")) for _, content in self.messages)
        return sent + (len(json.dumps(self.schema)) if self.schema else 0)

    @property
    def most_prompt_tokens(self) -> int:
        """An upper bound without the model's tokenizer: no token is shorter than a byte."""
        return self.size + _PER_MESSAGE * (len(self.messages) + 4)


@dataclass(frozen=True)
class Dialect:
    """Which optional parts of the protocol an endpoint takes; it is learnt from what it rejects.

    schema: "json_schema" (OpenAI, vLLM), "json_object+schema" (llama-cpp-python, Together),
        "json_object" (any JSON) or "none".
    """

    schema: str = "json_schema"
    logprobs: bool = True
    seed: bool = True
    temperature: bool = True
    max_name: str = "max_tokens"

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body of the call."""
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [{"role": role, "content": text} for role, text in request.messages],
            self.max_name: request.max_tokens,
        }
        if request.temperature is not None and self.temperature:
            body["temperature"] = request.temperature
        if request.logprobs and self.logprobs:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        if request.seed is not None and self.seed:
            body["seed"] = request.seed + request.sample
        if request.schema is not None and self.schema == "json_schema":
            wrapped = {"name": "answer", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": wrapped}
        elif request.schema is not None and self.schema == "json_object+schema":
            body["response_format"] = {"type": "json_object", "schema": request.schema}
        elif request.schema is not None and self.schema == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def after(self, complaint: str, request: Request) -> Dialect | None:
        """The dialect to try after a 400 that names a part of the protocol; None: it names none."""
        words = complaint.lower()
        if request.logprobs and self.logprobs and "logprob" in words:
            return replace(self, logprobs=False)
        if "max_completion_tokens" in words and self.max_name == "max_tokens":
            return replace(self, max_name="max_completion_tokens")
        if request.temperature is not None and self.temperature and "temperature" in words:
            return replace(self, temperature=False)
        if request.seed is not None and self.seed and "seed" in words:
            return replace(self, seed=False)
        named = ("response_format", "json_schema", "json_object", "structured", "grammar")
        about_schema = request.schema is not None and any(name in words for name in named)
        if about_schema and self.schema != _FORMATS[-1]:
            return replace(self, schema=_FORMATS[_FORMATS.index(self.schema) + 1])
        return None
