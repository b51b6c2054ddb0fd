"""The segment model against sums over all segmentations, and against planted truth."""

from __future__ import annotations

import warnings
from pathlib import Path

import naive_spans as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaklabel.corpus import Document, Shard
from weaklabel.errors import LabelModelWarning, ModelError, NotFitted
from weaklabel.kernels import lattice as kernel
from weaklabel.models.clusters import PatternCounter, clusters_of, lay_out
from weaklabel.models.majority import MajorityModel
from weaklabel.models.segments import heed_of
from weaklabel.models.spans import SpanModel
from weaklabel.models.threshold import Judged, best_threshold
from weaklabel.scoring import score_spans
from weaklabel.task import Task
from weaklabel.votes import Gold, Voter, Votes

TASK = Task("spans", ("PER", "LOC"))
WORDS = ("Anna", "Bern", "met", "in", "the", "Carl", "Davos", "said", "Eva", "Fulda")


def random_votes(seed: int, documents: int = 30, sources: int = 4, length: int = 8) -> Votes:
    """Votes of sources that mark random, not overlapping spans."""
    random = np.random.default_rng(seed)
    rows = []
    for d in range(documents):
        for j in range(sources):
            t = int(random.integers(3))
            while t < length:
                end = min(length, t + int(random.integers(1, 4)))
                rows.append((d, t, end, j, int(random.integers(2))))
                t = end + int(random.integers(0, 4))
    columns = np.asarray(rows).T
    return Votes.build(
        TASK,
        [f"s{j}" for j in range(sources)],
        [length] * documents,
        document=columns[0],
        start=columns[1],
        end=columns[2],
        source=columns[3],
        label=columns[4],
    )


def planted(
    seed: int, documents: int = 400, kinds: str = "exhaustive"
) -> tuple[Votes, Gold, Shard]:
    """One entity in most documents; four sources, from good to bad, that look everywhere."""
    random = np.random.default_rng(seed)
    truth, rows, texts = [], [], []
    skill = (0.95, 0.85, 0.7, 0.5)
    for d in range(documents):
        words = [str(w) for w in random.choice(WORDS, 10)]
        start = int(random.integers(0, 7))
        end, label = start + int(random.integers(1, 3)), int(random.integers(2))
        truth.append((d, start, end, label))
        words[start:end] = [("Per", "Loc")[label] + w for w in words[start:end]]
        texts.append(words)
        for j, good in enumerate(skill):
            if random.random() < good:
                cast = label if random.random() < good else 1 - label
                rows.append((d, start, end, j, cast))
            if random.random() > good:
                where = (end + int(random.integers(1, 3))) % 9
                if where >= end or where + 1 <= start:
                    rows.append((d, where, where + 1, j, int(random.integers(2))))
    columns = np.asarray(rows).T
    voters = [Voter(f"s{j}", kind=kinds) for j in range(4)]  # type: ignore[arg-type]
    votes = Votes.build(
        TASK,
        voters,
        [10] * documents,
        document=columns[0],
        start=columns[1],
        end=columns[2],
        source=columns[3],
        label=columns[4],
    )
    known = np.asarray(truth).T
    gold = Gold.build(
        TASK, [10] * documents, document=known[0], start=known[1], end=known[2], label=known[3]
    )
    shard = Shard.from_documents(
        Document.from_tokens(str(d), [words]) for d, words in enumerate(texts)
    )
    return votes, gold, shard


def f1(model: SpanModel, votes: Votes, gold: Gold, shard: Shard | None = None) -> float:
    return score_spans(model.predict(votes, texts=shard), gold)[""].f1


