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
# # 09 · How does a model learn our names for sounds, and is it any good?
#
# **You will**
# 1. turn a pre-trained model into a classifier, in the authors' two ways (FT1, FT2);
# 2. compare it with chance, with a classic method, and with a model that was never pre-trained;
# 3. find out how little a few test clips can tell.
#
# **Time** about 38 minutes, of which the computer needs one or two. **Needs** notebooks 07 and 08.

# %%
import audioformer as af
from audioformer import plots
from audioformer.data.corpus import Corpus, prepare
from audioformer.data.datasets import open_dataset
from audioformer.data.synth import write_scenes
from audioformer.evaluation.baseline import accuracy, dataset_features, fit_svm
from audioformer.finetune import FineTuning
from audioformer.losses import cross_entropy, ft2_loss, mpc_floor
from audioformer.metrics import wilson_interval
from audioformer.pretrain import MaskedModelling
from audioformer.recipes import FinetuneConfig, PretrainConfig
from audioformer.teaching import budget, check, hint, listen, predict, quiz, reveal, show, slider, watch
from audioformer.train import train

import math
import tempfile

import torch
from torch.testing import assert_close

SEED = 7
print("seed", SEED)
work = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # Windows deletes no file that is still open

# %% [markdown]
# ## 1 · Sounds with names
#
# Five classes, computed on the spot: two seconds each, every one different. The clips come in five equal parts,
# **folds**. Fold 5 is for testing, the others to learn from.

# %%
CLASSES = ["dog", "rain", "siren", "clock_tick", "crying_baby"]
N_CLIPS = budget(100, 25)  # the second number is for the kit's own tests
write_scenes(f"{work.name}/sounds", N_CLIPS, seed=SEED, duration_s=2.0, kind="clips", classes=CLASSES)
sounds = open_dataset("esc50", f"{work.name}/sounds")
codec = af.load_codec("compact")
*_, record = prepare(sounds, codec, f"{work.name}/codes", n_codebooks=3)

# %%
corpus = Corpus.open(f"{work.name}/codes")
learn, test = corpus.select(folds=[1, 2, 3, 4]), corpus.select(folds=[5])
print(len(learn), "clips to learn from,", len(test), "to test;", corpus.label_names)

# %%
for clip in list(sounds)[:3]:
    listen(clip.load(mono=True), title=", ".join(clip.labels))

# %% [markdown]
# *Predict first: how often is somebody right who guesses? And with how many of the test clips would you trust a
# difference of ten points?*

# %% [markdown]
# <details><summary>What we saw</summary>
#
# In one case of five. Ten points of twenty test clips are two clips, which can be luck; section 7 counts how many
# clips it takes.
#
# </details>
#
# ## 2 · The classic rival
#
# No network: means and deviations of a log-mel picture (notebook 01), and a **support vector machine**, which draws the
# border between two classes where it leaves most room to both. *Predict first: which share of the test clips will it
# name rightly?*

# %% exercise="prediction"
rival = 0.7
# %%
predict("09.classic", rival)

# %%
in_fold_5 = [clip for clip in sounds if clip.fold == 5]
others = [clip for clip in sounds if clip.fold != 5]
svm = fit_svm(dataset_features(others), [clip.labels[0] for clip in others])
classic = accuracy(svm, dataset_features(in_fold_5), [clip.labels[0] for clip in in_fold_5])
scores = {"chance": 1 / len(CLASSES), "classic": classic}
print({name: round(score, 3) for name, score in scores.items()})
reveal("09.classic", classic)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The share is above. With twenty test clips it can only move in steps of five points.
#
# </details>
#
# Remember this number. A method that does not beat it has no excuse for its millions of multiplications.

# %% [markdown]
# ## 3 · The loss
#
# Mean over positions, one linear layer, and the surprise at the right class: **cross-entropy**. (With several labels a
# clip, every class is a yes-or-no question of its own: multi-label classification, MLC. The paper has that case; in the
# curves below, `mlc` is the loss against the labels in either case.)
#
# *Predict first: the loss of a fresh layer, for five classes.*

# %%
fresh = cross_entropy(torch.zeros(1, 5), torch.tensor([2])).item()
print(round(fresh, 4), "= log 5 =", round(math.log(5), 4))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# log 5: five classes, all equally likely.
#
# </details>
#
# ### Exercise 1 · Cross-entropy


# %% exercise="loss"
def my_loss(logits, targets):
    """Logits (B, C), class numbers (B,) -> mean surprise, nats."""
    return -logits.log_softmax(-1).gather(1, targets[:, None]).mean()


# %%
check("finetune.loss", my_loss)

# %% [markdown]
# ## 4 · Pre-train a little
#
# Three rows, three encoders, no labels: as in 08, on the clips to learn from.

