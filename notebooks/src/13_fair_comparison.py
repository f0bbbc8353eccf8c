# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 13 · Which features are better, and would you bet on it?
#
# **You will**
# 1. put any model behind the same two questions (HEAR): a vector for each moment, a vector for each clip;
# 2. lay one ruler along all of them: same clips, same folds, same simple learner;
# 3. break the ruler on purpose, in two ways, and see how good everybody looks.
#
# **Time** about 40 minutes, of which the computer needs about one. **Needs** notebooks 09 and 10.

# %%
import audioformer as af
from audioformer import hear, plots
from audioformer.checkpoint import bundled_names
from audioformer.data.synth import synth_clip, write_scenes
from audioformer.evaluation.benches.cells import shipped
from audioformer.evaluation.benches.probe import ProbeData, probe_table, run_cells
from audioformer.evaluation.benches.vectors import ClipVectors
from audioformer.evaluation.features import moments
from audioformer.evaluation.probe import probe, score, split_groups
from audioformer.metrics import wilson_interval
from audioformer.teaching import budget, check, hint, listen, predict, quiz, reveal, sample, show, slider

import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch.testing import assert_close

SEED = 7
print("seed", SEED)
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## 1 · Two questions for every model
#
# HEAR, the Holistic Evaluation of Audio Representations, asks a model two things: a vector for every *moment*, with its
# time, and a vector for every *clip*. Such vectors are called **embeddings**. Whoever answers both can be measured on
# nineteen tasks, by people who do not know what is inside.

# %%
model = hear.load_model("pretrained")
siren = af.load_audio(sample("siren"), 48_000, mono=True).samples
embeddings, times_ms = hear.get_timestamp_embeddings(siren, model)
listen(siren, 48_000, "siren")
print("audio (clips, samples)", tuple(siren.shape), "at", model.sample_rate, "Hz")
print("moments (clips, frames, numbers)", tuple(embeddings.shape), " times", tuple(times_ms.shape))

# %% [markdown]
# *Predict first: the codec makes 75 frames a second. The time of the first frame, in milliseconds? (Not zero.)*

# %%
print([round(t, 2) for t in times_ms[0, :4].tolist()], "ms")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The middle of the frame: half of a seventy-fifth of a second, 6.67 ms.
#
# </details>
#
# ### Exercise 1 · The times
# A frame's time is its middle. Wrong by half a frame, and every event is found 7 ms late: small enough to be
# overlooked, large enough to lose points.


# %% exercise="times"
def my_times(n_frames):
    """Frames at 75 a second -> (n_frames,) their middles, ms."""
    return (torch.arange(n_frames) + 0.5) / 75 * 1000


# %%
check("rulers.times", my_times)

# %% [markdown]
# For a clip, the kit takes mean and deviation over time. Here of two moments, two numbers each:

# %%
two_moments = torch.tensor([[[1.0, 4.0], [3.0, 4.0]]])
print(moments(two_moments).tolist(), "= means 2 and 4, deviations 1 and 0")

# %% [markdown]
# ### Exercise 2 · One vector for a clip


# %% exercise="summary"
def my_summary(frames):
    """(n, T, D) -> (n, 2 D): mean over time, then standard deviation (divided by T, not T - 1)."""
    return torch.cat([frames.mean(1), frames.std(1, correction=0)], 1)


# %%
check("rulers.summary", my_summary)

# %% [markdown]
# With its moments shuffled, a sound keeps these two. So a third part follows: how far a frame lies
# from the fourth one after it, as a deviation over time. A clock that ticks and a rain that hisses differ in it.

# %%
by_hand = torch.cat([moments(embeddings), (embeddings[:, 4:] - embeddings[:, :-4]).std(1, correction=0)], 1)
assert_close(hear.get_scene_embeddings(siren, model), by_hand)

# %%
for name in ("log-mel", "codec:compact", "codes:compact:rows=1", "pretrained"):
    other = hear.load_model(name)
    sizes = f"{other.timestamp_embedding_size:4} numbers a moment, {other.scene_embedding_size:4} a clip"
    print(f"{name:22} {sizes}, {other.encoder.n_parameters:9,} numbers learnt")

