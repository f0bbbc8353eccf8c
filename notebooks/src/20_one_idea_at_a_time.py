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
# # 20 · Which of these ideas helps, and which was lucky?
#
# **You will**
# 1. read a table in which one thing is changed at a time, pair by pair, with an interval around each gain;
# 2. count what will be new next time, speakers and not runs, and see which gains are left;
# 3. plant useless ideas, to see how good the best of them looks.
#
# **Time** about 32 minutes, of which the computer needs less than one. **Needs** notebook 09.
#
# 09 compared four methods once, on twenty clips of one computer program. Here is the comparison as it ought to be.

# %%
import audioformer as af
from audioformer import plots
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.datasets import open_dataset
from audioformer.data.synth import write_scenes
from audioformer.evaluation.benches import cells
from audioformer.evaluation.benches.ablation_table import reading
from audioformer.finetune import FineTuning
from audioformer.recipes import finetune_preset
from audioformer.start import init_from_codebooks
from audioformer.teaching import button, check, hint, listen, predict, quiz, reveal, show, slider, trimmed, use, watch
from audioformer.train import train

import math
import tempfile

import numpy as np
import torch

SEED = 7
print("seed", SEED)
torch.manual_seed(SEED)
work = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)

# %% [markdown]
# ## 1 · One thing at a time
#
# An **ablation** takes one part of a method away, or changes it, and leaves everything else as it was. Two data sets:
# ESC-10, ten kinds of everyday sound such as the two below, with each of four folds held out in turn; and spoken
# digits, with each of six speakers held out. Held out from everything but the codec, which heard three of the folds and
# five of the speakers, without labels. Three seeds each: hours of training, so it was measured once and brought along.

# %%
for kind in ("dog", "rooster"):
    listen(trimmed(kind), title=f"{kind}: computed, of a kind that ESC-10 has as recordings")

# %% [markdown]
# *Predict first: which of the paper's two ideas, pre-training and the contrast (FT2), is ahead at this size? And what
# about reading more than one row of codes?*

# %%
whole = cells.shipped("ablation")
rows = {(row["data"], row["row"]): row for row in whole["rows"]}
print(whole["command"])
show(plots.ablation.ablation(whole["rows"]))

# %%
for data in ("esc10", "digits"):
    ft1, fresh, ft2, rival = (rows[data, name]["ours"] for name in ("ft1", "scratch", "ft2", "svm"))
    print(f"{data}: pre-trained, FT1 {ft1:.3f}, from scratch {fresh:.3f}, FT2 {ft2:.3f}, classic rival {rival:.3f}")
    assert abs(ft1 - fresh) < 0.02, "pre-training does not show"
    assert ft2 < ft1 < rival, "nor does the contrast, and the rival is ahead"

# %% [markdown]
# <details><summary>What we saw</summary>
#
# With a model this small, so shortly trained, neither idea shows: pre-trained and from scratch are level on both, FT2
# is a little behind FT1, and all of it stays behind the classic rival. Rows summed are ahead of row 1 alone; by how
# much that can be believed is the next question.
#
# </details>
#
# ## 2 · Two runs with the same luck
#
# Some folds are hard, for every method. Three folds, two methods:

# %%
ours, theirs = torch.tensor([0.53, 0.72, 0.94]), torch.tensor([0.50, 0.70, 0.90])
print(f"ours   {ours.mean():.2f}, deviation {ours.std():.2f}")
print(f"theirs {theirs.mean():.2f}, deviation {theirs.std():.2f}")

# %% [markdown]
# *Predict first: the deviations are much larger than the distance of the means. Is the distance luck? Look at the three
# pairs before you run the next cell.*