# %%
shape = af.preset("test", n_codebooks=3, d_model=64, n_layers=2, n_heads=4, d_ff=256)
schedule = af.TrainConfig(n_steps=budget(120, 8), batch_size=8, learning_rate=2e-3, seed=SEED)
recipe = PretrainConfig(shape, af.MaskConfig(span=3), schedule, crop_s=2.0, min_crop_s=2.0)
pretraining = MaskedModelling(recipe, learn, corpus.codec)
watch(train(pretraining, recipe.train), ["row1", "row2", "row3"], {"chance": math.log(1024)})
pretrained = pretraining.model

# %% [markdown]
# ## 5 · FT1, and the same from scratch
#
# The classifier is linear after a mean, so the clip's answer is the mean of the answers at all its positions. By hand,
# and by the library:

# %%
classifier = af.Classifier.from_pretrained(pretrained, 5).eval()
tokens = pretraining.batch(0)[0].tokens
with torch.no_grad():
    hidden = classifier.backbone(tokens, None, [0]).hidden[:, 0]
    by_hand = classifier.head(hidden).mean(1)
    library = classifier(tokens).logits
assert_close(library, by_hand, atol=1e-5, rtol=1e-4)
print("one clip by hand", by_hand[0].numpy().round(3), " by the library", library[0].numpy().round(3))


# %%
def fine_tune(method, start, seed=SEED):
    """Fine-tune, draw the losses, give the accuracy on the test clips."""
    train_config = af.TrainConfig(n_steps=budget(80, 6), batch_size=8, learning_rate=2e-3, seed=seed)
    config = FinetuneConfig(train_config, method=method, crop_s=2.0, min_crop_s=2.0)
    task = FineTuning(config, start, learn, corpus.label_names, False, corpus.codec)
    names = ["mlc", "mpc"] if method == "ft2" else ["mlc"]
    levels = {f"chance {name}": value for name, value in task.chance.items()}
    levels |= {"floor mpc": mpc_floor(3)} if method == "ft2" else {}
    watch(train(task, train_config), names, levels)
    return task.measure(test)


# %% [markdown]
# *Predict first: which will be better, with or without pre-training on so few clips? And which share will the one with
# pre-training (FT1) name rightly?*

# %% exercise="prediction"
ours = 0.7
# %%
predict("09.ours", ours)

# %%
torch.manual_seed(SEED)
found = {"from scratch": fine_tune("ft1", af.AudioFormer(shape))}

# %%
found["FT1"] = fine_tune("ft1", pretrained)
reveal("09.ours", found["FT1"]["accuracy"])

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Both shares stand side by side in section 7. One test clip is five points: a lead of one or two clips is no lead.
#
# </details>
#
# Only the linear layer may learn (a **probe**): how much is in the vectors already? *Predict first: more or less than
# FT1 has just reached?*

# %%
found["probe"] = fine_tune("probe", pretrained)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Usually less: the vectors of a model so small and so shortly trained say little, and here they may not change.
#
# </details>
#
# ## 6 · FT2: labels and contrast together
#
# The contrast (MPC) is that of notebook 07: the vector of row 1 shall lie near those of rows 2 and 3 of the same clip,
# far from other clips. Rows 2 and 3 come from the pre-trained encoders, which stay as they are (**frozen**); row 1
# learns. The total is a share $\alpha$ of the labels' loss (here 0.8) and the rest, $1 - \alpha$, of the contrast.
#
# *Predict first: the labels' loss is 1, the contrast 2. The total?*

# %%
usual = FinetuneConfig(schedule)
total = ft2_loss(torch.tensor(1.0), torch.tensor(2.0), usual.alpha).item()
print("alpha", usual.alpha, " temperature", usual.temperature, " total", round(total, 4))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# 1.2: four fifths of 1 and one fifth of 2.
#
# </details>
#
# ### Exercise 2 · The total loss


# %% exercise="total"
def my_total(mlc, mpc, alpha):
    """Classification loss, contrast, share of the first -> the total."""
    return alpha * mlc + (1 - alpha) * mpc


# %%
check("finetune.total", my_total)

# %% [markdown]
# *Predict first: how far will the contrast fall? All the way to its floor, $\log 2$?*

# %%
found["FT2"] = fine_tune("ft2", pretrained)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Not to its floor: there were few steps, and the frozen rows of a clip are not alike to begin with (07).
#
# </details>
#
# Two losses, two chance levels: compare each curve with its own. The contrast begins far *above* chance: vectors of one
# encoder are more alike than the rows of one clip, and the temperature, 0.05, makes twenty times as much of every
# difference.
#
# ## 7 · Who won?

# %%
shares = {"classic": classic} | {name: one["accuracy"] for name, one in found.items()}
order = sorted(shares, key=shares.get, reverse=True)
rights = [shares[name] for name in order]
show(plots.predictions.top_labels(order, rights, chance=1 / 5, what="Accuracy", of="Method"))

