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
# # 11 · Why this label, and is the explanation true?
#
# **You will**
# 1. take parts of a sound away and see which of them the label hangs on;
# 2. share a label's score out among all codes with integrated gradients, first for two numbers, then for a clip;
# 3. test such explanations: against the model, against a random order, and against what really happened.
#
# **Time** about 52 minutes, of which the computer needs about two. **Needs** notebooks 06, 09 and 10.

# %%
import audioformer as af
from audioformer import plots
from audioformer.data.datasets import open_dataset
from audioformer.data.synth import write_scenes
from audioformer.explain.attention import rollout_frames
from audioformer.explain.faithfulness import (
    block_order,
    curves,
    frames_of,
    held_against,
    random_order,
    silenced,
    sounding,
)
from audioformer.explain.gradients import integrated_gradients, log_odds, token_vectors
from audioformer.explain.occlusion import hidden_probabilities, occlusion
from audioformer.masking import mask_positions
from audioformer.teaching import budget, check, hint, listen, predict, quiz, reveal, sample, show, slider
from audioformer.tokens import wrap

import tempfile

import numpy as np
import torch
from torch.testing import assert_close

SEED = 7
print("seed", SEED)
work = tempfile.TemporaryDirectory()

# %% [markdown]
# ## 1 · Take something away
#
# A toy that listens to four frames and is as sure of "dog" as the loudest of them: a bark anywhere will do.


# %%
def sure_of_dog(frames):
    """Four levels, 0 to 1 -> how sure the toy is of a dog."""
    return max(frames)


one_bark, two_barks = [0.1, 0.9, 0.1, 0.1], [0.1, 0.9, 0.1, 0.8]
print(sure_of_dog(one_bark), sure_of_dog(two_barks))

# %% [markdown]
# **Occlusion**: silence one frame after the other; how far does the answer fall?
#
# *Predict first: which falls do you get for one bark? And for two?*


# %%
def falls(frames):
    """How far the toy's answer falls with each frame silenced."""
    without = [[0.0 if i == gone else level for i, level in enumerate(frames)] for gone in range(4)]
    return [sure_of_dog(frames) - sure_of_dog(one) for one in without]


print("one bark ", np.round(falls(one_bark), 2))
print("two barks", np.round(falls(two_barks), 2))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# One bark: 0.8 where it is, nothing elsewhere. Two: 0.1 at the louder one, nothing at the other.
#
# </details>
#
# With two barks hardly anything falls: each covers for the other. Occlusion has not lied, it has answered the question
# that it was asked. Keep this toy in mind.
#
# Stretches may overlap. Then a frame gets the mean fall of all stretches that cover it.
#
# ### Exercise 1 · From stretches to frames
# Stretch i hides frames i · step to i · step + span (or to the end of the clip).


# %% exercise="frames"
def my_frames(falls, span, step, n_frames):
    """Falls (P,) of stretches -> (T,) mean fall over the stretches that cover each frame."""
    total, count = torch.zeros(n_frames), torch.zeros(n_frames)
    for i, fall in enumerate(falls):
        total[i * step : i * step + span] += fall
        count[i * step : i * step + span] += 1
    return total / count


# %%
check("why.frames", my_frames)

# %% [markdown]
# ## 2 · The same with a trained model
#
# The bundled classifier `esc10` and a dog that barks twice. What is hidden goes behind MASK, which the
# model knows from training.

# %%
clf = af.load("esc10")
codec = clf.codec
dog = af.load_audio(sample("dog"), 24_000, mono=True).samples[0, 19_200 : 5 * 24_000 - 4_800]  # 0.8 to 4.8 s
listen(dog, 24_000, title="four seconds with two barks")

# %%
codes = clf.codes(dog, 24_000)
whole = clf.classify_codes(codes).probabilities
label = int(whole.argmax())
name = clf.label_names[label].replace("_", " ")
every = torch.ones(codes.shape, dtype=torch.bool)
nothing = clf.classify_codes(codes, target_mask=every).probabilities[label]
print(f"{name}: {whole[label]:.1%}   with every code hidden: {nothing:.1%}")

# %% [markdown]
# *Predict first: you hide the second bark, a fifth of a second. By how many points does the probability fall? And
# the first?*

