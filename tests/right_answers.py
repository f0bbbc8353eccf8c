"""Right answers to the notebooks' exercises, written as learners write them: each must get its tick.

{exercise: {in words: function}}. Beside tensors there are lists, NumPy, loops and other algebra.
"""

# ruff: noqa: ARG005 - an answer takes all arguments of its exercise

import math

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch.nn import functional as F

from audioformer.attention import rotary_table, rotate


def nearest(latents, codebook):
    return torch.cdist(latents, codebook).argmin(1)


def residual_in_place(latents, codebooks):
    rows = []
    for codebook in codebooks:
        rows.append(nearest(latents, codebook))
        latents -= codebook[rows[-1]]
    return torch.stack(rows)


def residual_loops(latents, codebooks):
    left, rows = latents.clone(), torch.zeros(len(codebooks), len(latents), dtype=torch.long)
    for k in range(len(codebooks)):
        for t in range(len(latents)):
            rows[k, t] = ((codebooks[k] - left[t]) ** 2).sum(1).argmin()
            left[t] -= codebooks[k][rows[k, t]]
    return rows


def one_round_loops(latents, codebook):
    winners = [int(((codebook - latent) ** 2).sum(1).argmin()) for latent in latents]
    won = [[latent for latent, w in zip(latents, winners, strict=True) if w == v] for v in range(len(codebook))]
    return torch.stack([torch.stack(group).mean(0) for group in won])


def one_round_product(latents, codebook):
    chosen = F.one_hot(nearest(latents, codebook), len(codebook)).float()
    return (chosen.T @ latents) / chosen.sum(0)[:, None]


def perplexity(codes, codebook_size, base=np.e):
    shares = np.bincount(codes.numpy().ravel(), minlength=codebook_size) / codes.numel()
    shares = shares[shares > 0]
    return float(base ** -(shares * np.log(shares) / np.log(base)).sum())


def code_positions_loop(padding):
    codes = ~padding
    for clip in codes:
        end = clip.sum() - 1
        clip[0] = clip[end] = False
    return codes


def code_positions_shift(padding):
    followed = torch.cat([~padding[:, 1:], torch.zeros(len(padding), 1, dtype=torch.bool)], 1)
    followed[:, 0] = False
    return ~padding & followed


def attention_loops(queries, keys, values):
    out = torch.zeros(len(queries), values.shape[1])
    for i, query in enumerate(queries):
        weights = torch.stack([(query @ key / math.sqrt(len(query))).exp() for key in keys])
        out[i] = weights / weights.sum() @ values
    return out


def rotate_complex(vectors, table):
    pairs = torch.complex(vectors[:, 0::2].contiguous(), vectors[:, 1::2].contiguous())
    return torch.view_as_real(pairs * torch.complex(table[0], table[1])).flatten(1)


def rotate_stack(vectors, table):
    x, y = vectors[:, 0::2], vectors[:, 1::2]
    return torch.stack([x * table[0] - y * table[1], x * table[1] + y * table[0]], -1).reshape(vectors.shape)


def padded_exp(scores, padding):
    parts = scores.exp() * ~padding
    return parts / parts.sum(1, keepdim=True)


def mask_loss_loops(logits, targets, target_mask):
    hidden = [i for i in range(len(targets)) if target_mask[i]]
    surprise = [math.log(sum(math.exp(x) for x in logits[i])) - float(logits[i, targets[i]]) for i in hidden]
    return sum(surprise) / len(surprise)


def copied_list(codes, hidden):
    filled = []
    for code, gone in zip(codes.tolist(), hidden.tolist(), strict=True):
        filled.append(filled[-1] if gone else code)
    return filled