# %% [markdown]
# Before you believe the order: how sure is each number? With $k$ of $n$ clips right, **Wilson's interval** holds the
# true share in 95 of 100 such experiments. With $p = k / n$ it lies around a centre, half of it to each side:
#
#     centre = (p + z² / 2n) / (1 + z² / n)
#     half   = z · √( p (1 - p) / n + z² / 4n² ) / (1 + z² / n)
#
# 95 of 100 draws of a bell curve lie within $z$ deviations of its middle:

# %%
Z = torch.distributions.Normal(0.0, 1.0).icdf(torch.tensor(0.975)).item()
print("z =", round(Z, 4))

# %% [markdown]
# ### Exercise 3 · The interval


# %% exercise="interval"
def my_interval(n_right, n):
    """Right, in all -> [low, high] of the 95 % interval."""
    p, z = n_right / n, Z
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return [centre - half, centre + half]


# %%
check("finetune.interval", my_interval)

# %%
for name, one in found.items():
    interval = f"95 % interval {one['low']:.2f} to {one['high']:.2f}"
    print(f"{name:12} {one['accuracy']:.2f}   {interval}   ({one['n']} clips)")


# %%
def draw_interval(n):
    """An accuracy of 80 % on so many clips."""
    low, high = wilson_interval(round(0.8 * n), n)
    ends = {"at most": high, "measured": 0.8, "at least": low}
    show(plots.predictions.top_labels(list(ends), list(ends.values()), what="Accuracy", of=""))
    print(f"80 % of {n} clips: the truth may well be anything from {low:.0%} to {high:.0%}")


# %%
N_TEST = [5, 20, 80, 400, 2000]
slider("How many test clips do you need to tell 80 % from 85 %?", N_TEST, draw_interval, 20)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# With 400 the interval reaches about four points to each side, and 85 % lies just outside. But the other method is
# uncertain, too: for two methods it takes a few thousand clips, or the same clips for both (13).
#
# </details>
#
# Overlapping intervals are not yet proof that two methods are equal, but they forbid a headline.
#
# *Predict first: the same recipe from scratch, with another seed. By how many points will it differ?*

# %%
again = fine_tune("ft1", af.AudioFormer(shape), seed=SEED + 1)
before = found["from scratch"]["accuracy"]
print(f"from scratch, seed {SEED}: {before:.2f}, seed {SEED + 1}: {again['accuracy']:.2f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Two runs of *one* method differ by luck, sometimes by nothing, sometimes by ten points: one pair does not tell
# which. A difference between methods has to be larger than the spread of several seeds.
#
# </details>
#
# If pre-training did not help here, do not blame it yet: it saw the very clips that the labels then explain, and no
# others. It pays where there is much unlabelled sound and few labels (notebook 19 measures it). Which experiment would
# show it with this kit? (Label only 10 of the clips, pre-train on all.)
#
# If FT2 comes last, look at its curves: it had the same few steps for two losses, and the contrast was still falling.
# The authors give it up to ten passes over 20,550 clips. And all these sounds come from one computer program: a score
# here says little about real dogs.
#
# And one comparison on twenty clips is no answer. Notebook [20](20_one_idea_at_a_time.ipynb) has the whole one: on real
# recordings, one thing changed at a time, every fold held out in turn, three seeds.

# %%
work.cleanup()

# %% [markdown]
# ## Quiz
#
# **Q1.** On 12 test clips FT2 has 11 right, FT1 has 10. You conclude
#
# - (a) nothing yet
# - (b) the contrast helps
# - (c) FT2 is 8 points better
# - (d) FT1 was trained badly

# %% exercise="quiz"
answer_1 = "a"
# %%
quiz("finetune.twelve_clips", answer_1)

# %% [markdown]
# **Q2.** You measure on the test clips after every epoch and report the best. Your score is
#
# - (a) too low
# - (b) right, if the curve is smooth
# - (c) right
# - (d) too high

# %% exercise="quiz"
answer_2 = "d"
# %%
quiz("finetune.peeking", answer_2)

# %% [markdown]
# **Q3.** A model fine-tuned with FT2 on three rows classifies a new clip. It needs
#
# - (a) all three encoders
# - (b) the other clips of the batch
# - (c) row 1's encoder alone
# - (d) nothing but the codes

# %% exercise="quiz"
answer_3 = "c"
# %%
quiz("finetune.rows", answer_3)

# %% [markdown]
# ## Recap
#
# - FT1: mean, linear layer, labels. FT2: the same with the contrast beside it; its frozen rows are not needed later.
# - Chance, a classic method and a fresh model are part of the result, and so is the interval.
# - Choose on other clips than you test on, and run more than one seed before you rank anything.
#
# **To read.** AudioFormer (arXiv 2308.07221): FT1 and FT2; AST (arXiv 2104.01778): a strong rival. Open: what would
# make the contrast help?
#
# Next, [10](10_what_did_it_learn.ipynb): a score says *that* it works. What is it that was learnt?