# %%
BLOCK = 15  # frames: 0.2 s
found = occlusion(clf, codes, label, span=BLOCK)
gone = torch.zeros(codes.shape, dtype=torch.bool)
gone[:, 3 * BLOCK : 4 * BLOCK] = True  # 0.6 to 0.8 s: the second bark
without = clf.classify_codes(codes, target_mask=gone).probabilities[label]
assert_close(found.falls[3], whole[label] - without, atol=1e-5, rtol=0)
print(f"without the second bark: {without:.1%}, a fall of {100 * found.falls[3]:.1f} points")
print(f"without the end of the first (0.4 to 0.6 s): a fall of {100 * found.falls[2]:.1f} points")

# %%
show(plots.audio.waveform(dog.numpy(), 24_000))
show(plots.importance.over_time({"occlusion": found.frames}, codec.frame_rate, "Fall of the probability"))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The points are printed. Where one bark can stand in for the other, neither fall is large; where the model leans on
# one of them, that one is.
#
# </details>
#
# Look at the scale first. Are these falls large compared with the probability itself? Remember the toy: where each bark
# covers for the other, no single block is needed, although both barks together are. Is this model like the toy, or does
# it want both? Below zero would mean: without this block the model is *surer*.
#
# *Predict first: longer stretches, larger falls. From which length on?*


