"""Wrong answers to the notebooks' exercises, the mistakes that learners make: none may get a tick.

{exercise: {in words: function}}.
"""

# ruff: noqa: ARG005 - an answer takes all arguments of its exercise

import math

import numpy as np
import torch
from right_answers import (
    attend_sdpa,
    contrast_both_ways,
    contrast_loops,
    crossing_backwards,
    integral_at,
    late_loop,
    nearest,
    neighbours,
    one_round_product,
    perplexity,
    precision,
    rate,
    residual_loops,
    rollout,
    tone,
    unpack_iter,
    wilson,
    windows_linspace,
)
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F


def median_round(latents, codebook):
    codes = nearest(latents, codebook)
    return torch.stack([latents[codes == v].median(0).values for v in range(len(codebook))])


def positions_but_last(padding):
    codes = ~padding
    codes[:, 0], codes[:, -1] = False, False
    return codes


def rotate_halves(vectors, table):
    x, y = vectors.chunk(2, 1)
    return torch.cat([x * table[0] - y * table[1], y * table[0] + x * table[1]], 1)


def rotate_backwards(vectors, table):
    x, y = vectors[:, 0::2], vectors[:, 1::2]
    return torch.stack([x * table[0] + y * table[1], y * table[0] - x * table[1]], -1).reshape(vectors.shape)


def next_shown(codes, hidden):
    filled = codes.clone()
    for t in reversed(range(len(codes) - 1)):
        if hidden[t]:
            filled[t] = filled[t + 1]
    return filled


def rate_of(warm_up=lambda step, warm: (step + 1) / warm, last=0, floor=lambda fall: 0.01 + 0.99 * fall):
    def answer(step, n_steps, share):
        warm = max(1, round(share * n_steps))
        if step < warm:
            return warm_up(step, warm)
        return floor((1 + math.cos(math.pi * (step - warm) / (n_steps - last - warm))) / 2)

    return answer


def frames_written(falls, span, step, n_frames, add):
    frames = torch.zeros(n_frames)
    for i, fall in enumerate(falls):
        part = slice(i * step, i * step + span)
        frames[part] = frames[part] + fall if add else fall
    return frames


def normal_interval(right, n):
    share = right / n
    half = 1.96 * math.sqrt(share * (1 - share) / n)
    return share - half, share + half