# %%
gains = ours - theirs
print("gains", [round(float(gain), 2) for gain in gains], f"mean {gains.mean():.2f}, deviation {gains.std():.2f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The folds differ by twenty points, the gains by one: subtracted pair by pair, what the folds have in common is gone,
# and all three gains are above zero.
#
# </details>
#
# So the interval is put around the *gains*: their mean, and $t$ deviations over the root of $n$ to each side. With few
# pairs $t$ is larger than the usual two, because the deviation itself is uncertain: Student's $t$.
#
# ### Exercise 1 · A gain with its interval


# %% exercise="gain"
def my_gain(ours, theirs, t):
    """Scores (n,) of the same n folds, t -> (mean gain, half width: t deviations of the gains over the root of n)."""
    gains = torch.as_tensor(ours, dtype=torch.float64) - torch.as_tensor(theirs, dtype=torch.float64)
    return gains.mean(), t * gains.std() / len(gains) ** 0.5


# %%
check("ablation.gain", my_gain)

# %% [markdown]
# So every row of the table can be read against the row that it changes. *Predict first: sixteen changes to each data
# set, most of them small. How many make a difference that shows?*

# %%
for data in ("esc10", "digits"):
    said = [reading(row) for row in whole["rows"] if row["data"] == data and row["gain"] is not None]
    for word in ("better", "worse"):
        print(f"\n{data}, {word}:", *(line for line in said if f": {word}," in line), sep="\n  ")
    print(f"{data}, no difference that shows:", sum("no difference" in line for line in said), "more")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# About half of them. Much weight on the contrast (alpha 0.5) and a low temperature are worse on both data sets, and so
# is row 3 read instead of row 1. On the digits, rows summed seem to be a gain. Neither pre-training nor its share of
# hidden codes shows anywhere.
#
# </details>
#
# ## 3 · Count what will be new
#
# Now doubt the words "better" and "worse" on the digits. They count 18 runs: six speakers, three seeds each. But what
# will be new next time is a *speaker*, and three runs on one voice are not three voices.
#
# *Predict first: three summed rows against row 1, by the first seed alone and by all three. By how many points can one
# seed be wrong? And is the gain alike for all six speakers?*

# %%
SPEAKERS = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]  # in the order of the table


def runs(name):
    """(speakers, seeds) accuracies of a row of the table, and of the row that it changes."""
    row = rows["digits", name]
    return [torch.tensor(one["accuracies"], dtype=torch.float64) for one in (row, rows["digits", row["versus"]])]