# %% [markdown]
# From the top: log-mel bands (nothing learnt), the codec's latents, the vectors of its first row of codes, and the
# pre-trained transformer, which stands on the codec and needs its numbers too.
#
# ## 2 · The ruler
#
# What is in a vector shows when something *simple* has to work with it: the label of the nearest clip, or one linear
# layer. If that is enough, the model has done the work.
#
# ### Exercise 3 · The nearest clip's label


# %% exercise="nearest"
def my_nearest(vectors, labels, asked):
    """Known vectors (n, D), labels (n,), asked vectors (m, D) -> (m,) label of the nearest known, by cosine."""
    known = torch.nn.functional.normalize(vectors, dim=1)
    return labels[(torch.nn.functional.normalize(asked, dim=1) @ known.T).argmax(1)]


# %%
check("rulers.nearest", my_nearest)

# %% [markdown]
# Rules of the ruler, the same for everybody:
#
# - the same clips, in the same folds; whole recordings on one side;
# - mean and deviation for scaling from the training clips only;
# - settings of the learner chosen on a part of the *training* clips; the test clips decide nothing.
#
# Eight classes, computed on the spot, in five folds:

# %%
CLASSES = ["dog", "rain", "sea_waves", "crying_baby", "siren", "bell", "footsteps", "frog"]
N_CLIPS = budget(80, 40)  # the second number is for the kit's own tests
write_scenes(f"{work.name}/sounds", N_CLIPS, seed=SEED, duration_s=1.5, kind="clips", classes=CLASSES)
data = ProbeData.open("scenes", f"{work.name}/sounds", only=range(1, budget(3, 1) + 1))
print(len(data.dataset), "clips,", len(data.folds), "of 5 folds held out in turn")
print(data.metric, "by chance", round(data.chance(), 3))

# %% [markdown]
# *Predict first: rank them. Statistics of a log-mel picture (nothing learnt) · log-mel bands · the codec's latents ·
# one row of codes · all eight rows · the pre-trained transformer.* (And `encodecmae-tiny` of notebook 12, where it is
# installed.)

# %%
names = ["statistics", "log-mel", "codec:compact", "codes:compact:rows=1", "codes:compact", "pretrained"]
names += [name for name in ("encodecmae-tiny",) if name in bundled_names()]
models = [ClipVectors(name) for name in names]

# %% [markdown]
# Two simple learners, **probes**, for each: one linear layer, and the label that most of the nearest clips have
# (`knn`).

# %%
records = list(
    run_cells(data, models, ["linear", "knn"], [SEED], Path(work.name), lambda _: print(end=".", flush=True))
)
print(" measured")
table = probe_table(records, [data], models, fast=None)
show(plots.probes.probes(table["rows"]))

