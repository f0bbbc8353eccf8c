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
# # 08 · What does pre-training look like while it happens?
#
# **You will**
# 1. make a corpus of codes, and write down a recipe;
# 2. train a masked language model, watch it live, stop it and take it up again: with the very same numbers;
# 3. learn to read the curve: chance, frequencies, context, learning by heart.
#
# **Time** about 29 minutes, of which the computer needs one or two. **Needs** notebook 06; nothing from the network.

# %%
import audioformer as af
from audioformer import plots
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.datasets import open_dataset
from audioformer.files import samples_folder
from audioformer.optim import schedule_factor
from audioformer.pretrain import MaskedModelling, mlm_loss
from audioformer.recipes import PretrainConfig, pretrain_preset
from audioformer.teaching import budget, button, check, hint, listen, predict, quiz, reveal, sample, show, slider, watch
from audioformer.train import train

import math
import tempfile
from itertools import islice

import numpy as np
import torch
from torch.testing import assert_close

SEED = 7
print("seed", SEED)
runs = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # Windows deletes no file that is still open

# %% [markdown]
# ## 1 · A corpus
#
# Sounds are turned into codes once and kept; training reads codes only. The 40 bundled samples, 5 seconds each:

# %%
codec = af.load_codec("compact")
sounds = open_dataset("esc50", samples_folder())
*_, record = prepare(sounds, codec, f"{runs.name}/corpus", clip_s=budget(5, 1))  # reports now and then; the last
print(record.done, "clips,", round(record.audio_s), "s of sound, in", round(record.seconds, 1), "s")

# %%
corpus = Corpus.open(f"{runs.name}/corpus")
learn, held_out = corpus.select(folds=[1, 2, 3, 4]), corpus.select(folds=[5])
print(len(learn), "clips to learn from,", len(held_out), "held out")
listen(af.load_audio(sample("siren")), title="one of them")

# %% [markdown]
# *Predict first: row 1 of these clips, all codes together. Which share of its 1024 different codes do they use?*

# %% exercise="prediction"
in_use = 0.5
# %%
predict("08.codes_in_use", in_use)

# %%
counts = learn.code_counts()
print([int((row > 0).sum()) for row in counts], "codes in use, by row")
reveal("08.codes_in_use", (counts[0] > 0).mean())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# It stands above, beside your guess. Silence and steady sounds take the same few codes again and again, and a few
# minutes of sound cannot use all 1024.
#
# </details>
#
# ## 2 · What can be known without looking?
#
# Somebody who only knows how *frequent* each code is already does better than chance.
#
# ### Exercise 1 · The surprise of knowing the frequencies
# $-\sum_v p_v \log p_v$, the **entropy**; a code that never occurs adds nothing.


# %% exercise="frequencies"
def my_frequency_loss(counts):
    """How often each code occurs, (V,) -> mean surprise in nats of somebody who knows the shares."""
    shares = counts[counts > 0] / counts.sum()
    return -(shares * shares.log()).sum()


# %%
check("pretrain.frequencies", my_frequency_loss)

# %%
shares = counts[0] / counts[0].sum()
frequencies = float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())
print(f"chance {math.log(1024):.2f}, frequencies known {frequencies:.2f} nats")

# %% [markdown]
# Below that line, on average over many batches and only there, the model must have looked at the neighbours. (A single
# batch with much silence can lie below it, too.) Most introductions do not draw it.

# %% [markdown]
# ## 3 · A recipe
#
# A small model that reads row 1 alone; a quarter hidden in runs of 3 frames; stretches of 2 seconds.

# %%
N_STEPS = budget(150, 12)
model = af.preset("test", n_codebooks=1, d_model=128, n_layers=3, n_heads=4, d_ff=512, dropout=0.1)
steps = af.TrainConfig(
    n_steps=N_STEPS, batch_size=8, learning_rate=2e-3, warm_up_share=0.1, seed=SEED, validate_every=N_STEPS // 3
)
recipe = PretrainConfig(model, af.MaskConfig(span=3), steps, crop_s=2.0, min_crop_s=2.0)


# %%
def new_task():
    """The same start, every time."""
    return MaskedModelling(recipe, learn, corpus.codec, held_out=held_out)


