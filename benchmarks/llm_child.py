"""Processes that ``benchmarks.llm`` starts: one to be killed, one to fill a cache, one to read it.

``python -m benchmarks.llm_child URL CACHE N`` | ``fill CACHE N`` | ``reread CACHE N``
"""

from __future__ import annotations

import json
import sys
import time

from benchmarks.llm import people, shard_of, spans, texts, truth
from benchmarks.results import peak_rss_mb
from weaklabel.sources.llm.session import Session

_NOWHERE = "http://127.0.0.1:9/v1"


def ask(url: str, cache: str, n: int) -> None:
    """Say that the work begins, do it, and print the votes."""
    source = people()
    source.bind(Session(url, "m", cache=cache, concurrency=32))
    shard = shard_of(texts(n))
    print("begins", flush=True)
    found = spans(source(shard), n)
    print(json.dumps([sorted(one) for one in found]), flush=True)


def fill(cache: str, n: int) -> None:
    """Write right answers into a cache without buying any."""
    documents = texts(n)
    source, session = people(), Session(_NOWHERE, "m", cache=cache)
    source.bind(session)
    shard = shard_of(documents)
    with session.cache.transaction():
        for call, right in zip(source.calls(shard), truth(documents), strict=True):
            text = shard.texts[int(call.document)]
            entities = [{"quote": text[a:b], "label": c} for a, b, c in sorted(right)]
            content = json.dumps({"entities": entities})
            body = {
                "id": "chatcmpl-0123456789",
                "object": "chat.completion",
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": content, "refusal": None},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 200, "completion_tokens": 60, "total_tokens": 260},
            }
            key = call.request.key(session.base_url)
            session.cache.put(key, json.dumps(body).encode(), "m", "live")


def reread(cache: str, n: int) -> None:
    """Print the seconds from cached answers to votes, the peak memory, and whether all is right."""
    documents = texts(n)
    source = people()
    source.bind(Session(_NOWHERE, "m", cache=cache, offline=True))
    seconds, right = 0.0, True
    for low in range(0, n, 20_000):
        part = documents[low : low + 20_000]
        shard = shard_of(part)
        started = time.perf_counter()
        cast = source(shard)
        seconds += time.perf_counter() - started
        right &= spans(cast, len(part)) == truth(part)
    print(json.dumps([seconds, peak_rss_mb(), right]))


if __name__ == "__main__":
    first, path, size = sys.argv[1:4]
    if first == "fill":
        fill(path, int(size))
    elif first == "reread":
        reread(path, int(size))
    else:
        ask(first, path, int(size))