# %%
for name in names:
    linear, knn = (row for row in table["rows"] if row["features"] == name)
    sizes = f"{linear['n_features']:4} numbers a clip, {linear['n_parameters']:9,} learnt"
    print(f"{name:22} {sizes}   linear {linear['ours']:.2f}  knn {knn['ours']:.2f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The picture has the order for these computed sounds. If what learnt nothing is near the top, do not be surprised:
# these classes differ in their spectrum.
#
# </details>
#
# Things to look at before you quote a number from this table: How far apart are two probes on the same features? How
# many numbers does each model give a clip? How many has it learnt, and from how much sound?
#
# ## 3 · How sure?
#
# *Predict first: with that many test clips, how wide is the interval of the best one?*

# %%
linear = {row["features"]: row["ours"] for row in table["rows"] if row["probe"] == "linear"}
n_test = sum(len(test) for _, _, test in data.folds)
for name in sorted(linear, key=linear.get, reverse=True):
    low, high = wilson_interval(round(linear[name] * n_test), n_test)
    print(f"{name:22} {linear[name]:.3f}   {low:.2f} to {high:.2f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Some twenty points from end to end, and most of the ranking lies inside.
#
# </details>
#
# The intervals are for one model alone. Two models on the *same* clips can be told apart better: only clips that one
# gets right and the other wrong say anything. And with the ranking of several models comes another trap: the best of
# many is the luckiest of many, too.
#
# ### The same ruler on real recordings
#
# Made sounds are kind to some features. So here is the ruler on ESC-10, on digits of speakers that the learner has not
# heard, and on scenes with several sounds at once: every fold held out, three seeds, measured once and brought along,
# because it takes an hour. (Held out from the learner, not from the codec: that heard ESC-10 folds 1-3 and five of the
# six speakers, without labels.) HEAR's own learner, a small network (mlp), takes hours more: three seeds on ESC-10, one
# on the others.
#
# *Predict first: where do hand-made statistics win most clearly? And do codes lose against the latents they were made
# from, as the DASB benchmark found?*

# %%
real = shipped("probe")
print(real["command"])
show(plots.probes.probes(real["rows"]))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Statistics that nobody learnt stay ahead of every frozen model here, most clearly where the speaker is new. Codes,
# all eight rows of them, are as good as the latents behind them to a linear layer; one row alone is not, and the mlp
# reads a little more from the latents on digits and scenes. The small transformer adds a little to its codes on
# recordings and words, and nothing on scenes. `pretrained-rows` is shaped as its authors shape it, an encoder of its
# own for each row: read one behind another by a linear layer, three rows are the best that was learned here on
# ESC-10, with three times the numbers a clip and three times the training; other learners read no more from them. The
# small EnCodecMAE, which was trained for less than an hour, reads worse than the latents that it was given.
#
# </details>
#
# *Two doubts: both have heard these speakers, unlabelled, before any was held out. And is this a verdict on the
# methods, or on an hour of training?* Their authors trained for days, on thousands of hours of sound.

# %% [markdown]
# ## 4 · Break it: torn recordings
#
# Six "recordings" of each of four classes; a recording is one place with one noise, cut into four pieces. Somebody
# shuffles all the pieces and takes a quarter for testing.


# %%
def recording(kind, seed):
    """Four seconds of a class, in a place with a noise of its own: (1, N) at 24 kHz."""
    made, place = synth_clip(kind, seed, duration_s=4.0), np.random.default_rng(seed)
    noise = np.convolve(place.normal(size=len(made)), place.normal(size=12), "same")
    return torch.from_numpy(made + 0.03 * noise / noise.std())[None].float()


# %%
KINDS, N_SOURCES, N_PIECES = ["dog", "crying_baby", "footsteps", "frog"], budget(6, 5), 4
pieces, kind_of, source_of = [], [], []
for (number, kind), source in product(enumerate(KINDS), range(N_SOURCES)):
    whole = recording(kind, 100 * number + source)
    pieces += list(whole.split(whole.shape[1] // N_PIECES, 1)[:N_PIECES])
    kind_of += [number] * N_PIECES
    source_of += [f"{kind}-{source}"] * N_PIECES

# %%
listen(torch.cat(pieces[:2], 1), 24_000, "two pieces of one recording")
listen(torch.cat(pieces[4:6], 1), 24_000, "two pieces of another, in another place")
vectors = np.stack([ClipVectors("statistics")(piece[0], 24_000) for piece in pieces])
targets = np.eye(len(KINDS), dtype=np.int64)[kind_of]

# %% [markdown]
# *Predict first: the accuracy with shuffled pieces, and with whole recordings held out?*

# %% exercise="prediction"
torn = 0.8
# %%
predict("13.torn", torn)

# %% exercise="prediction"
held_out = 0.6
# %%
predict("13.whole", held_out)


# %%
def measured(groups, split_seed):
    """Accuracy of the nearest neighbours; everything of one group stays on one side."""
    train, test = split_groups(groups, split_seed, share=0.25)
    answer = probe("knn", vectors, targets, source_of, train, test, seed=SEED)
    return score(torch.from_numpy(answer.scores), torch.from_numpy(targets[test]), False)


# %%
each_alone = [str(i) for i in range(len(pieces))]
ways = {"pieces shuffled": each_alone, "whole recordings": source_of}
seeds = range(budget(8, 3))
found = {way: np.mean([measured(groups, seed) for seed in seeds]) for way, groups in ways.items()}
shares = list(found.values())
show(plots.predictions.top_labels(list(found), shares, chance=1 / len(KINDS), what="Accuracy", of=""))
print({way: round(float(share), 3) for way, share in found.items()}, "mean over", len(seeds), "splits")
reveal("13.torn", found["pieces shuffled"])
reveal("13.whole", found["whole recordings"])

# %% [markdown]
# <details><summary>What we saw</summary>
#
# About twice as many right with the pieces shuffled, with the same features and the same learner. All of that
# difference is the room, not the sound.
#
# </details>
#
# Same features, same learner, same sounds. The difference is what the learner has recognised of the *recordings*. Many
# published numbers were of the first kind; ESC-50's official folds keep each recording on one side, and so does FSDD if
# the speaker is held out.
#
# ## 5 · Break it: look at the test
#
# *Predict first: pairs of random numbers for each clip, which know nothing; we keep the pair that happens to do best on
# the test clips. Chance is a quarter. The score?*


# %%
def best_of(n_tried):
    """Best test accuracy among so many pairs of random features."""
    made = torch.Generator().manual_seed(SEED)
    train, test = split_groups(source_of, SEED, share=0.25)
    kinds, scores = torch.tensor(kind_of), []
    for tried in torch.randn(n_tried, len(pieces), 2, generator=made):
        nearest = torch.cdist(tried[test], tried[train]).argmin(1)
        scores.append((kinds[train][nearest] == kinds[test]).double().mean().item())
    ends = {"best": max(scores), "mean": np.mean(scores)}
    show(plots.predictions.top_labels(list(ends), list(ends.values()), chance=0.25, what="Accuracy", of=""))


# %%
TRIED = [1, 5, 20, 100]
slider("How many pairs that know nothing must you try until you could publish?", TRIED, best_of, 20)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The mean stays at chance, the best rises with every try: with a hundred pairs that know nothing it is far above a
# quarter.
#
# </details>
#
# Nobody does this on purpose. But whoever tries twenty layers, poolings and seeds, looks at the test score each time
# and reports the best, has done it.
#
# ## 6 · And HEAR's own ruler?
#
# - It allows five sampling rates, 48 kHz among them, and not 24. The kit's models hear at 24, so they ask for 48 and
#   drop half. Fair?
# - Its learner is a perceptron with one or two layers of 1024 units, not one linear layer. How much of the score is the
#   perceptron's?
# - `esc10` has learnt from ESC-10, which is part of HEAR's ESC-50. Only `pretrained` may be scored there; and it has
#   heard some of these recordings too, unlabelled. The card of a model must say so; ask for it.
# - A mean over nineteen tasks hides which. A model that is best at pitch may be bad at dogs.
#
# With real recordings: `audioformer bench probe --esc10 ESC-10 --digits FSDD -o runs/probe`.

# %%
work.cleanup()

# %% [markdown]
# ## Quiz
#
# **Q1.** 40 recordings, each cut into 10 pieces. The test set is
#
# - (a) ten pieces of each kind of sound
# - (b) all the pieces of four recordings
# - (c) a tenth of the pieces, drawn at random
# - (d) the last piece of each recording

# %% exercise="quiz"
answer_1 = "b"
# %%
quiz("rulers.torn", answer_1)

# %% [markdown]
# **Q2.** Features are scaled with mean and deviation of *all* clips, then split. That is
#
# - (a) right, since no label was used
# - (b) needed for the nearest neighbour
# - (c) right, if there are enough clips
# - (d) wrong in principle, if often harmless

# %% exercise="quiz"
answer_2 = "d"
# %%
quiz("rulers.scale", answer_2)

# %% [markdown]
# **Q3.** `esc10` scores highest of all on ESC-50's folds. You
#
# - (a) choose another probe
# - (b) publish it
# - (c) repeat it with three seeds
# - (d) leave it out: it has heard them

# %% exercise="quiz"
answer_3 = "d"
# %%
quiz("rulers.heard", answer_3)

# %% [markdown]
# ## Recap
#
# - Two questions, any model: moments with times, clips.
# - A comparison is fair when clips, folds, learner and choices are the same, and the test clips decided nothing.
# - Torn recordings and repeated looks make everybody look good. Ask how a number was made before you ask how high it
#   is.
#
# **To read.** HEAR (arXiv 2203.03022): the ruler. Open: which task would tell models apart that all solve these?
#
# Next, [14](14_live.ipynb): no folds, no second try, a microphone.