# %% [markdown]
# The **learning rate** rises first (fresh weights give wild gradients), then falls along a cosine.
#
# ### Exercise 2 · The learning rate
# As a share $r$ of its peak. In the first $w$ steps it rises in a straight line to the peak: step 0 has $1/w$, step
# $w - 1$ has 1. After that, with $p = (s - w) / (n - w)$ for step $s$ of $n$,
#
# $$ r = \frac{1}{100} + \frac{99}{100} \cdot \frac{1 + \cos \pi p}{2} $$
#
# so that step $w$ is at the peak, and a step $n$, which is never taken, would be at a hundredth.


# %% exercise="rate"
def my_rate(step, n_steps, warm_up_share):
    """Step from 0, steps in all, share of them that rise -> share of the peak rate."""
    warm_up = max(1, round(warm_up_share * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / (n_steps - warm_up)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2


# %%
check("pretrain.rate", my_rate)


# %%
def draw_rate(warm_up_share):
    """The schedule of 150 steps."""
    rates = {"share of the peak": [schedule_factor(step, 150, warm_up_share) for step in range(150)]}
    show(plots.training.losses(rates).update_yaxes(title_text="Learning rate (1 = peak)"))


slider("Which share of warm-up would you not dare to leave out?", [0.0, 0.05, 0.1, 0.3, 1.0], draw_rate, 0.1)

# %% [markdown]
# ## 4 · The first step, by hand
#
# *Predict first: the loss of the very first batch, before anything was learnt.*

# %%
task = new_task()
truth, masked, target_mask = task.batch(0)
task.eval()
with torch.no_grad():
    first = mlm_loss(task.model, truth.tokens, truth.padding, masked, target_mask).loss
print("loss", round(first.item(), 3), " chance", round(math.log(1024), 3))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Close to chance, log 1024: fresh weights find all codes nearly equally likely.
#
# </details>
#
# And three steps, naively: no schedule, no bookkeeping, always on this one batch. It must fall.

# %%
optimizer = torch.optim.AdamW(task.parameters(), lr=2e-3)
for _ in range(3):
    loss = task((truth, masked, target_mask))["total"]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(round(loss.item(), 3))

# %% [markdown]
# ## 5 · Live
#
# `train` gives a record after every step; `watch` draws them. The stop button (■) of the notebook ends it early; try
# it if you like, and go on below.
#
# *Predict first: after 150 steps, will the curve be above or below the line of the frequencies?*

# %%
levels = {"chance": math.log(1024), "frequencies": frequencies}
whole = watch(train(new_task(), recipe.train), ["mlm"], levels)
print(len(whole), "steps in", round(whole[-1].seconds, 1), "s")
print("last loss", round(whole[-1].losses["mlm"], 3))

# %% [markdown]
# Look for a shelf near the lower line: first the model learns which codes are frequent, and for a while nothing more
# seems to happen. Many people stop there and look for a bug.
#
# <details><summary>What we saw</summary>
#
# On average the curve passes the line of the frequencies; single batches jump above it again, because some clips are
# harder than others.
#
# </details>
#
# ## 6 · Stop and resume
#
# The same run once more, with a folder; after a third of the way we pull the plug.

# %%
halfway = train(new_task(), recipe.train, f"{runs.name}/run")
before = list(islice(halfway, N_STEPS // 3))
halfway.close()
print("stopped after step", before[-1].step)

# %% [markdown]
# A new task, the same folder. *Predict first: how close will the losses be to those of the run that was not stopped?*

# %%
after = watch(train(new_task(), recipe.train, f"{runs.name}/run"), ["mlm"], levels)
print("went on with step", after[0].step)

# %%
both = list(zip(before + after, whole, strict=False))  # as far as both went, if you pressed ■
resumed, uninterrupted = (torch.tensor([record.losses["mlm"] for record in run]) for run in zip(*both, strict=True))
assert_close(resumed, uninterrupted)
print("largest difference", (resumed - uninterrupted).abs().max().item(), "in", len(both), "steps")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# They are the same: `assert_close` has compared all of them, and the largest difference is printed.
#
# </details>
#
# Crops, masks and dropout of a step follow from (seed, step) alone. That is why a stopped run is not a lost run, and
# why your numbers are those of your neighbour.

# %% [markdown]
# ## 7 · What was learnt, and what was learnt by heart
#
# *Predict first: the held-out clips. Is their loss higher or lower than that of the clips in training?*

# %%
records = before + after
measured = [record for record in records if record.validation]
curves = {
    "training clips": [np.mean([r.losses["mlm"] for r in records[max(0, m.step - 10) : m.step]]) for m in measured],
    "held out": [m.validation["mlm"] for m in measured],
}
show(plots.layers.by_layer(curves, "Loss (nats)", x=f"Measurement (one every {N_STEPS // 3} steps)", first=1))

# %% [markdown]
# With 32 clips, most of the fall is not about sound in general. The difference between the two curves says how much.
# It is also unfair in one more way: fold 5 holds *kinds* of sound that the rest lacks. Two reasons for one gap; which
# experiment would tell them apart?
#
# <details><summary>What we saw</summary>
#
# Hold out other clips of the *same* kinds, and repeat. What remains of the gap is learning by heart; what goes away
# was the new kinds.
#
# </details>
#
# ## 8 · For real
#
# The model that ships with the kit was made the same way, of more clips and in more steps:

# %%
_, about = af.load_pretrained("pretrained")
print(f"{about['n_clips']} clips, {about['steps']} steps, {about['seconds'] / 60:.0f} minutes")
print({name: round(value, 2) for name, value in about["losses"].items() if name.startswith("row")})

# %% [markdown]
# Here are 32 clips, not thousands, but its recipe is here too, and a button. Press it only if you have the time: the
# stop button (■) of the notebook ends it, pressing again goes on, after a restart too (the run is in the folder
# `my run of 08` beside this notebook), and cells that you run meanwhile wait.
#
# *Predict first: will the loss on these few clips end above or below that of the shipped model? And if below, is yours
# the better model?*


# %%
def pretrain_for_real():
    """The recipe of the shipped model, on the clips of this notebook; goes on where it was stopped."""
    task = MaskedModelling(shipped, learn, corpus.codec, codebooks=codec.codebooks())
    levels = {"chance": math.log(1024), "shipped model": about["losses"]["mlm"]}
    watch(train(task, shipped.train, "my run of 08"), ["mlm"], levels)


shipped = pretrain_preset("bundled")
button(f"Run it for real ({shipped.train.n_steps} steps)", pretrain_for_real)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# It may well end below: so few clips can be learnt by heart. That is not a better model. Only sounds that neither of
# the two has read could tell.
#
# </details>
#
# With sounds of your own, and to keep the model, in a terminal:
#
#     audioformer prepare SOUNDS --dataset folder -o codes
#     audioformer pretrain codes --preset tiny -o model
#
# and Ctrl-C whenever you need the computer; the same command goes on.

# %% [markdown]
# ## Quiz
#
# **Q1.** The loss falls quickly from 6.9 to the entropy of the codes and then rests. The model has learnt
#
# - (a) to copy its input
# - (b) what sounds like what
# - (c) which codes are frequent
# - (d) nothing

# %% exercise="quiz"
answer_1 = "c"
# %%
quiz("pretrain.plateau", answer_1)

# %% [markdown]
# **Q2.** A run is stopped at step 50 and resumed. Step 51 is
#
# - (a) a new draw of clips and masks
# - (b) the same as without the stop
# - (c) skipped, to be safe
# - (d) step 1

# %% exercise="quiz"
answer_2 = "b"
# %%
quiz("pretrain.resume", answer_2)

# %% [markdown]
# **Q3.** The training loss falls, the held-out loss rises. Best remedy:
#
# - (a) a bigger model
# - (b) more clips
# - (c) a higher learning rate
# - (d) more steps

# %% exercise="quiz"
answer_3 = "b"
# %%
quiz("pretrain.held_out", answer_3)

# %% [markdown]
# ## Recap
#
# - Codes once, training many times. A recipe is a few numbers, a run is a folder.
# - Read a loss against chance *and* against the frequencies; below those there is context.
# - Same seed, same step, same numbers: stopping costs nothing.
#
# **To read.** HuBERT (arXiv 2106.07447) and BEATs (arXiv 2212.09058): the same at full size. Open: how do you know
# early that a run is worth its week?
#
# Next, [09](09_fine_tune.ipynb): now the labels.