def windows_by_step(n_frames, window):
    return [0] if n_frames <= window else [*range(0, n_frames - window, window // 2), n_frames - window]


WRONG = {
    "ready.duration": {
        "turned over": lambda n, rate_hz: rate_hz / n,
        "whole seconds": lambda n, rate_hz: n // rate_hz,
        "nothing": lambda n, rate_hz: None,
    },
    "ready.tone": {
        "last point too": lambda f, s, r: 0.3 * torch.sin(2 * torch.pi * f * torch.linspace(0, s, round(s * r))),
        "cosine": lambda f, s, r: tone(f, s, r, wave=np.cos),
        "too loud": lambda f, s, r: tone(f, s, r, level=1.0),
    },
    "codec.n_frames": {
        "down": lambda n, hop: n // hop,
        "one more": lambda n, hop: n // hop + 1,
        "round": lambda n, hop: round(n / hop),
    },
    "codec.bandwidth_kbps": {
        "bit/s": lambda k, v, r: k * math.log2(v) * r,
        "entries for bits": lambda k, v, r: k * v * r / 1000,
        "by 1024": lambda k, v, r: k * math.log2(v) * r / 1024,
        "nats": lambda k, v, r: k * math.log(v) * r / 1000,
    },
    "rvq.nearest": {
        "other direction": lambda x, book: torch.cdist(x, book).argmin(0),
        "product": lambda x, book: (x @ book.T).argmax(1),
        "cosine": lambda x, book: (F.normalize(x, dim=1) @ F.normalize(book, dim=1).T).argmax(1),
        "distances": lambda x, book: torch.cdist(x, book).min(1).values,
    },
    "rvq.residual_codes": {
        "no rest": lambda x, books: torch.stack([nearest(x, book) for book in books]),
        "transposed": lambda x, books: residual_loops(x, books).T,
    },
    "quantise.one_round": {
        "median": median_round,
        "half the way": lambda x, book: (book + one_round_product(x, book)) / 2,
        "unmoved": lambda x, book: book,
    },
    "quantise.dequantise": {
        "side by side": lambda codes, books: torch.cat([books[k][codes[k]] for k in range(len(books))], 1),
        "first row": lambda codes, books: books[0][codes[0]],
        "mean": lambda codes, books: torch.stack([books[k][codes[k]] for k in range(len(books))]).mean(0),
    },
    "quantise.perplexity": {
        "how many occur": lambda codes, v: len(codes.unique()),
        "entropy": lambda codes, v: math.log(perplexity(codes, v)),
    },
    "tokens.wrap": {
        "one too low": lambda codes, v: [v, *codes, v + 1],
        "swapped": lambda codes, v: [v + 2, *codes, v + 1],
    },
    "tokens.padding": {
        "without BOA and EOA": lambda lengths: [[s >= n for s in range(max(lengths))] for n in lengths],
        "turned over": lambda lengths: [[s < n + 2 for s in range(max(lengths) + 2)] for n in lengths],
        "off by one": lambda lengths: [[s > n + 2 for s in range(max(lengths) + 2)] for n in lengths],
    },
    "tokens.code_positions": {"BOA and EOA too": lambda padding: ~padding, "EOA at the end only": positions_but_last},
    "attention.attend": {
        "no division": lambda q, k, v: (q @ k.T).softmax(-1) @ v,
        "by the width": lambda q, k, v: (q @ k.T / q.shape[1]).softmax(-1) @ v,
        "other softmax": lambda q, k, v: (q @ k.T / q.shape[1] ** 0.5).softmax(0) @ v,
        "root of the positions": lambda q, k, v: (q @ k.T / q.shape[0] ** 0.5).softmax(-1) @ v,
    },
    "attention.rotate": {"halves": rotate_halves, "backwards": rotate_backwards},
    "attention.padded": {
        "not 1": lambda scores, padding: scores.softmax(-1) * ~padding,
        "score of zero": lambda scores, padding: scores.masked_fill(padding, 0).softmax(-1),
        "lines": lambda scores, padding: scores.masked_fill(padding[:, None], -1e9).softmax(-1),
    },
    "encoder.layer_norm": {
        "unbiased": lambda x: (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True),
        "over the batch": lambda x: (x - x.mean(0)) / (x.std(0, correction=0) + 1e-5),
        "length 1": lambda x: F.normalize(x - x.mean(-1, keepdim=True), dim=-1),
    },
    "encoder.block_parameters": {
        "no bias": lambda d, f: 4 * d * d + 2 * d * f,
        "one norm": lambda d, f: 4 * d * d + 2 * d * f + 7 * d + f,
    },
    "encoder.mean_pool": {
        "PAD too": lambda h, padding: h.mean(1),
        "by all positions": lambda h, padding: (h * ~padding[..., None]).sum(1) / h.shape[1],
    },
    "masking.n_hidden": {
        "down": lambda n, share: max(1, int(n * share)),
        "up": lambda n, share: max(1, math.ceil(n * share)),
        "none": lambda n, share: round(n * share),
    },
    "masking.loss": {
        "everywhere": lambda logits, y, mask: F.cross_entropy(logits, y),
        "sum": lambda logits, y, mask: F.cross_entropy(logits[mask], y[mask], reduction="sum"),
        "by all": lambda logits, y, mask: F.cross_entropy(logits[mask], y[mask], reduction="sum") / len(y),
        "bits": lambda logits, y, mask: F.cross_entropy(logits[mask], y[mask]) / math.log(2),
    },
    "masking.copied": {
        "hidden ones": lambda codes, hidden: torch.where(hidden, codes.roll(1), codes),
        "next": next_shown,
    },
    "contrast.positives": {
        "itself": lambda b, r: [[c // r == i for c in range(b * r)] for i in range(b)],
        "other order": lambda b, r: [[c % b == i and c // b != 0 for c in range(b * r)] for i in range(b)],
    },
    "contrast.loss": {
        "itself": lambda x, tau: contrast_loops(x, tau, anchor_too=True),
        "no unit length": lambda x, tau: contrast_loops(x, tau, unit=False),
        "log of the sum": lambda x, tau: contrast_loops(x, tau, form="log of sum"),
        "against strangers": lambda x, tau: contrast_loops(x, tau, form="strangers"),
        "times temperature": lambda x, tau: contrast_loops(x, 1 / tau),
    },
    "contrast.levels": {
        "swapped": lambda b, r: (math.log(r - 1), math.log(b * r - 1)),
        "itself": lambda b, r: (math.log(b * r), math.log(r - 1)),
    },
    "pretrain.rate": {
        "begins at 0": rate_of(warm_up=lambda step, warm: step / warm),
        "cut off": rate_of(floor=lambda fall: max(0.01, fall)),
        "ends a step early": rate_of(last=1),
        "no warm-up": lambda step, n, share: rate(step, n, 0.0),
    },
    "pretrain.frequencies": {
        "bits": lambda counts: -torch.xlogy(counts / counts.sum(), counts / counts.sum()).sum() / math.log(2),
        "not a number": lambda counts: -(counts / counts.sum() * (counts / counts.sum()).log()).sum(),
    },
    "finetune.loss": {
        "sum": lambda logits, y: F.cross_entropy(logits, y, reduction="sum"),
        "no log": lambda logits, y: -logits.softmax(-1).gather(1, y[:, None]).mean(),
        "yes or no": lambda logits, y: F.binary_cross_entropy_with_logits(
            logits, F.one_hot(y, logits.shape[1]).float()
        ),
    },
    "finetune.total": {
        "swapped": lambda labels, contrast, alpha: (1 - alpha) * labels + alpha * contrast,
        "sum": lambda labels, contrast, alpha: labels + alpha * contrast,
    },
    "finetune.interval": {
        "normal": normal_interval,
        "around the share": lambda right, n: [
            right / n + s * (wilson(right, n)[1] - wilson(right, n)[0]) / 2 for s in (-1, 1)
        ],
    },
    "learnt.distance": {
        "sum": lambda w: sum(float(w[i, j]) * abs(i - j) for i in range(len(w)) for j in range(len(w))),
        "signed": lambda w: sum(float(w[i, j]) * (i - j) for i in range(len(w)) for j in range(len(w))) / len(w),
        "squared": lambda w: sum(float(w[i, j]) * (i - j) ** 2 for i in range(len(w)) for j in range(len(w))) / len(w),
    },
    "learnt.rollout": {
        "other order": lambda maps: rollout(maps, turned=True),
        "nothing kept": lambda maps: rollout(maps, kept=0.0),
        "largest head": lambda maps: rollout(maps, heads="max"),
    },
    "learnt.neighbours": {
        "distance": lambda x, y: neighbours(x, y, "distance"),
        "itself": lambda x, y: neighbours(x, y, itself=True),
        "product": lambda x, y: neighbours(x, y, "product"),
    },
    "why.frames": {
        "sum": lambda *given: frames_written(*given, add=True),
        "last one": lambda *given: frames_written(*given, add=False),
    },
    "why.integral": {
        "one middle": integral_at(lambda _: [0.5]),
        "both ends": integral_at(lambda _: [0.0, 1.0]),
        "ends and between": integral_at(lambda n: torch.linspace(0, 1, n).tolist()),
        "left ends": integral_at(lambda n: [i / n for i in range(n)]),
        "not times the way": lambda slope, a, b, n: sum(slope(a + (i + 0.5) / n * (b - a)) for i in range(n)) / n,
    },
    "why.gain": {
        "mean": lambda share, out, back: (back - out).mean(),
        "swapped": lambda share, out, back: torch.trapezoid(out - back, share),
        "steps of 1": lambda share, out, back: torch.trapezoid(back - out),
    },
    "why.precision": {
        "least first": lambda importance, truth: precision(-importance, truth),
        "by all frames": lambda importance, truth: precision(importance, truth) * int(truth.sum()) / len(truth),
    },
    "autoencoder.unpack": {
        "gaps at the end": lambda x, shown: torch.cat([x, torch.zeros(len(shown) - len(x), x.shape[1])]),
        "backwards": lambda x, shown: unpack_iter(x, shown).flip(0),
    },
    "autoencoder.loss": {
        "by frame": lambda s, hidden, w: (s * torch.where(hidden, w, 1 - w)).mean(),
        "by weight": lambda s, hidden, w: (
            (s * torch.where(hidden, w, 1 - w)).sum() / torch.where(hidden, w, 1 - w).sum()
        ),
        "swapped": lambda s, hidden, w: (1 - w) * s[hidden].mean() + w * s[~hidden].mean(),
    },
    "autoencoder.chance": {"sum of rows": lambda w, v: len(w) * math.log(v), "probability": lambda w, v: 1 / v},
    "rulers.times": {
        "beginnings": lambda n: [i / 75 * 1000 for i in range(n)],
        "seconds": lambda n: [(i + 0.5) / 75 for i in range(n)],
    },
    "rulers.summary": {
        "unbiased": lambda x: torch.cat([x.mean(1), x.std(1)], 1),
        "other order": lambda x: torch.cat([x.std(1, correction=0), x.mean(1)], 1),
        "variance": lambda x: torch.cat([x.mean(1), x.var(1, correction=0)], 1),
    },
    "rulers.nearest": {
        "distance": lambda x, y, asked: y[torch.cdist(asked, x).argmin(1)],
        "product": lambda x, y, asked: y[(asked @ x.T).argmax(1)],
        "number, not label": lambda x, y, asked: (F.normalize(asked) @ F.normalize(x).T).argmax(1),
    },
    "live.known": {
        "one hop less": lambda n, hop, ahead: max(0, n // hop - 1),
        "look-ahead in hops": lambda n, hop, ahead: max(0, n // hop - ahead // hop),
        "hop for look-ahead": lambda n, hop, ahead: max(0, (n - hop) // hop),
        "no look-ahead": lambda n, hop, ahead: n // hop,
    },
    "live.keep": {
        "first": lambda kept, new, n: torch.cat([kept, new])[:n],
        "other order": lambda kept, new, n: torch.cat([new, kept])[-n:],
    },
    "live.lateness": {
        "no queue": lambda every, work, n: [work] * n,
        "ever earlier": lambda every, work, n: [work + chunk * (work - every) for chunk in range(n)],
        "from the start": lambda every, work, n: [late + every for late in late_loop(every, work, n)],
    },
    "own.windows": {
        "fixed steps": windows_by_step,
        "one too many": lambda n, window: windows_linspace(n, window, more=2),
        "no overlap": lambda n, window: list(range(0, max(1, n - window + 1), window)),
    },
    "own.confusion": {
        "transposed": lambda y, said, n: torch.bincount(said * n + y, minlength=n * n).reshape(n, n),
        "shares": lambda y, said, n: torch.bincount(y * n + said, minlength=n * n).reshape(n, n) / len(y),
    },
    "own.balanced": {
        "all alike": lambda y, said, n: (y == said).float().mean(),
        "of what was said": lambda y, said, n: torch.stack(
            [(y[said == c] == c).float().mean() for c in range(n)]
        ).nanmean(),
    },
    "scale.code_bytes": {
        "part of a frame": lambda seconds, k: 75 * seconds * k * 2,
        "down": lambda seconds, k: int(75 * seconds) * k * 2,
        "bits": lambda seconds, k: math.ceil(75 * seconds) * k * 10,
    },
    "scale.shard": {
        "remainder lost": lambda n, shards, i: (i * (n // shards), (i + 1) * (n // shards)),
        "last one small": lambda n, shards, i: (i * math.ceil(n / shards), min(n, (i + 1) * math.ceil(n / shards))),
        "range": lambda n, shards, i: range(n * i // shards, n * (i + 1) // shards),
    },
    "sight.contrast": {
        "one way": lambda scores, t: F.cross_entropy(scores / t, torch.arange(len(scores))),
        "times temperature": lambda scores, t: contrast_both_ways(scores, 1 / t),
        "sum of both": lambda scores, t: 2 * contrast_both_ways(scores, t),
    },
    "sight.mix": {
        "logarithms mixed": lambda x, w: w[:, None, None] * x + (1 - w[:, None, None]) * x.roll(-1, 0),
        "the clip before": lambda x, w: (
            w[:, None, None] * x.exp() + (1 - w[:, None, None]) * x.roll(1, 0).exp()
        ).log(),
        "energies given back": lambda x, w: w[:, None, None] * x.exp() + (1 - w[:, None, None]) * x.roll(-1, 0).exp(),
    },
    "sight.best_place": {
        "all places": lambda x, y: F.cosine_similarity(x[:, None], y, dim=-1).mean(),
        "best moment": lambda x, y: F.cosine_similarity(x[:, None], y, dim=-1).amax(0).mean(),
        "length counts": lambda x, y: (y @ x[:, :, None])[..., 0].amax(1).mean(),
    },
    "small.codes": {
        "no rest": lambda x, books: torch.stack([nearest(x, book) for book in books]),
        "transposed": lambda x, books: residual_loops(x, books).T,
    },
    "small.batch": {
        "EOA at the end": lambda rows, v: [
            [v + 1, *row.tolist()] + [v] * (max(map(len, rows)) - len(row)) + [v + 2] for row in rows
        ],
        "no marks": lambda rows, v: [row.tolist() + [v] * (max(map(len, rows)) - len(row)) for row in rows],
    },
    "small.attend": {
        "no order": lambda q, k, v, pad: F.scaled_dot_product_attention(q, k, v, attn_mask=~pad[:, None]),
        "PAD too": lambda q, k, v, pad: attend_sdpa(q, k, v, pad & False),
    },
    "small.hide": {
        "the others": lambda tokens, hidden, mask: torch.where(hidden, tokens, mask),
        "zero": lambda tokens, hidden, mask: torch.where(hidden, 0, tokens),
    },
    "small.loss": {
        "everywhere": lambda logits, y, mask: F.cross_entropy(logits, y),
        "sum": lambda logits, y, mask: F.cross_entropy(logits[mask], y[mask], reduction="sum"),
    },
    "small.pooled": {
        "PAD too": lambda h, padding: h.mean(1),
        "by all positions": lambda h, padding: (h * ~padding[..., None]).sum(1) / h.shape[1],
    },
    "help.interval": {
        "by n": lambda x: (x.double().mean(), 1.96 * x.double().std(correction=0) / len(x) ** 0.5),
        "no root": lambda x: (x.double().mean(), 1.96 * x.double().std() / len(x)),
        "of one draw": lambda x: (x.double().mean(), 1.96 * x.double().std()),
    },
    "help.crossing": {
        "ahead once": lambda labels, a, b: next((n for n, x, y in zip(labels, a, b, strict=True) if y >= x), 0),
        "the other way": lambda labels, a, b: crossing_backwards(labels, b, a),
    },
    "ablation.gain": {
        "two means": lambda ours, theirs, t: (
            ours.double().mean() - theirs.double().mean(),
            t * (ours.double().std() + theirs.double().std()) / len(ours) ** 0.5,
        ),
        "by n": lambda ours, theirs, t: (
            (ours - theirs).double().mean(),
            t * (ours - theirs).double().std(correction=0) / len(ours) ** 0.5,
        ),
        "no root": lambda ours, theirs, t: (
            (ours - theirs).double().mean(),
            t * (ours - theirs).double().std() / len(ours),
        ),
        "turned round": lambda ours, theirs, t: (
            (theirs - ours).double().mean(),
            t * (theirs - ours).double().std() / len(ours) ** 0.5,
        ),
    },
    "ablation.by_speaker": {
        "by seed": lambda ours, theirs: (ours - theirs).mean(0),
        "one number": lambda ours, theirs: (ours - theirs).mean(),
        "turned round": lambda ours, theirs: (theirs - ours).mean(1),
        "best seed": lambda ours, theirs: ours.max(1).values - theirs.max(1).values,
    },
    "scale.precision": {
        "least first": lambda truth, scores: precision(-scores, truth),
        "area under another curve": lambda truth, scores: roc_auc_score(truth.numpy(), scores.numpy()),
    },
}