def bits(model: SpanModel, votes: Votes, shard: Shard | None = None) -> bytes:
    labels = model.predict(votes, texts=shard)
    columns = (labels.document, labels.start, labels.end, labels.probability, labels.chosen)
    return b"".join(np.ascontiguousarray(column).tobytes() for column in columns)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_forward_backward_sums_over_all_segmentations(seed: int) -> None:
    votes = random_votes(seed, documents=2, sources=3, length=5)
    clusters = clusters_of(votes, votes.names)
    lattice = lay_out(clusters.indptr, clusters.rows, 3, 2)
    random = np.random.default_rng(seed)
    scores = random.normal(size=(len(lattice.start), 2))
    outside = random.normal(size=int(lattice.token_ptr[-1]))
    posterior, posterior_out, log_z = kernel.forward_backward(lattice, scores, outside)
    for p in range(len(log_z)):
        cands = slice(lattice.cand_ptr[p], lattice.cand_ptr[p + 1])
        tokens = slice(lattice.token_ptr[p], lattice.token_ptr[p + 1])
        spans = list(zip(lattice.start[cands].tolist(), lattice.end[cands].tolist(), strict=True))
        n_tokens = tokens.stop - tokens.start
        inside, out, total = naive.posterior(n_tokens, spans, scores[cands], outside[tokens])
        np.testing.assert_allclose(posterior[cands], inside, atol=1e-10)
        np.testing.assert_allclose(posterior_out[tokens], out, atol=1e-10)
        assert log_z[p] == pytest.approx(total)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_choice_has_the_highest_gain(seed: int) -> None:
    votes = random_votes(seed, documents=2, sources=3, length=5)
    clusters = clusters_of(votes, votes.names)
    lattice = lay_out(clusters.indptr, clusters.rows, 3, 2)
    gain = np.random.default_rng(seed).normal(size=len(lattice.start))
    chosen = kernel.choose(lattice, gain)
    for p in range(len(lattice.cand_ptr) - 1):
        cands = slice(lattice.cand_ptr[p], lattice.cand_ptr[p + 1])
        spans = list(zip(lattice.start[cands].tolist(), lattice.end[cands].tolist(), strict=True))
        n_tokens = int(lattice.token_ptr[p + 1] - lattice.token_ptr[p])
        assert gain[cands][chosen[cands]].sum() == pytest.approx(
            naive.best_gain(n_tokens, spans, gain[cands])
        )


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_what_each_source_says_of_a_candidate(seed: int) -> None:
    votes = random_votes(seed, documents=1, sources=3, length=6)
    clusters = clusters_of(votes, votes.names)
    lattice = lay_out(clusters.indptr, clusters.rows, 3, 2)
    rows = [
        (int(s) + int(clusters.offset[p]), int(e) + int(clusters.offset[p]), int(j), int(v))
        for p in range(len(clusters.document))
        for s, e, j, v, _ in clusters.rows[clusters.indptr[p] : clusters.indptr[p + 1]]
    ]
    for p in range(len(clusters.document)):
        for c in range(lattice.cand_ptr[p], lattice.cand_ptr[p + 1]):
            span = (
                int(lattice.start[c] + clusters.offset[p]),
                int(lattice.end[c] + clusters.offset[p]),
            )
            told = slice(lattice.vote_ptr[c], lattice.vote_ptr[c + 1])
            found = dict(
                zip(lattice.source[told].tolist(), lattice.outcome[told].tolist(), strict=True)
            )
            wanted = {j: naive.said(span, rows, j, 2) for j in range(3)}
            exact = {j: o for j, o in wanted.items() if o is not None}
            assert set(found) == set(exact)
            assert all(found[j] == o for j, o in exact.items() if o < 2)


def test_planted_truth_comes_back() -> None:
    votes, gold, shard = planted(0)
    model = SpanModel(context=False).fit(votes)
    for silence in (False, True):
        plain = MajorityModel(silence=silence).fit(votes).predict(votes)
        assert f1(model, votes, gold) > score_spans(plain, gold)[""].f1 + 0.03
    assert model.converged_
    recall = {(q.source, q.label): q.recall for q in model.source_quality_}
    assert recall["s0", "PER"] > recall["s2", "PER"] > recall["s3", "PER"]
    assert recall["s0", "PER"] == pytest.approx(0.95 * 0.95, abs=0.1)


def test_text_helps_where_it_says_something() -> None:
    votes, gold, shard = planted(1)
    plain = SpanModel(context=False).fit(votes)
    told = SpanModel().fit(votes, texts=shard)
    assert told.context_ is not None
    assert told.context_.weight > 0.2
    assert f1(told, votes, gold, shard) >= f1(plain, votes, gold)


