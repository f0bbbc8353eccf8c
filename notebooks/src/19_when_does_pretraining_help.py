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
# # 19 · When does pre-training help?
#
# **You will**
# 1. draw the score over the *number of labels*, live, for three ways to make a vector of a clip;
# 2. put intervals around the curves, and find the place where two of them cross;
# 3. read the curves of full trainings that were measured once on real recordings, if this installation has them.
#
# **Time** about 28 minutes, of which the computer needs about one. **Needs** notebooks 09 and 13.
#
# In 09 nothing of the method was ahead of the classic rival. That is one point of a curve: one number of labels, one
# amount of unlabelled sound. Here is the rest of it.

# %%
import audioformer as af
from audioformer import plots
from audioformer.data.datasets import open_dataset
from audioformer.data.synth import write_scenes
from audioformer.evaluation.benches.cells import shipped, shipped_names
from audioformer.evaluation.benches.vectors import ClipVectors
from audioformer.teaching import budget, calibration, check, hint, listen, predict, quiz, reveal, show, slider, use

import math
import tempfile

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

SEED = 7
print("seed", SEED)
work = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)

# %% [markdown]
# ## 1 · A curve of two points, in your head
#
# Somebody has ten kinds of sound. With one label each, the pre-trained model is right in 45 of 100 cases and the
# classic method in 35; with fifty labels each, in 80 and 88.
#
# *Predict first: where do the two lines cross, roughly? And which sentence is true: "pre-training helps by ten points"
# or "pre-training hurts by eight"?*

# %%
labels = [1, 50]
ahead = [45 - 35, 80 - 88]
print("ahead by", ahead, "points at", labels, "labels: both sentences, each at one end")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# At about thirty labels, if the lines are straight. Both sentences are true, each at its own end.
#
# </details>
#
# A result without its number of labels is half a result.
#
# ## 2 · The ways
#
# Computed clips of ten kinds. Each way turns a clip into one vector; the same small classifier (logistic regression)
# learns on the vectors of a few labelled clips and is tested on the rest.

# %%
KINDS = ["dog", "rooster", "rain", "sea_waves", "crying_baby", "clock_tick", "siren", "bell", "footsteps", "frog"]
N_CLIPS = budget(200, 100)  # the second number is for the kit's own tests
write_scenes(f"{work.name}/sounds", N_CLIPS, seed=SEED, duration_s=2.0, kind="clips", classes=KINDS)
sounds = open_dataset("esc50", f"{work.name}/sounds")
truth = np.array([sounds.label_indices(clip)[0] for clip in sounds])
waves = [clip.load(24_000, mono=True).samples[0] for clip in sounds]
listen(waves[int(np.flatnonzero(truth == sounds.label_index("siren"))[0])], 24_000, "one of them: a siren")

# %%
WAYS = {"pre-trained": "pretrained", "codec alone": "codec:compact", "classic: log-mel": "statistics"}
vectors = {}
for way, name in WAYS.items():
    make = ClipVectors(name)
    vectors[way] = np.stack([make(wave, 24_000) for wave in waves])
    print(f"{way:17} {vectors[way].shape[1]} numbers a clip, {make.n_parameters:,} learned before")


# %%
def score(way, n_labels, seed):
    """Share right of all other clips, with so many labelled clips of each kind, drawn by the seed."""
    order = np.random.default_rng(seed).permutation(len(truth))
    own = np.concatenate([order[truth[order] == kind][:n_labels] for kind in range(len(KINDS))])
    rest = np.setdiff1d(order, own)
    scaler = StandardScaler().fit(vectors[way][own])
    model = LogisticRegression(max_iter=300).fit(scaler.transform(vectors[way][own]), truth[own])
    return float((model.predict(scaler.transform(vectors[way][rest])) == truth[rest]).mean())


# %% [markdown]
# *Predict first: with one label of each kind, which way is ahead? And with twenty? Which share is right with one label
# of each, by the classic way? Chance is one in ten.*