def contrast_loops(embeddings, tau, anchor_too=False, unit=True, form="mean"):
    """The contrast, and three of its wrong relatives."""
    n_clips, n_rows, _ = embeddings.shape
    rows = (F.normalize(embeddings, dim=-1) if unit else embeddings).flatten(0, 1)
    losses = []
    for anchor in range(0, n_clips * n_rows, n_rows):
        scores = rows @ rows[anchor] / tau
        friends = list(range(anchor + 1, anchor + n_rows))
        others = [i for i in range(len(rows)) if anchor_too or i != anchor]
        if form == "mean":
            losses += [torch.logsumexp(scores[others], 0) - scores[i] for i in friends]
        elif form == "log of sum":
            losses.append(torch.logsumexp(scores[others], 0) - torch.logsumexp(scores[friends], 0))
        else:
            strangers = [i for i in range(len(rows)) if i // n_rows != anchor // n_rows]
            losses += [torch.logsumexp(scores[[*strangers, i]], 0) - scores[i] for i in friends]
    return torch.stack(losses).mean()


def rate(step, n_steps, share):
    warm = max(1, round(share * n_steps))
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * (1 + math.cos(math.pi * (step - warm) / (n_steps - warm))) / 2


def wilson(right, n, z=1.959964):
    centre = (right + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * math.sqrt(right * (n - right) / n + z * z / 4)
    return centre - half, centre + half


def rollout(maps, turned=False, heads="mean", kept=0.5):
    same = total = torch.eye(maps.shape[-1])
    for layer in maps:
        pooled = layer.mean(0) if heads == "mean" else layer.max(0).values
        pooled = (1 - kept) * pooled + kept * same
        total = total @ pooled if turned else pooled @ total
    return total


def neighbours(vectors, labels, how="cosine", itself=False):
    rows = F.normalize(vectors, dim=1) if how == "cosine" else vectors
    alike = -torch.cdist(rows, rows) if how == "distance" else rows @ rows.T
    if not itself:
        alike.fill_diagonal_(-1e9)
    return (labels[alike.argmax(1)] == labels).float().mean()


def frames_loops(falls, span, step, n_frames):
    frames = []
    for t in range(n_frames):
        covering = [float(fall) for i, fall in enumerate(falls) if i * step <= t < i * step + span]
        frames.append(sum(covering) / len(covering))
    return frames


def integral_at(points):
    def integral(slope, start, end, n_steps):
        return torch.stack([slope(start + p * (end - start)) for p in points(n_steps)]).mean(0) * (end - start)

    return integral


def precision(importance, truth):
    order = sorted(range(len(importance)), key=lambda i: -float(importance[i]))
    hits, total = 0, 0.0
    for rank, i in enumerate(order, 1):
        if truth[i]:
            hits += 1
            total += hits / rank
    return total / hits


def unpack_iter(packed, visible):
    left = iter(packed)
    return torch.stack([next(left) if shown else torch.zeros(packed.shape[1]) for shown in visible])


def late_loop(every_s, work_s, n_chunks):
    free, late = 0.0, []
    for chunk in range(1, n_chunks + 1):
        free = max(free, chunk * every_s) + work_s
        late.append(free - chunk * every_s)
    return late


def windows_floor(n_frames, window):
    if n_frames <= window:
        return [0]
    n_steps = math.ceil((n_frames - window) / (window / 2))
    return [int(i * (n_frames - window) / n_steps) for i in range(n_steps + 1)]


def windows_linspace(n_frames, window, more=1):
    if n_frames <= window:
        return [0]
    n = math.ceil((n_frames - window) / (window / 2)) + more
    return np.linspace(0, n_frames - window, n).round().astype(int)


def tone(frequency_hz, duration_s, rate_hz, wave=np.sin, level=0.3):
    times = np.arange(round(duration_s * rate_hz)) / rate_hz
    return level * wave(2 * np.pi * frequency_hz * times)


def contrast_both_ways(scores, temperature):
    own = torch.arange(len(scores))
    return (F.cross_entropy(scores / temperature, own) + F.cross_entropy(scores.T / temperature, own)) / 2


def best_place_loops(sound, places):
    best = [
        max(float(F.cosine_similarity(moment, one, dim=0)) for one in row)
        for moment, row in zip(sound, places, strict=True)
    ]
    return sum(best) / len(best)


def batch_lists(rows, codebook_size):
    longest = max(len(row) for row in rows)
    pad, boa, eoa = codebook_size, codebook_size + 1, codebook_size + 2
    return [[boa, *row.tolist(), eoa] + [pad] * (longest - len(row)) for row in rows]


def attend_sdpa(q, k, v, padding):
    table = rotary_table(q.shape[1], q.shape[2])
    return F.scaled_dot_product_attention(rotate(q, table), rotate(k, table), v, attn_mask=~padding[:, None])


def hide_clone(tokens, hidden, mask):
    shown = tokens.clone()
    shown[hidden] = mask
    return shown


def crossing_backwards(labels, first, second):
    found = 0
    for n, a, b in reversed(list(zip(labels, first, second, strict=True))):
        if b < a:
            break
        found = n
    return found


RIGHT = {
    "ready.duration": {"float": lambda n, rate: float(n) / rate, "tensor": lambda n, rate: torch.tensor(n) / rate},
    "ready.tone": {
        "numpy": tone,
        "list": lambda f, s, rate: [0.3 * math.sin(2 * math.pi * f * i / rate) for i in range(round(s * rate))],
        "linspace": lambda f, s, rate: (
            0.3 * torch.sin(2 * torch.pi * f * torch.linspace(0, s, round(s * rate) + 1)[:-1])
        ),
    },
    "codec.n_frames": {"ceil": lambda n, hop: math.ceil(n / hop), "whole": lambda n, hop: (n + hop - 1) // hop},
    "codec.bandwidth_kbps": {"log2": lambda k, v, rate: k * math.log2(v) * rate / 1000},
    "rvq.nearest": {
        "loops": lambda x, book: [min(range(len(book)), key=lambda v: ((one - book[v]) ** 2).sum()) for one in x],
        "broadcast": lambda x, book: ((x[:, None] - book[None]) ** 2).sum(-1).argmin(-1),
        "list of numbers": lambda x, book: nearest(x, book).tolist(),
        "as floats": lambda x, book: nearest(x, book).float(),
    },
    "rvq.residual_codes": {
        "loops": residual_loops,
        "in place on the argument": residual_in_place,
        "list of tensors": lambda x, books: list(residual_in_place(x.clone(), books)),
    },
    "quantise.one_round": {"loops": one_round_loops, "product": one_round_product},
    "quantise.dequantise": {
        "loop": lambda codes, books: torch.stack([books[k][codes[k]] for k in range(len(books))]).sum(0)
    },
    "quantise.perplexity": {"numpy": perplexity, "base 2": lambda codes, v: perplexity(codes, v, 2.0)},
    "tokens.wrap": {
        "cat": lambda codes, v: torch.cat([torch.tensor([v + 1]), torch.tensor(codes), torch.tensor([v + 2])])
    },
    "tokens.padding": {
        "lists": lambda lengths: [[s >= n + 2 for s in range(max(lengths) + 2)] for n in lengths],
        "0 and 1": lambda lengths: [[int(s >= n + 2) for s in range(max(lengths) + 2)] for n in lengths],
    },
    "tokens.code_positions": {"loop": code_positions_loop, "shift": code_positions_shift},
    "attention.attend": {
        "torch's own": lambda q, k, v: F.scaled_dot_product_attention(q[None], k[None], v[None])[0],
        "loops": attention_loops,
    },
    "attention.rotate": {"complex": rotate_complex, "stack": rotate_stack},
    "attention.padded": {
        "exponentials": padded_exp,
        "a large penalty": lambda scores, padding: (scores - 1e9 * padding.float()).softmax(-1),
    },
    "encoder.layer_norm": {
        "torch's own": lambda x: F.layer_norm(x, x.shape[-1:]),
        "std": lambda x: (x - x.mean(-1, keepdim=True)) / x.std(-1, correction=0, keepdim=True),
    },
    "encoder.block_parameters": {"formula": lambda d, f: 4 * d * d + 2 * d * f + 9 * d + f},
    "encoder.mean_pool": {"loop": lambda h, pad: torch.stack([h[b][~pad[b]].mean(0) for b in range(len(h))])},
    "masking.n_hidden": {"round": lambda n, share: max(1, round(n * share))},
    "masking.loss": {
        "cross_entropy": lambda logits, y, mask: F.cross_entropy(logits[mask], y[mask]),
        "loops": mask_loss_loops,
    },
    "masking.copied": {"list": copied_list},
    "contrast.positives": {
        "lists": lambda b, r: [[c // r == i and c % r != 0 for c in range(b * r)] for i in range(b)]
    },
    "contrast.loss": {"loops": contrast_loops},
    "contrast.levels": {
        "numpy": lambda b, r: np.log([b * r - 1, r - 1]),
        "tuple": lambda b, r: (math.log(b * r - 1), math.log(r - 1)),
    },
    "pretrain.rate": {"formula": rate},
    "pretrain.frequencies": {
        "numpy": lambda counts: math.log(perplexity(torch.repeat_interleave(counts.long()), len(counts))),
        "xlogy": lambda counts: -torch.xlogy(counts / counts.sum(), counts / counts.sum()).sum(),
    },
    "finetune.loss": {"cross_entropy": F.cross_entropy},
    "finetune.total": {"other algebra": lambda labels, contrast, alpha: contrast + alpha * (labels - contrast)},
    "finetune.interval": {
        "other form": wilson,
        "z = 1.96": lambda right, n: wilson(right, n, 1.96),
        "array": lambda right, n: np.array(wilson(right, n)),
    },
    "learnt.distance": {
        "loops": lambda w: sum(float(w[i, j]) * abs(i - j) for i in range(len(w)) for j in range(len(w))) / len(w)
    },
    "learnt.rollout": {"loop": rollout},
    "learnt.neighbours": {"product": neighbours},
    "why.frames": {"loops": frames_loops},
    "why.integral": {"middles": integral_at(lambda n: [(i + 0.5) / n for i in range(n)])},
    "why.gain": {
        "numpy": lambda share, out, back: (
            np.trapezoid(back.numpy(), share.numpy()) - np.trapezoid(out.numpy(), share.numpy())
        ),
        "of the difference": lambda share, out, back: torch.trapezoid(back - out, share),
    },
    "why.precision": {
        "loop": precision,
        "scikit-learn": lambda importance, truth: average_precision_score(truth.numpy(), importance.numpy()),
    },
    "autoencoder.unpack": {"iterator": unpack_iter},
    "autoencoder.loss": {"means": lambda s, hidden, w: w * s[hidden].mean() + (1 - w) * s[~hidden].mean()},
    "autoencoder.chance": {"log V": lambda weights, v: math.log(v)},
    "rulers.times": {
        "numpy": lambda n: (np.arange(n) + 0.5) * 1000 / 75,
        "list": lambda n: [(i + 0.5) / 75 * 1000 for i in range(n)],
    },
    "rulers.summary": {"numpy": lambda x: np.concatenate([x.numpy().mean(1), x.numpy().std(1)], 1)},
    "rulers.nearest": {
        "one by one": lambda x, y, asked: [int(y[F.cosine_similarity(x, one[None]).argmax()]) for one in asked],
        "cosine": lambda x, y, asked: y[(F.normalize(asked) @ F.normalize(x).T).argmax(1)],
    },
    "live.known": {"arithmetic": lambda n, hop, ahead: max(0, (n - ahead) // hop)},
    "live.keep": {"from the front": lambda kept, new, n: torch.cat([kept, new])[max(0, len(kept) + len(new) - n) :]},
    "live.lateness": {
        "loop": late_loop,
        "closed form": lambda every, work, n: work + torch.arange(n) * max(0, work - every),
    },
    "own.windows": {"rounded down": windows_floor, "linspace": windows_linspace},
    "own.confusion": {
        "numpy": lambda y, said, n: np.array(
            [[int(((y == i) & (said == j)).sum()) for j in range(n)] for i in range(n)]
        ),
        "bincount": lambda y, said, n: torch.bincount(y * n + said, minlength=n * n).reshape(n, n),
    },
    "own.balanced": {
        "numpy": lambda y, said, n: np.mean([float((said[y == c] == c).float().mean()) for c in range(n)])
    },
    "scale.code_bytes": {"formula": lambda seconds, k: 2 * k * math.ceil(75 * seconds)},
    "scale.shard": {"tuple": lambda n, shards, i: (n * i // shards, n * (i + 1) // shards)},
    "sight.contrast": {"cross_entropy": contrast_both_ways},
    "sight.mix": {
        "other algebra": lambda x, w: (x.roll(-1, 0).exp() + w[:, None, None] * (x.exp() - x.roll(-1, 0).exp())).log()
    },
    "sight.best_place": {"loops": best_place_loops},
    "small.codes": {"loops": residual_loops},
    "small.batch": {"lists": batch_lists},
    "small.attend": {"torch's own": attend_sdpa},
    "small.hide": {"clone": hide_clone},
    "small.loss": {"loops": mask_loss_loops},
    "small.pooled": {"loop": lambda h, pad: torch.stack([h[b][~pad[b]].mean(0) for b in range(len(h))])},
    "help.interval": {
        "numpy": lambda values: (np.mean(values.numpy()), 1.96 * np.std(values.numpy(), ddof=1) / len(values) ** 0.5)
    },
    "help.crossing": {"backwards": crossing_backwards},
    "ablation.gain": {
        "numpy": lambda ours, theirs, t: (
            np.mean(ours.numpy() - theirs.numpy()),
            t * np.std(ours.numpy() - theirs.numpy(), ddof=1) / len(ours) ** 0.5,
        )
    },
    "ablation.by_speaker": {
        "means first": lambda ours, theirs: ours.mean(1) - theirs.mean(1),
        "list": lambda ours, theirs: [float((o - t).mean()) for o, t in zip(ours, theirs, strict=True)],
    },
    "scale.precision": {"loop": lambda truth, scores: precision(scores, truth)},
}