def pieces(
    votes: Votes, shard: Shard, documents: np.ndarray, n: int
) -> tuple[list[Votes], list[Shard]]:
    """Documents, in some order, cut into n shards."""
    items = [Document.from_tokens(shard.ids[d], [shard.tokens(d)]) for d in range(len(shard))]
    cuts = np.array_split(documents, n)
    return [votes.select_documents(cut) for cut in cuts], [
        Shard.from_documents([items[d] for d in cut]) for cut in cuts
    ]


@pytest.mark.parametrize("max_tokens", [400, 300_000])
def test_orders_and_shards_leave_no_trace(max_tokens: int, tmp_path: Path) -> None:
    """Every array and number of the fitted model and every bit of the labels, with text and not."""
    votes, _, shard = planted(2, documents=70)
    in_order, shuffled = np.arange(70), np.random.default_rng(0).permutation(70)
    cases = [(in_order, 1), (in_order, 2), (in_order, 7), (shuffled, 1), (shuffled, 7)]
    wanted: dict[bool, tuple[bytes, bytes, bytes]] = {}
    for text in (False, True):
        for i, (documents, n) in enumerate(cases):
            parts, texts = pieces(votes, shard, documents, n)
            if i % 2:
                parts = [part.select_sources(["s2", "s0", "s3", "s1"]) for part in parts]
            model = SpanModel(max_tokens=max_tokens).fit(parts, texts=texts if text else None)
            assert (model.context_ is not None and model.context_.weight > 0) == text
            folder = tmp_path / f"{text}{i}"
            model.save(folder)
            mine = (
                bits(model, votes, shard if text else None),
                (folder / "model.json").read_bytes(),
                (folder / "model.npz").read_bytes(),
            )
            assert mine == wanted.setdefault(text, mine), (text, i)


def test_labels_do_not_depend_on_how_the_documents_are_cut() -> None:
    votes, _, shard = planted(2, documents=70)
    model = SpanModel().fit(votes, texts=shard)
    whole = model.predict(votes, texts=shard)
    probability, chosen = [], []
    for part, text in zip(*pieces(votes, shard, np.arange(70), 7), strict=True):
        labels = model.predict(part, texts=text)
        probability.append(labels.probability)
        chosen.append(labels.chosen)
    np.testing.assert_array_equal(np.concatenate(probability), whole.probability)
    np.testing.assert_array_equal(np.concatenate(chosen), whole.chosen)


def test_a_thousand_sources_do_not_underflow() -> None:
    votes, gold, _ = planted(3, documents=40)
    many = Votes.build(
        TASK,
        [Voter(f"s{j:04}", kind="exhaustive") for j in range(1200)],
        votes.n_tokens,
        document=np.tile(votes.document, 300),
        start=np.tile(votes.start, 300),
        end=np.tile(votes.end, 300),
        source=np.concatenate([votes.source + 4 * i for i in range(300)]),
        label=np.tile(votes.label, 300),
    )
    model = SpanModel().fit(many)
    labels = model.predict(many)
    assert np.isfinite(labels.probability).all()
    assert f1(model, many, gold) > 0.8


def test_save_and_load_give_the_same_labels(tmp_path: Path) -> None:
    votes, _, shard = planted(4, documents=80)
    model = SpanModel(silence=0.2).fit(votes, texts=shard)
    model.save(tmp_path)
    again = SpanModel.load(tmp_path)
    assert again.silence == 0.2
    assert again.source_quality_ == model.source_quality_
    assert bits(again, votes, shard) == bits(model, votes, shard)
    assert bits(again, votes) == bits(model, votes)


def test_gold_is_followed_and_anchors_the_fit() -> None:
    votes, gold, _ = planted(5, documents=60)
    known = gold.select_documents(np.arange(60))
    model = SpanModel().fit(votes, gold=known)
    assert score_spans(model.predict(votes, gold=known), gold)[""].f1 == 1.0
    nothing = Gold.build(TASK, votes.n_tokens, complete=[0, 1, 2])
    labels = model.predict(votes, gold=nothing)
    assert not set(labels.document[labels.labelled].tolist()) & {0, 1, 2}