# %% exercise="prediction"
one_label = 0.4
# %%
predict("19.one_label", one_label)

# %%
LABELS, SEEDS = budget((1, 2, 5, 10, 20), (1, 2, 5)), range(budget(5, 3))
scores = {way: [[score(way, n, seed) for seed in SEEDS] for n in LABELS] for way in WAYS}
means = {way: [float(np.mean(cell)) for cell in cells] for way, cells in scores.items()}
show(plots.layers.by_layer(means, "Right (share)", x="Labels of each kind", places=LABELS))
for way, line in means.items():
    print(f"{way:17}", dict(zip(LABELS, (round(value, 2) for value in line), strict=True)))

# %%
reveal("19.one_label", means["classic: log-mel"][0])
assert sum(line[-1] for line in means.values()) > sum(line[0] for line in means.values()), "more labels, more right"

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The curves say it. More labels help all three, which the cell checks; who is ahead can change on the way.
#
# </details>
#
# ## 3 · How sure?
#
# Which clips get the label is luck, and with few labels it is most of the luck there is.
#
# ### Exercise 1 · Mean and interval
# Half of the 95 % interval of a mean: 1.96 times the deviation (with n - 1) over the root of n.


# %% exercise="interval"
def my_interval(values):
    """(n,) scores of several draws -> (mean, half width: 1.96 deviations over the root of n), two numbers."""
    values = torch.as_tensor(values, dtype=torch.float64)
    return values.mean(), 1.96 * values.std() / len(values) ** 0.5


# %%
check("help.interval", my_interval)

# %%
interval = use("help.interval", my_interval)


def draw_labels(n_labels):
    """The ways at one number of labels, with intervals."""
    cells = {way: torch.tensor(scores[way][LABELS.index(n_labels)], dtype=torch.float64) for way in WAYS}
    told = {way: [float(one) for one in interval(cell)] for way, cell in cells.items()}
    middles = [mean for mean, _ in told.values()]
    show(plots.predictions.top_labels(list(told), middles, chance=0.1, what="Right", of=""))
    print(f"labels of each kind: {n_labels},", {way: f"{mean:.2f} ± {half:.2f}" for way, (mean, half) in told.items()})


slider("At which number of labels do the intervals no longer touch?", LABELS, draw_labels)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# With one label the intervals are widest, with twenty narrow: which clips get the label is then no longer luck.
# Whether two ways part is seen at each number on its own.
#
# </details>
#
# The draws overlap (they come from the same clips), so even these intervals are a little too narrow. And a difference
# *within* each draw, clip set by clip set, is surer than a comparison of two means: both ways had the same luck.
#
# ### Exercise 2 · Where do they cross?
# The first number of labels from which on the second way is never behind again; 0 if there is none.


# %% exercise="crossing"
def my_crossing(labels, first, second):
    """Numbers of labels, rising; scores of two ways -> the first number from which on second >= first, or 0."""
    for i, n in enumerate(labels):
        if all(b >= a for a, b in zip(first[i:], second[i:], strict=True)):
            return n
    return 0


# %%
check("help.crossing", my_crossing)

# %%
crossing = use("help.crossing", my_crossing)
for way in ("pre-trained", "codec alone"):
    place = int(crossing(LABELS, means[way], means["classic: log-mel"]))
    print(
        f"the classic way is never behind '{way}' again",
        f"from {place} of each kind on" if place else "at no point here",
    )

# %% [markdown]
# Is pre-training behind even with one label, and does it catch up with more? Then ask what it has heard: 28 hours of
# recordings, and not one of these computed sounds. And ask what the rival has: the classes *are* spectra, more or less.
# Unlabelled sound helps when it is like the sound of the task, when there is much of it, and when labels are few.
#
# ## 4 · Full trainings, on real recordings
#
# With frozen vectors a point costs a second; fine-tuning costs minutes, and a curve with folds and seeds a night. Such
# curves come with the kit once they have been measured: `audioformer bench labels`.

