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
# # 16 · What changes when there are two million clips?
#
# **You will**
# 1. cut a corpus into shards, let two processes work on it, and kill one;
# 2. see why many processes can take one and the same step, and what a full training would take here;
# 3. read the paper's claims like a referee.
#
# **Time** about 40 minutes, of which the computer needs about one. **Needs** notebooks 08 and 09.

# %%
import audioformer as af
from audioformer import plots
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.datasets import open_dataset
from audioformer.encoder import Encoder
from audioformer.files import samples_folder
from audioformer.metrics import average_precision
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import PretrainConfig, pretrain_preset
from audioformer.teaching import budget, check, hint, listen, predict, quiz, reveal, show, slider, trimmed

import math
import os
import subprocess
import sys
import tempfile
import time

import torch
from torch.testing import assert_close

SEED = 7
print("seed", SEED)
work = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # Windows deletes no file that is still open

# %% [markdown]
# ## 1 · How much is it?
#
# AudioSet, as the authors had it: two parts, ten seconds a clip.

# %%
BALANCED, UNBALANCED, CLIP_S = 20_550, 1_912_024, 10.0
n_clips = BALANCED + UNBALANCED
hours = n_clips * CLIP_S / 3600
print(f"{n_clips:,} clips, {hours:,.0f} hours: {hours / 24:.0f} days of sound")

# %% [markdown]
# *Predict first: as 16-bit sound at 24 kHz that is how many gigabytes? And four rows of codes, two bytes a code: which
# share of the sound's size?*

# %% exercise="prediction"
size = 0.05
# %%
predict("16.codes", size)

# %% [markdown]
# ### Exercise 1 · Bytes of codes


# %% exercise="bytes"
def my_code_bytes(duration_s, n_codebooks):
    """Seconds, rows -> bytes of the codes: 75 frames a second, a partial one counts, 2 bytes a code."""
    return math.ceil(75 * duration_s) * n_codebooks * 2


# %%
check("scale.code_bytes", my_code_bytes)

# %%
gigabytes = {"16-bit sound": round(n_clips * CLIP_S * 24_000 * 2 / 1e9)}
for name, rows in {"eight rows of codes": 8, "four rows": 4, "one row": 1}.items():
    gigabytes[name] = round(n_clips * math.ceil(75 * CLIP_S) * rows * 2 / 1e9)
show(plots.layers.parameters(gigabytes, what="gigabytes", of="kept as", whole=False))
reveal("16.codes", gigabytes["four rows"] / gigabytes["16-bit sound"])

# %% [markdown]
# <details><summary>What we saw</summary>
#
# More than nine hundred gigabytes; four rows of codes are an eightieth of that.
#
# </details>
#
# Codes fit on a laptop's disk; the sound hardly. That is the practical side of "audio as language": the codec runs
# once.
#
# ## 2 · Shards
#
# Even once takes days, so the corpus is cut into files, **shards**. Each is either finished or not there at all.
#
# *Predict first: 10 clips in 3 shards. Which clips are in which?*
#
# ### Exercise 2 · From where to where
# Shard $i$ of $s$ (from 0) begins at $\lfloor n \, i / s \rfloor$.