def test_a_ruled_out_span_is_not_labelled() -> None:
    votes = build([(0, 1, 3, 0, 0), (0, 1, 3, 1, 0)], n_sources=2)
    none = Gold.build(
        TASK, votes.n_tokens, document=[0], start=[1], end=[3], label=[-1], complete=[]
    )
    assert SpanModel().fit(votes).predict(votes).spans(0) == [(1, 3, "PER")]
    assert SpanModel().fit(votes).predict(votes, gold=none).spans(0) == []


def build(
    rows: list[tuple[int, int, int, int, int]],
    n_sources: int,
    task: Task = TASK,
    documents: int = 3,
    **options: object,
) -> Votes:
    columns = np.asarray(rows, dtype=np.int64).reshape(-1, 5).T
    return Votes.build(
        task,
        [f"s{j}" for j in range(n_sources)],
        [8] * documents,
        document=columns[0],
        start=columns[1],
        end=columns[2],
        source=columns[3],
        label=columns[4],
        **options,  # type: ignore[arg-type]
    )


def test_one_source_is_followed() -> None:
    votes = build([(0, 1, 3, 0, 0), (1, 0, 1, 0, 1), (2, 4, 6, 0, 1)], n_sources=1)
    labels = SpanModel().fit(votes).predict(votes)
    assert [labels.spans(d) for d in range(3)] == [
        [(1, 3, "PER")],
        [(0, 1, "LOC")],
        [(4, 6, "LOC")],
    ]