summed, one_row = runs("summed")
by_seed = 100 * (summed - one_row).mean(0)
print("three rows summed against row 1, points by seed:", [round(float(gain), 1) for gain in by_seed])
print(f"mean {by_seed.mean():.1f}; the first seed alone would have said {by_seed[0]:.1f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# By about as much as the gain itself: the first seed alone would have reported twice the mean. By speaker, the slider
# below shows it.
#
# </details>
#
# ### Exercise 2 · A gain for each speaker


# %% exercise="by_speaker"
def my_by_speaker(ours, theirs):
    """Accuracies (P, S) of P speakers with S seeds each -> (P,) gain of every speaker, mean over seeds."""
    return (ours - theirs).mean(1)


# %%
check("ablation.by_speaker", my_by_speaker)

# %%
by_speaker, gain_of = use("ablation.by_speaker", my_by_speaker), use("ablation.gain", my_gain)
T_SIX = 2.571  # Student's t of six values: 95 % lie within so many deviations of their mean
titles = {name: row["title"] for (data, name), row in rows.items() if data == "digits" and row["gain"] is not None}
held = {}
for name in titles:
    each = torch.as_tensor(by_speaker(*runs(name)))
    mean, half = (float(one) for one in gain_of(each, torch.zeros(6), T_SIX))
    held[name] = (mean, half, each)


# %%
def draw_speakers(name):
    """One change of the recipe, speaker by speaker."""
    mean, half, each = held[name]
    show(plots.layers.by_layer({name: 100 * each}, "Gain (points)", x="Speaker", places=SPEAKERS))
    word = "shows" if abs(mean) > half else "does not show"
    print(f"{titles[name]}: {100 * mean:+.1f} ± {100 * half:.1f} points over six speakers, which {word}")


LOOKED_AT = ["summed", "recipe", "scratch", "ft2", "alpha0.5", "alpha0.97", "probe"]
slider("Which of these changes has the same sign for every speaker?", LOOKED_AT, draw_speakers)

# %%
left = sorted(name for name, (mean, half, _) in held.items() if abs(mean) > half)
print("counted over speakers there are left:", *(titles[name] for name in left), sep="\n  ")
assert left == ["alpha0.5", "probe", "tau0.03"], "three losses, no gain"

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Three losses are left: the frozen model, much weight on the contrast, the low temperature. FT2 and FT1 are level
# again. Our own recipe of eight summed rows, "better" above, gains much with two speakers and little with the others:
# with six voices that is not enough to promise anything for a seventh.
#
# </details>
#
# "No difference that shows" is not "no difference": with so few voices only a large one could show.
#
# ## 4 · The best of many useless ideas
#
# Of many rows compared, one will look good by luck. How often? Here the truth is planted: sixteen ideas that change
# nothing, each measured on six speakers whose gains scatter as much as above.
#
# *Predict first: in which share of such tables does at least one useless idea "show"?*

# %% exercise="prediction"
lucky = 0.3
# %%
predict("20.lucky", lucky)

# %%
rng = np.random.default_rng(SEED)
SCATTER = float(np.mean([each.std() for *_, each in held.values()]))  # of the gains, from speaker to speaker
N_TABLES = 2000


def tables(true_gains):
    """Gains of ideas in many tables: (mean, half) of shape (tables, ideas)."""
    each = np.asarray(true_gains)[:, None] + SCATTER * rng.standard_normal((N_TABLES, len(true_gains), 6))
    return each.mean(-1), T_SIX * each.std(-1, ddof=1) / math.sqrt(6)


mean, half = tables([0.0] * 16)
seeming = (np.abs(mean) > half).any(1).mean()
print(f"one useless idea alone: {(np.abs(mean) > half).mean():.3f}; at least one of sixteen: {seeming:.3f}")
print(f"the best of sixteen useless ideas gains {100 * mean.max(1).mean():.1f} points on average")
reveal("20.lucky", seeming)
assert 0.4 < seeming < 0.7
assert mean.max(1).mean() > 0.02

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Each idea alone is taken for real in one case of twenty, as a 95 % interval promises. Sixteen of them together: in
# more than half of all tables. And the best of the sixteen "gains" several points, though nothing was there to gain.
#
# </details>
#
# *Predict first: now one of the sixteen is good, by five points. How often is it the first of the table? And when it is
# the first, does the table show five points?*

# %%
mean, half = tables([0.05] + [0.0] * 15)
first = mean.argmax(1) == 0
print(f"the good idea is the first in {first.mean():.0%} of the tables")
print(f"it then shows {100 * mean[first, 0].mean():.1f} points; where it is not, the first one is useless and shows")
print(f"{100 * mean[~first].max(1).mean():.1f} points")
assert 0.1 < first.mean() < 0.95
assert mean[first, 0].mean() > 0.05, "more than is true"

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Not always first; and where it is the first, the table shows more than the five points that are true: to win, it had
# to be good *and* lucky. Whoever runs the winner again finds less, without anybody having cheated.
#
# </details>
#
# So: choose with some speakers or folds, and report on others. That is what the next section asks of our own models.
#
# ## 5 · For real
#
# The bundled `esc10` differs in several things, each an answer to what the rows above lack. Before the blocks two
# convolutions join four frames to one position, as speech recognisers do (`subsampling`): a step costs a quarter, so
# there is time for many more, on many codings of every clip; and how a sound changes from frame to frame need not be
# learnt by attention, for which so few clips are not enough. Its card says what it started from, how it was measured,
# and with which folds it was chosen; the classic rival's score stands below it:


# %%
def print_scores(model):
    """What a bundled model's card says of it."""
    print(model.about["about"])
    for score in model.about["scores"]:
        print(f"{score['metric']} {score['value']:.3f}, {score['spread']}, chance {score['chance']:.2f}")
        print("   ", score["data"])


shipped = af.load("esc10")
print_scores(shipped)
print(f"the classic rival {rows['esc10', 'svm']['ours']:.3f}")

# %% [markdown]
# *Predict first: what does it say to the computed dog from above?*

# %%
said = shipped.classify(trimmed("dog"), top_k=5)
show(plots.predictions.top_labels(said.labels, said.probabilities, chance=0.1))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# It learnt the ten names from recordings: a computed dog is a visitor from elsewhere, whatever it is called here. A
# better test is a recording of your own: notebook [15](15_your_own_sounds.ipynb).
#
# </details>
#
# And the digits? *Predict first: a mean over positions does not care what comes first. Will that cost more with words
# or with rain?*

# %%
digits = af.load("digits")
print("time bins", digits.about["time_bins"])
print_scores(digits)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# With words. A word is its sounds in their order; rain sounds alike from end to end. So the bundled `digits` hears a
# word in eight stretches of time, by a clock that learns to stand still in pauses. And its embeddings stay what they
# were at first, the vectors of the codec: a code that no voice in training used still lies beside its neighbours. With
# these two, and with many more changes of pitch and pace, it tells most digits of voices that it has never heard, where
# the best row above tells about half.
#
# </details>
#
# *Both cards name the folds or voices with which the recipe was chosen: which number is therefore a little too good,
# and which would you quote?*
#
# The recipe of `esc10` is here too, and a button: a fresh model of its shape, all eight rows, on a hundred computed
# clips. Press it only if you have the time; the stop button (■) of the notebook ends it.


# %%
def fine_tune_for_real():
    """The recipe of the shipped model, from fresh weights, on computed clips."""
    kinds = ["dog", "rain", "siren", "clock_tick", "crying_baby"]
    write_scenes(f"{work.name}/sounds", 100, seed=SEED, duration_s=2.0, kind="clips", classes=kinds)
    codec = af.load_codec("compact")
    for _ in prepare(open_dataset("esc50", f"{work.name}/sounds"), codec, f"{work.name}/codes"):
        pass
    corpus = Corpus.open(f"{work.name}/codes")
    fresh = af.AudioFormer(shipped.classifier.config, mlm=False)
    init_from_codebooks(fresh, codec.codebooks())
    task = FineTuning(bundled, fresh, corpus.select(folds=[1, 2, 3, 4]), corpus.label_names, False, corpus.codec)
    watch(train(task, bundled.train), ["mlc"], {"chance": math.log(len(kinds))})
    print(f"right: {task.measure(corpus.select(folds=[5]))['accuracy']:.2f}")


bundled = finetune_preset("esc10")
button(f"Run it for real ({bundled.train.n_steps} steps)", fine_tune_for_real)

# %% [markdown]
# ## Quiz
#
# **Q1.** A model reads eight rows *and* trains twice as long, and gains 4 points. You conclude
#
# - (a) each brings about 2 points
# - (b) the eight rows help, since 4 points are many
# - (c) nothing about either of the two
# - (d) the same, after two more seeds

# %% exercise="quiz"
answer_1 = "c"
# %%
quiz("ablation.two_changes", answer_1)

# %% [markdown]
# **Q2.** Six speakers, three seeds each. For a seventh speaker the interval has to be made from
#
# - (a) six numbers
# - (b) eighteen numbers
# - (c) three numbers
# - (d) one number, the mean of all

# %% exercise="quiz"
answer_2 = "a"
# %%
quiz("ablation.three_seeds", answer_2)

# %% [markdown]
# **Q3.** Of twenty variants on the same folds the best gains 3.1 ± 2.9 points. You
#
# - (a) publish: its interval leaves out zero
# - (b) forget it: with twenty it must be luck
# - (c) run it again on the same folds
# - (d) run it, and it alone, on folds that chose nothing

# %% exercise="quiz"
answer_3 = "d"
# %%
quiz("ablation.best_of_many", answer_3)

# %%
work.cleanup()

# %% [markdown]
# ## Recap
#
# - One change at a time, pair by pair: what both runs have in common falls out.
# - Count what will be new: voices, rooms, days; not runs.
# - The best of many was lucky, too. Choose on some of the data, report on other.
#
# **To read.** Accounting for variance in benchmarks (arXiv 2103.03098): which luck is large; a metric learning reality
# check (arXiv 2003.08505): years of gains, measured again. Open: how would you ablate a method that takes a month to
# train?
#
# That was the last one. The [index](index.ipynb) has them all.