# %%
def draw_span(seconds):
    """Occlusion with stretches of this length, half overlapping."""
    span = round(seconds * codec.frame_rate)
    wider = occlusion(clf, codes, label, span, span // 2)
    drawn = {"occlusion": wider.frames}
    show(plots.importance.over_time(drawn, codec.frame_rate, "Fall of the probability"))
    print(f"stretches of {seconds} s: the largest fall is {100 * wider.falls.max():.1f} points")


slider("How much must be hidden before the label is in danger?", [0.2, 0.5, 1.0, 2.0], draw_span, 0.5)

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Compare stretches that cover one bark with those that cover both. If the fall of the two together is more than the
# sum of the single falls, each bark has stood in for the other, as in the toy of section 1.
#
# </details>
#
# Rows can be hidden too, for the whole clip. *Predict first: which row costs most?*

# %%
levels = {"fall": [100 * fall for fall in found.rows.tolist()]}
show(plots.layers.by_layer(levels, "Fall (points)", x="Codebook (row)", first=1))
assert found.rows[0] > max(0.5, *found.rows[1:]), "without row 1 the label is gone"

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Row 1, by far. The cell above checks it.
#
# </details>
#
# Row 1 is the sketch (01), and here nearly all of the evidence. That is one clip: with the bundled rooster, hiding row
# 1 makes the model *surer*. One clip is a story, a mean over many is a measurement.
#
# ## 3 · Share it out
#
# Occlusion changes one thing at a time. **Integrated gradients** go from "nothing known" to the clip in a straight line
# and add up, all the way, what each input contributes. For two numbers and $F(x) = x_1 x_2$, from (0, 0) to (3, 1):


# %%
def product(x):
    """F(x) = x1 x2."""
    return x[0] * x[1]


def slope_of_product(x):
    """Its gradient: (x2, x1)."""
    return x.flip(0)


# %% [markdown]
# *Predict first: $F$ grows from 0 to 3. Which share does $x_1 = 3$ get, and which $x_2 = 1$?*

# %%
start, end = torch.zeros(2), torch.tensor([3.0, 1.0])
for way in (0.0, 0.5, 1.0):
    print("at", way, "of the way the slope is", slope_of_product(start + way * (end - start)).tolist())

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Halfway the slope is (0.5, 1.5), which is also its mean. Times the way, (3, 1): both get 1.5. Neither could do
# anything without the other.
#
# </details>
#
# ### Exercise 2 · The integral
# Cut the line into `n_steps` equal steps and take the slope in the middle of each.


# %% exercise="integral"
def my_integral(slope, start, end, n_steps):
    """slope(x): the gradient at x -> (n,) share of each input: mean slope from start to end, times the way."""
    points = (torch.arange(n_steps) + 0.5) / n_steps
    return torch.stack([slope(start + point * (end - start)) for point in points]).mean(0) * (end - start)


# %%
check("why.integral", my_integral)

# %% [markdown]
# Now a clip. A code is a name, one cannot go a tenth of the way towards it; but the model looks up a *vector* for every
# token, and vectors can be mixed. The line begins where MASK stands for every code. $F$ is the log-odds of the label,
# $\log (p / (1 - p))$: unlike $p$ they do not flatten out where the model is sure.
#
# The clip, as the two ends of the line:

# %%
clip = wrap(codes[None])
masked, _ = mask_positions(clip, every[None])
start, end = (token_vectors(clf.classifier, tokens).detach() for tokens in (masked, clip.tokens))
print("(clips, rows, positions, width)", tuple(end.shape))


# %%
def score(vectors):
    """Log-odds of the label, for token vectors (B, K, S, D)."""
    return log_odds(clf.classifier(vectors).logits, label, multi_label=False)


def slope(vectors):
    """Gradient of the score."""
    vectors = vectors.clone().requires_grad_()
    return torch.autograd.grad(score(vectors).sum(), vectors)[0]


# %% [markdown]
# By hand, in equal steps, and by the library, which leaves it to Captum (a package for such explanations). A code's
# share is the sum over the numbers of its vector:

# %%
N_STEPS = 100
points = (torch.arange(N_STEPS) + 0.5) / N_STEPS
mean_slope = sum(slope(start + point * (end - start)) for point in points) / N_STEPS
by_hand = (mean_slope * (end - start)).sum(-1)[0, :, 1:-1]  # without BOA and EOA
library = integrated_gradients(clf, codes, label, n_steps=100)
assert_close(by_hand.sum(0), library.frames, atol=0.02, rtol=0.05)
print("by hand", by_hand.sum(0)[:4].numpy().round(3), " library", library.frames[:4].numpy().round(3))

# %% [markdown]
# *Predict first: what do the shares of all codes add up to?*

# %%
with torch.no_grad():
    first, last = score(start).item(), score(end).item()
print(f"log-odds {last:.3f}, with everything hidden {first:.3f}: a difference of {last - first:.3f}")
print(f"shares add up to {library.codes.sum():.3f}; missing {library.missing:+.4f}")
assert last - first > 3, "the clip speaks for its label"

# %% [markdown]
# <details><summary>What we saw</summary>
#
# To the difference of the two log-odds, but for a little that is missing; with more steps it shrinks.
#
# </details>
#
# **Completeness**: nothing is lost on the way. It is a check of the integral, and of nothing else: any line from any
# start adds up.

# %%
shares = library
smooth = torch.cat([part.mean().expand(len(part)) for part in shares.frames.split(BLOCK)])
drawn = {"each frame": shares.frames, "mean of 0.2 s": smooth}
show(plots.importance.over_time(drawn, codec.frame_rate, "Share of the log-odds (nats)"))

# %% [markdown]
# ## 4 · Which map is right?
#
# Occlusion, gradients, and rollout from notebook 10 rarely agree. *Predict first: which two agree best?*

# %%
maps = {"occlusion": found.frames, "gradients": shares.frames, "rollout": rollout_frames(clf, codes)}
pooled = {way: torch.stack([part.mean() for part in one.split(BLOCK)]) for way, one in maps.items()}
for one, other in (("occlusion", "gradients"), ("occlusion", "rollout"), ("gradients", "rollout")):
    both = torch.corrcoef(torch.stack([pooled[one], pooled[other]]))[0, 1]
    print(f"{one:10} {other:10} correlation {both:+.2f}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Those with the largest of the three numbers. But two maps that agree can be wrong in the same way.
#
# </details>
#
# They cannot all be right. So test them: hide what a map calls important, most important first. If it is right, the
# probability drops at once (**deletion**). Show only that: it rises at once (**insertion**). And since hiding
# *anything* hides something, do the same in random order.

# %%
orders = {way: block_order(one, BLOCK) for way, one in maps.items()}
tested = {way: curves(clf, codes, order, label, BLOCK) for way, order in orders.items()}
shuffled = [random_order(codes.shape[1], BLOCK, seed) for seed in range(budget(8, 2))]
blind = [curves(clf, codes, order, label, BLOCK) for order in shuffled]
show(plots.importance.faithfulness(tested["occlusion"], blind[0], name))

# %% [markdown]
# ### Exercise 3 · One number for two curves
# The area between insertion and deletion.


# %% exercise="gain"
def my_gain(share, deletion, insertion):
    """Curves (P,) over share (P,) -> area under insertion less area under deletion."""
    return torch.trapezoid(insertion, share) - torch.trapezoid(deletion, share)


# %%
check("why.gain", my_gain)

# %%
for way, one in tested.items():
    print(f"{way:10} {one.gain:+.2f}")
gains = np.array([one.gain for one in blind])
print(f"random     {gains.mean():+.2f} (from {gains.min():+.2f} to {gains.max():+.2f})")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Compare each map with the whole range of the random orders, not with their mean: a map inside the range has not shown
# that it knows anything.
#
# </details>
#
# A map that is not clearly above the best random order explains nothing here, however convincing it looks. Occlusion
# can be led astray by a second bark, as in the toy: was it here? Rollout knows no label at all. Does it do well all the
# same? Then ask what a map would score that simply points at loud places:

# %%
energy = dog.square().split(codec.hop_length)  # one piece a frame
loud = torch.stack([piece.mean() for piece in energy])[: codes.shape[1]]
print(f"loudness   {curves(clf, codes, block_order(loud, BLOCK), label, BLOCK).gain:+.2f}")

# %% [markdown]
# Two loud moments in four quiet seconds: how far is the best map ahead of pointing at them, and is that more than luck
# gives the random orders? Section 5 asks again where several things sound.

# %% [markdown]
# ### Hear the evidence
#
# *Predict first: a quarter of the clip, chosen by the map that did best. Would you still say it is this label? Would
# the model? Which probability does it give the label?*

# %% exercise="prediction"
evidence = 0.6
# %%
predict("11.evidence", evidence)

# %%
best = max(tested, key=lambda way: tested[way].gain)
kept = frames_of(orders[best], 0.25, BLOCK, codes.shape[1])
for title, frames in {f"the evidence of {best}": kept, "the clip without it": ~kept}.items():
    heard = codec.decode(silenced(codes, frames, codec))[..., 9_600:24_000]
    listen(heard, codec.sample_rate, f"{title}, from 0.4 to 1 s")

# %%
gaps = [(~kept).expand(codes.shape), kept.expand(codes.shape)]
alone, rest = hidden_probabilities(clf, codes, gaps)[:, label].tolist()
reveal("11.evidence", alone)
print(f"{name}: whole {whole[label]:.1%}, evidence alone {alone:.1%}, without it {rest:.1%}")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# Compare the last line: a good map keeps much of the probability in a quarter of the clip, and the rest without it
# has lost it.
#
# </details>
#
# You hear silence where the model reads MASK. For it, silence would be a sound like any other; MASK says "I do not
# know". Which of the two is "taking away"? That is a choice, and other choices give other maps.
#
# ### A model that has learnt nothing
#
# *Predict first: integrated gradients of a model with random weights. Will the map look random?*

# %%
torch.manual_seed(SEED)
untrained = af.Classifier(clf.classifier.config, len(clf.label_names)).eval()
clueless = type(clf)(untrained, codec, clf.about, "untrained")
nonsense = integrated_gradients(clueless, codes, label)
print(f"shares add up all the same: missing {nonsense.missing:+.4f} nats")

# %%
both = {"trained": shares.frames, "untrained": nonsense.frames}
scaled = {model: one / one.abs().max() for model, one in both.items()}
show(plots.importance.over_time(scaled, codec.frame_rate, "Share (of the largest)"))

# %% [markdown]
# <details><summary>What we saw</summary>
#
# No. It has peaks too, and its shares add up as exactly.
#
# </details>
#
# It has peaks, and one could tell a story about each of them. If a map hardly changes when the training is thrown away,
# it shows the sound, not what was learnt.

# %% [markdown]
# ## 5 · Where the truth is known
#
# Synthetic scenes come with the times of their events. `scenes` was trained on such scenes. Does a map peak where the
# event sounds?

# %%
write_scenes(f"{work.name}/scenes", budget(12, 2), seed=SEED, duration_s=10.0, max_events=2)
scenes = open_dataset("esc50", f"{work.name}/scenes")
listener = af.load("scenes")
one = scenes[0]
told = ", ".join(f"{event} {start:.1f}-{end:.1f} s" for event, start, end in one.events)
listen(one.load(24_000, mono=True), title=told)

# %% [markdown]
# **The pointing game**: one point if the most important frame lies in the event. Chance is the share of frames in which
# it sounds. **Average precision** looks at all frames, most important first.
#
# ### Exercise 4 · Average precision
# At each true frame: how many of the frames so far were true? The mean of these. (No two frames are equally important.)


# %% exercise="precision"
def my_precision(importance, truth):
    """Importance (T,), truth (T,) bool -> average precision of the frames."""
    ranked = truth[importance.argsort(descending=True)].double()
    so_far = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return so_far[ranked.bool()].mean()


# %%
check("why.precision", my_precision)


# %%
def all_maps(codes, label):
    """Four maps of one label: three of this notebook, and the model's own score for every frame."""
    few = budget(8, 2)  # points of the line: enough for where a map peaks
    return {
        "occlusion": occlusion(listener, codes, label, 2 * BLOCK, rows=False).frames,
        "gradients": integrated_gradients(listener, codes, label, few, few).frames,
        "rollout": rollout_frames(listener, codes),
        "frame score": torch.as_tensor(listener.frame_probabilities(codes)[:, label]),
    }


# %% [markdown]
# *Predict first: put the four in order. Where is chance?*

# %%
results, drawn = {}, {}
for clip in scenes:
    read = listener.codes(clip.load(24_000, mono=True))
    for event in sorted({event for event, *_ in clip.events}):
        truth = sounding(clip.events, event, read.shape[1], listener.codec.frame_rate)
        drawn[clip.id, event] = all_maps(read, listener.label_names.index(event))
        for way, importance in drawn[clip.id, event].items():
            results.setdefault(way, []).append(held_against(importance, truth))

# %%
for way, games in results.items():
    mean = {key: np.mean([game[key] for game in games]) for key in ("hit", "precision", "chance")}
    told = f"hits {mean['hit']:.0%}  average precision {mean['precision']:.2f}  chance {mean['chance']:.2f}"
    print(f"{way:12} {told}  ({len(games)} events)")

# %% [markdown]
# <details><summary>What we saw</summary>
#
# The order is printed. Chance is the share of the frames in which the event sounds.
#
# </details>
#
# Before you believe the order: how many events are these, and how far would luck alone carry a map?

# %%
rng, n_events = np.random.default_rng(SEED), len(results["occlusion"])
luck = [np.mean([rng.random() < game["chance"] for game in results["occlusion"]]) for _ in range(1000)]
low, high = np.quantile(luck, [0.025, 0.975])
print(f"19 times out of 20, a map that knows nothing hits {low:.0%} to {high:.0%} of {n_events} events")

# %% [markdown]
# A map near chance can have two reasons. It may be unfaithful: the model uses the event, the map does not show it. Or
# the
# *model* does not use the event: it has not recognised it, or it listens to something else. Only deletion and insertion
# tell these apart.

# %%
event = one.events[0][0]
scaled = {way: importance / importance.abs().max() for way, importance in drawn[one.id, event].items()}
times = [known for known in one.events if known[0] == event]
rate = listener.codec.frame_rate
show(plots.importance.over_time(scaled, rate, "Importance (of the largest)", events=times))

# %%
work.cleanup()

# %% [markdown]
# ## Quiz
#
# **Q1.** A dog barks twice. Hiding either bark changes nothing. So
#
# - (a) it uses only one of them
# - (b) the model does not use the barks
# - (c) the clip holds no dog
# - (d) neither can be concluded from this

# %% exercise="quiz"
answer_1 = "d"
# %%
quiz("why.redundant", answer_1)

# %% [markdown]
# **Q2.** The shares of integrated gradients add up to the log-odds exactly. That shows that
#
# - (a) the explanation is right
# - (b) the model is sure
# - (c) the model is right
# - (d) the integral was computed well

# %% exercise="quiz"
answer_2 = "d"
# %%
quiz("why.complete", answer_2)

# %% [markdown]
# **Q3.** A map of "dog" peaks in the hiss before the bark, and hiding the hiss takes the label away. The map is
#
# - (a) right, about the model
# - (b) wrong
# - (c) a sign of a bug in the gradients
# - (d) useless

# %% exercise="quiz"
answer_3 = "a"
# %%
quiz("why.elsewhere", answer_3)

# %% [markdown]
# ## Recap
#
# - Occlusion asks "what if this were missing?", gradients share the score out, rollout follows attention. Three
#   questions, three answers.
# - Each can be wrong in its own way: places that cover for each other (occlusion), a start that might have been another
#   (gradients), no label at all (rollout). Test against a random order of the same blocks, and against something simple
#   such as loudness.
# - An explanation is about the model, not about the sound.
#
# **To read.** Integrated gradients (arXiv 1703.01365); sanity checks (arXiv 1810.03292); deletion and insertion
# (arXiv 1806.07421). Open: what does it mean to take a sound away?
#
# Next, [12](12_encodecmae.ipynb): another way to learn from hidden frames.