# %%
HAS = "labels" in shipped_names()
stored = shipped("labels") if HAS else {"rows": [], "command": "audioformer bench labels --esc10 esc10 -o runs/labels"}
print("measured by:" if HAS else "not in this installation; measure them with (a night on one computer):")
print(stored.get("command", ""))


# %%
def curves(data):
    """{way: scores}, and the numbers of labels as words, of one data set of the stored table."""
    rows = [row for row in stored["rows"] if row["data"] == data]
    numbers = list(dict.fromkeys(str(row["labels"]) for row in rows))
    of = {(row["way"], str(row["labels"])): row["ours"] for row in rows}
    ways = [way for way in dict.fromkeys(row["way"] for row in rows) if all((way, n) in of for n in numbers)]
    return {way: [of[way, n] for n in numbers] for way in ways}, numbers


for data in dict.fromkeys(row["data"] for row in stored["rows"]):
    lines, numbers = curves(data)
    show(plots.layers.by_layer(lines, "Score", x=f"{data}: labels of each kind", places=numbers))
    for way, line in lines.items():
        print(f"{data} {way:14}", dict(zip(numbers, (round(value, 3) for value in line), strict=True)))

# %% [markdown]
# *Predict first, also without the table: between pre-trained and from scratch, does the gap grow or shrink with more
# labels? When would you stop pre-training and go out to record?*
#
# <details><summary>What we saw</summary>
#
# It usually shrinks: with many labels both have learnt what there is to learn. As long as another doubling of labels
# brings more than pre-training does, go out and record.
#
# </details>
#
# One more rule of thumb, and it is only that: look at how much the *last doubling* of labels brought, and at how much
# pre-training brings. Do the cheaper of the two next.

# %%
gains = {way: line[-1] - line[-2] for way, line in means.items()}
print("the last step in labels brought", {way: f"{gain:+.2f}" for way, gain in gains.items()})
at_first = means["pre-trained"][0] - means["classic: log-mel"][0]
print(f"pre-training brings {at_first:+.2f} against the classic way at {LABELS[0]} label of each kind")
print("chance", 0.1, "and log of ten", round(math.log(10), 2), "nats; audioformer", af.__version__)

# %% [markdown]
# And the curve of your own predictions, of all notebooks so far: how often did a range hold the truth?

# %%
calibration()

# %%
work.cleanup()

# %% [markdown]
# ## Quiz
#
# **Q1.** "Pre-training brings 5 points." You ask first
#
# - (a) which optimiser it was
# - (b) with how many labels, and against what
# - (c) how large the model is
# - (d) nothing: 5 points are 5 points

# %% exercise="quiz"
answer_1 = "b"
# %%
quiz("help.claim", answer_1)

# %% [markdown]
# **Q2.** With very many labels the curves of pre-trained and from scratch usually
#
# - (a) part for ever
# - (b) both fall
# - (c) come together
# - (d) reach 100 %

# %% exercise="quiz"
answer_2 = "c"
# %%
quiz("help.many", answer_2)

# %% [markdown]
# **Q3.** You have 8 labelled and 5,000 unlabelled clips of bats. Most promising:
#
# - (a) a model pre-trained on music, since it is large
# - (b) training from scratch with more steps
# - (c) a larger codebook
# - (d) pre-training on the 5,000, then labels, beside a classic rival

# %% exercise="quiz"
answer_3 = "d"
# %%
quiz("help.bats", answer_3)

# %% [markdown]
# ## Recap
#
# - Score over labels, with a rival, chance and intervals: the crossing is the result.
# - Pre-training is a substitute for labels, as far as the unlabelled sound is like the task's.
# - Paired differences are surer than two means; curves of full trainings are measured once and brought along.
#
# **To read.** Rethinking ImageNet pre-training (arXiv 1811.08883): with enough labels the gap closes; data-efficient
# recognition (arXiv 1905.09272): with few it is wide. Open: what unlabelled sound is like the task's?
#
# Next, [20](20_one_idea_at_a_time.ipynb): which idea helps, and which was lucky.