def test_no_votes_give_no_labels() -> None:
    votes = build([], n_sources=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SpanModel().fit(votes)
    assert len(model.predict(votes)) == 0


def test_votes_for_a_group_of_labels_are_narrowed_down() -> None:
    task = Task("spans", ("PER", "LOC", "ORG"), groups={"NAME": ("PER", "LOC")})
    name = task.label_id("NAME")
    rows = [(d, 1, 2, 0, name) for d in range(20)] + [(d, 1, 2, 1, d % 2) for d in range(20)]
    votes = build(rows, 2, task, documents=20)
    labels = SpanModel().fit(votes).predict(votes)
    assert labels.spans(0) == [(1, 2, "PER")]
    assert labels.spans(1) == [(1, 2, "LOC")]


def test_a_source_that_did_not_look_is_not_silent() -> None:
    """Two of four sources saw the second half only; their absence is no evidence in the first."""
    votes, gold, _ = planted(6)
    late = np.arange(200, 400)
    keep = (votes.source < 2) | (votes.document >= 200)
    seen = votes.rows(keep)
    told = Votes.build(
        TASK,
        seen.voters,
        seen.n_tokens,
        document=seen.document,
        start=seen.start,
        end=seen.end,
        source=seen.source,
        label=seen.label,
        looked=[None, None, late, late],
    )
    assert f1(SpanModel().fit(told), told, gold) > f1(SpanModel().fit(seen), seen, gold)


def test_nested_spans_become_layers() -> None:
    task = Task("spans", ("PER", "LOC"), nested=True)
    rows = [(d, 1, 5, 0, 0) for d in range(10)] + [(d, 3, 4, 1, 1) for d in range(10)]
    rows += [(d, 1, 5, 2, 0) for d in range(10)] + [(d, 3, 4, 2, 1) for d in range(10)]
    votes = build(rows, 3, task, documents=10)
    labels = SpanModel().fit(votes).predict(votes)
    assert labels.spans(0) == [(1, 5, "PER"), (3, 4, "LOC")]
    assert labels.layer[:2].tolist() == [0, 1]


def test_reasons_name_the_votes_behind_a_label() -> None:
    votes = build([(0, 1, 3, 0, 0), (0, 2, 3, 1, 1), (1, 1, 2, 1, 1)], n_sources=2)
    labels = SpanModel().fit(votes).predict(votes)
    reasons = labels.reasons
    assert reasons is not None
    first = slice(reasons.indptr[0], reasons.indptr[1])
    assert reasons.source[first].tolist() == [0, 1]
    assert reasons.label[first].tolist() == [0, 1]
    assert reasons.relation[first].tolist() == [0, 1]
    assert np.isfinite(reasons.weight).all()


def test_unsure_votes_count_less() -> None:
    rows = [(d, 1, 2, 0, 0) for d in range(10)] + [(d, 1, 2, 1, 1) for d in range(10)]
    sure = build(rows, 2, documents=10, confidence=[1.0] * 10 + [0.25] * 10)
    assert SpanModel().fit(sure).predict(sure).spans(0) == [(1, 2, "PER")]


def test_patterns_of_shards_add_up() -> None:
    votes = random_votes(7)
    whole, parts = PatternCounter(4), PatternCounter(4)
    whole.add(clusters_of(votes, votes.names), votes, votes.names)
    for chosen in (np.arange(10, 30), np.arange(10)):
        part = votes.select_documents(chosen)
        other = PatternCounter(4)
        other.add(clusters_of(part, votes.names), part, votes.names)
        parts.plus(other)
    one, two = whole.patterns(), parts.patterns()
    np.testing.assert_array_equal(one.rows, two.rows)
    np.testing.assert_array_equal(one.count, two.count)
    np.testing.assert_array_equal(one.n_tokens, two.n_tokens)


def test_the_threshold_is_half_the_best_expected_f1() -> None:
    votes = random_votes(8)
    clusters = clusters_of(votes, votes.names)
    lattice = lay_out(clusters.indptr, clusters.rows, 4, 2)
    random = np.random.default_rng(0)
    posterior = random.dirichlet((1, 1, 6), size=len(lattice.start))[:, :2]
    ones = np.ones(len(lattice.cand_ptr) - 1)
    threshold = best_threshold([Judged(lattice, ones, posterior)])
    total = posterior.sum()

    def expected(at: float) -> float:
        chosen = kernel.choose(lattice, posterior.max(axis=1) - at)
        return 2 * posterior.max(axis=1)[chosen].sum() / (chosen.sum() + total)

    assert expected(threshold) >= max(expected(at) for at in np.linspace(0.05, 0.5, 46)) - 1e-3


def test_a_fit_that_does_not_converge_says_so() -> None:
    votes, _, _ = planted(9, documents=50)
    with pytest.warns(LabelModelWarning, match="1 iterations"):
        model = SpanModel(n_iter=1, tol=0.0).fit(votes)
    assert not model.converged_
    assert len(model.history_) == 1


def test_mistakes_are_told() -> None:
    votes = build([(0, 1, 3, 0, 0)], n_sources=1)
    with pytest.raises(NotFitted, match="fit"):
        SpanModel().predict(votes)
    with pytest.raises(ModelError, match="silence is 2"):
        SpanModel(silence=2)
    with pytest.raises(ModelError, match="texts"):
        SpanModel(context=True).fit(votes)
    with pytest.raises(ModelError, match="'s1'"):
        SpanModel().fit(votes).predict(build([(0, 1, 3, 1, 0)], n_sources=2))


def test_the_silence_of_a_lone_exhaustive_source_counts_by_its_recall() -> None:
    """s0 looks at everything; it finds 4 of the 10 spans that both lists mark."""
    rows = [(d, 1, 2, j, 0) for d in range(10) for j in (1, 2)]
    rows += [(d, 1, 2, 0, 0) for d in range(4)] + [(d, 5, 6, 1, 0) for d in range(10)]
    votes = build(rows, 3, documents=10)
    counter = PatternCounter(3)
    counter.add(clusters_of(votes, votes.names), votes, votes.names)
    patterns = counter.patterns()
    lattice = lay_out(patterns.indptr, patterns.rows, 3, 2)
    lone = heed_of(patterns, lattice, np.asarray([True, False, False]), 2)
    np.testing.assert_allclose(lone, [4.5 / 11, 1, 1])
    two = heed_of(patterns, lattice, np.asarray([True, True, False]), 2)
    np.testing.assert_array_equal(two, [1, 1, 1])