# %% exercise="shard"
def my_shard(n_clips, n_shards, index):
    """Clips, shards, which shard from 0 -> [first clip, the one after its last]."""
    return [n_clips * index // n_shards, n_clips * (index + 1) // n_shards]


# %%
check("scale.shard", my_shard)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 0 to 2, 3 to 5, and 6 to 9: the last one gets what is over.
#
# </details>
#
# Now for real: the bundled samples in 4 shards for two processes, which take turns: the first does shards 1 and 3. It
# is killed after shard 1.

# %%
sounds = open_dataset("esc50", samples_folder())
codec = af.load_codec("compact")
CLIP_LIMIT_S = budget(5, 1)  # the second number is for the kit's own tests

# %%
how = {"n_codebooks": 4, "n_shards": 4, "shard": (1, 2), "clip_s": CLIP_LIMIT_S}  # part 1 of 2
first_part = prepare(sounds, codec, f"{work.name}/codes", **how)
for record in first_part:
    if record.shard > 0:  # the second one has begun
        first_part.close()
        break
there = sorted(name for name in os.listdir(f"{work.name}/codes") if name.startswith("shard"))
print("killed at shard", record.shard + 1, "of", record.n_shards, "; on disk:", there)

# %% [markdown]
# The shard at work is not there at all. *Predict first: what does the library say to somebody who wants to train on
# this?*

# %%
try:
    Corpus.open(f"{work.name}/codes")
except af.AudioformerError as refusal:
    print(str(refusal).replace(work.name, "..."))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# It refuses: it says what is missing, and what to do.
#
# </details>
#
# Two processes of the operating system, as two machines with one disk would do it. The same command goes on where the
# killed one stopped:

# %%
command = ["audioformer", "prepare", str(samples_folder()), "--dataset", "esc50"]
command += ["-o", f"{work.name}/codes", "--clip-s", str(CLIP_LIMIT_S)]
command += ["--codebooks", "4", "--shards", "4", "--shard"]
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
started = time.perf_counter()
running = [subprocess.Popen([sys.executable, "-m", *command, part], **PIPES) for part in ("1/2", "2/2")]
said = [process.communicate()[0].replace(work.name, "...").strip() for process in running]
took_s = time.perf_counter() - started

# %%
print("\n".join(sorted(said)))
print(f"{took_s:.0f} s, most of it to start Python twice")

# %%
corpus = Corpus.open(f"{work.name}/codes")
known = corpus.statistics()
print(len(corpus), "clips;", {name: known[name] for name in ("hours", "frames", "n_codebooks")})

# %% [markdown]
# The shards are **memory-mapped**: a clip is read from disk when somebody asks for it, so a corpus of any size opens at
# once.

# %%
started = time.perf_counter()
codes = Corpus.open(f"{work.name}/codes")[17].codes
print(tuple(codes.shape), f"codes of clip 17, {1000 * (time.perf_counter() - started):.1f} ms with opening")

# %% [markdown]
# ## 3 · Many processes, one step
#
# Three graphics cards, 22 clips each: the authors' batch of 66. Each process reads its own clips, and the gradients are
# averaged. Here two parts of four clips, against all eight at once.
#
# *Predict first: is the result the same as with all clips in one process? Exactly?*

# %%
shape = af.preset("test", n_codebooks=1)
schedule = af.TrainConfig(n_steps=1, batch_size=8, seed=SEED)
recipe = PretrainConfig(shape, af.MaskConfig(), schedule, crop_s=1.0, min_crop_s=1.0)
task = MaskedModelling(recipe, corpus, corpus.codec).eval()


# %%
def gradient(batch):
    """All gradients of one batch, in one vector."""
    task.zero_grad()
    task(batch)["total"].backward()
    return torch.cat([p.grad.flatten() for p in task.parameters() if p.grad is not None])


whole = gradient(task.batch(0, rank=0, world=1))
parts = [task.batch(0, rank=rank, world=2) for rank in (0, 1)]

# %%
weights = torch.tensor([task.weigh(part) for part in parts])
together = sum(w * gradient(part) for w, part in zip(weights, parts, strict=True)) / weights.sum()
assert_close(together, whole, atol=1e-6, rtol=1e-4)
print("codes to guess in each part", weights.tolist())
print(f"largest gradient {whole.abs().max():.0e}, largest difference {(together - whole).abs().max():.0e}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The same, but for rounding: sums are formed in another order.
#
# </details>
#
# The parts weigh by how many codes they had to guess; with parts of unlike length a plain mean would be off. Crops and
# masks belong to the *place in the batch*, not to the process, so it does not matter how many there are.
#
# The contrast of notebook 07 is different: its loss is over *pairs*, so processes must show each other their vectors
# first. *Why would it otherwise be a different loss?*
#
# <details><summary>What we saw</summary>
#
# Because every process would see only its own clips as negatives: with half of the clips, half of the strangers, and
# another chance level (notebook 07: it is the logarithm of their number).
#
# </details>
#
# ## 4 · What would it take, here?
#
# A rule of thumb: training costs about 6 multiplications and additions for each parameter and each token. How many a
# second does this machine do? A product of two matrices of 1024 rows and columns is $2 \cdot 1024^3$ of them:

# %%
a = torch.randn(1024, 1024)
a @ a
started = time.perf_counter()
for _ in range(budget(10, 3)):
    a @ a
rate = budget(10, 3) * 2 * 1024**3 / (time.perf_counter() - started)
print(f"{rate / 1e9:.0f} GFLOP/s: thousand million operations a second, at best")

# %%
paper = pretrain_preset("paper")
with torch.device("meta"):
    models = {name: Encoder(af.preset(name)) for name in ("tiny", "small", "paper")}
n_parameters = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
steps = 12 * n_clips / paper.train.batch_size
tokens = 12 * n_clips * (math.ceil(75 * CLIP_S) + 2)
print(f"{steps:,.0f} steps of {paper.train.batch_size} clips, {tokens / 1e9:.1f} thousand million tokens: for one row")

# %% [markdown]
# *Predict first: days? Months? Years? For one row, 12 passes over the data.*

# %%
for name, count in n_parameters.items():
    days = 6 * count * tokens / rate / 86400
    print(f"{name:6} {count / 1e6:6.1f} million parameters: {days:8,.0f} days, {days / 365:5.1f} years here")


# %% [markdown]
# <details><summary>What we saw</summary>
#
# Years, for the paper's size on one such machine.
#
# </details>


# %%
def draw_machines(n):
    """Days for one row of the paper's size, with so many times this machine."""
    days = 6 * n_parameters["paper"] * tokens / rate / 86400 / n
    rows = {"one row": round(days), "four rows": round(4 * days)}
    show(plots.layers.parameters(rows, what="days", of="trained", whole=False))


# %%
MACHINES = [1, 10, 100, 1000, 10_000]
slider("How many of this machine must you borrow for a result by Friday?", MACHINES, draw_machines, 100)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Hundreds to thousands, for one row of the paper's size. With graphics cards it is a handful: each does the work of
# many such machines.
#
# </details>
#
# (The authors had three graphics cards with 16-bit numbers: each does a thousand times as many operations as a laptop's
# core, or more. Their model's size is not public; `paper` has 12 blocks of width 768, the usual "base". The rule leaves
# attention out, and nobody reaches "at best".)
#
# So the kit's own models are *not* the paper's. What can be tested at this size is the method: does each idea do what
# it is said to do?

# %% [markdown]
# ## 5 · What is claimed
#
# Mean average precision (mAP, here in percent) as the authors report it. *Predict first: scores 0.9, 0.8, 0.7, 0.1, and
# clips 1 and 3 really have the class. Its average precision?*

# %%
targets, scores = torch.tensor([1, 0, 1, 0]), torch.tensor([0.9, 0.8, 0.7, 0.1])
by_hand = (1 / 1 + 2 / 3) / 2  # at clip 1: one of one is right; at clip 3: two of three
library = average_precision(targets.numpy()[:, None], scores.numpy()[:, None])[0]
print("by hand", round(by_hand, 4), " library", round(float(library), 4))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Five sixths: at clip 1 one of one is right, at clip 3 two of three.
#
# </details>
#
# ### Exercise 3 · Average precision of one class


# %% exercise="precision"
def my_precision(targets, scores):
    """Which clips have the class (n,), scores (n,), no two equal -> average precision."""
    right = targets[scores.argsort(descending=True)]
    places = torch.arange(1, len(right) + 1)
    return (right.cumsum(0) / places)[right == 1].mean()


# %%
check("scale.precision", my_precision)

# %%
AUDIOSET_2M = {
    "AudioFormer FT1": 53.9,
    "CED base": 50.0,
    "EAT large": 49.5,
    "BEATs iter3+": 48.6,
    "Audio-MAE": 47.3,
    "PaSST": 47.1,
    "AST": 45.9,
    "PANNs": 43.1,
}
shares = [value / 100 for value in AUDIOSET_2M.values()]
show(plots.predictions.top_labels(list(AUDIOSET_2M), shares, what="Reported mAP", of="Model"))

# %%
first, second, *_, last = sorted(AUDIOSET_2M.values(), reverse=True)
print(f"ahead of the next by {first - second:.1f} points; all others lie within {second - last:.1f}")

# %% [markdown]
# On the two million clips, as each group reports it, models that only listen. (One that also *sees*, MAViL, reports
# more than all but the first.) A jump over all of them, from one row of codes. One row is this much sound:

# %%
dog = trimmed("dog")
for rows in (1, 8):
    again = codec.decode(codec.encode(dog, n_codebooks=rows))
    listen(again, codec.sample_rate, f"rows: {rows}, {codec.bandwidth_kbps(rows):.2f} kbit/s")
listen(dog, title="the recording")

# %% [markdown]
# Can more be known from the first than everybody else knows from the last? Our codec is not theirs, so your ears are no
# proof. But it is a question that a referee would ask.
#
# *Predict first: how much does the contrast (FT2) add?*

# %%
THEIRS = {"AudioSet-20K": {"FT1": 44.6, "FT2": 45.1}, "FSD50K": {"FT1": 61.5, "FT2": 62.0}}
for data, scores in THEIRS.items():
    print(f"{data:13} FT2 - FT1 = {scores['FT2'] - scores['FT1']:+.1f} points")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Half a point on both, with one run each.
#
# </details>

# %%
FROM_AUDIOSET = 65.6  # FT1 on FSD50K, started from the model that was fine-tuned on AudioSet-2M
gain = FROM_AUDIOSET - THEIRS["FSD50K"]["FT1"]
print(f"FSD50K: starting from AudioSet's two million labels adds {gain:.1f} points")

# %% [markdown]
# The headline 53.9 is FT1: one row, **no contrast**. And 65.6 on FSD50K has seen AudioSet's labels.
#
# ## 6 · How was it chosen?
#
# From the authors' own scripts, as they were on the day of publication:

# %%
FSD50K = {"train": 36_796, "validation": 4_170, "test": 10_231}
print("clips in their FSD50K pre-training", 51_197, "= all three parts?", sum(FSD50K.values()) == 51_197)
print("clips they validate on in AudioSet", 18_886, " clips of the test set", 18_886)

# %% [markdown]
# - *Unlabelled* test sounds were in the pre-training for FSD50K. No label was used; is it still a test?
# - The clips that decided which epoch to keep seem to be the test set. How many points can that be worth? (Notebook 13
#   measured something of the kind.)
# - One run each; no spread over seeds. What would have to be the spread for +0.5 to mean something?
# - Later tables of other groups do not list these numbers, and we know of nobody who has got them again.
#
# None of this says that they are wrong. It says what one would need to see: the code, the choice of the epoch on other
# clips, three seeds, and somebody else's machine. The kit has the first and the commands for the rest:
#
#     audioformer prepare AUDIOSET --dataset audioset -o codes --shard 1/8        # and 2/8 ... on other machines
#     accelerate launch -m audioformer pretrain codes --preset paper --codebooks 1 -o row     # hears no evaluation clip
#     audioformer prepare AUDIOSET --dataset audioset --option parts=balanced,eval -o as20k
#     audioformer finetune as20k --from row --preset paper-as20k --held-out-split val -o classifier
#     audioformer evaluate AUDIOSET --dataset audioset --option parts=eval --checkpoint classifier
#
# **Doubt**, of ourselves: the kit's results are small, one codec, a few hundred clips. A method can fail here and be
# right at their size. Neither proves the other.

# %%
work.cleanup()

# %% [markdown]
# ## Quiz
#
# **Q1.** After three days a machine dies, at shard 700 of 4000. You start the same command again. It
#
# - (a) stops: the folder is locked for ever
# - (b) begins anew
# - (c) goes on at the first shard that is not there
# - (d) must be told where

# %% exercise="quiz"
answer_1 = "c"
# %%
quiz("scale.killed", answer_1)

# %% [markdown]
# **Q2.** The same batch on one or on four processes. The loss curve is
#
# - (a) noisier
# - (b) the same but shifted by four steps
# - (c) the same but for rounding
# - (d) four times as steep

# %% exercise="quiz"
answer_2 = "c"
# %%
quiz("scale.processes", answer_2)

# %% [markdown]
# **Q3.** "State of the art: 53.9." Your first question:
#
# - (a) on what was the model chosen, and who has done it again
# - (b) how many GPUs
# - (c) how many parameters
# - (d) which optimiser

# %% exercise="quiz"
answer_3 = "a"
# %%
quiz("scale.claim", answer_3)

# %% [markdown]
# ## Recap
#
# - Codes are a few percent of the sound; shards make days of work safe; many processes take one and the same step.
# - At the paper's size a laptop needs years. What a laptop can do is to test ideas.
# - A number is as good as the way it was chosen. Ask for that first, also of us.
#
# **To read.** AudioFormer (arXiv 2308.07221): the claims of sections 5 and 6; scaling laws (arXiv 2001.08361): what
# more of everything brings; EAT (arXiv 2401.03497): a rival that counts hours. Open: who runs it again?
#
# Next, [17](17_sound_and_sight.ipynb): another teacher than hidden codes. [The beginning](index.ipynb) has the paths.
