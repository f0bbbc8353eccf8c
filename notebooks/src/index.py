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
# # From a sound to a trained listener
#
# One question a notebook. You need Python and to have seen a neural network once. Everything runs on this
# machine, without internet and without a graphics card.
#
# **Choose a path:**
#
# | you have | take | minutes at the keyboard |
# |---|---|---|
# | **two hours** (a taster; [00] at home) | [01] · [03] · [06] | 125 |
# | **a day** (a workshop) | [00] · [01] · [03] · [04] · [06] · [09] · [10] · [15] | 324 |
# | **evenings** (self-study) | all, in order, one a night, with all exercises | 851 |
# | **no time, only the method** | [03] · [06] · [07] · [09] · [16] | 201 |
#
# First time here? Run the cell below (Shift + Enter). You should see a picture and hear a dog.
#
# [00]: 00_is_this_machine_ready.ipynb
# [01]: 01_from_sound_to_codes.ipynb
# [02]: 02_residual_quantisation.ipynb
# [03]: 03_from_codes_to_tokens.ipynb
# [04]: 04_attention_by_hand.ipynb
# [05]: 05_the_encoder.ipynb
# [06]: 06_masked_prediction.ipynb
# [07]: 07_contrastive_by_hand.ipynb
# [08]: 08_pretrain_one.ipynb
# [09]: 09_fine_tune.ipynb
# [10]: 10_what_did_it_learn.ipynb
# [11]: 11_why_this_label.ipynb
# [12]: 12_encodecmae.ipynb
# [13]: 13_fair_comparison.ipynb
# [14]: 14_live.ipynb
# [15]: 15_your_own_sounds.ipynb
# [16]: 16_beyond_the_laptop.ipynb
# [17]: 17_sound_and_sight.ipynb
# [18]: 18_audioformer_in_300_lines.ipynb
# [19]: 19_when_does_pretraining_help.ipynb
# [20]: 20_one_idea_at_a_time.ipynb

# %%
import audioformer as af
from audioformer import plots
from audioformer.teaching import listen, show, trimmed

dog, codec = trimmed("dog"), af.load_codec("compact")
listen(dog)
ranks = plots.codes.colour_ranks(codec.codebooks().numpy())
show(plots.codes.code_grid(codec.encode(dog)[0].numpy(), codec.frame_rate, ranks=ranks))
print(af.load("esc10").classify(dog).labels[0], "says the bundled classifier")

# %% [markdown]
# That is the whole idea in one picture: the sound as rows of numbers between 0 and 1023, 75 columns a second. The
# transformer reads *these*, as if they were words. No picture, or no sound? [00] finds out why.
#
# ## All of them
#
# | | question | minutes | needs |
# |---|---|---|---|
# | [00] | Is this machine ready? | 27 | nothing |
# | | **Sound becomes language** | | |
# | [01] | How does a sound become a few hundred whole numbers? | 45 | Python, a little linear algebra |
# | [02] | How do eight small tables replace one impossible one? | 43 | 01 |
# | [03] | How do codes become something a transformer can read? | 35 | 01 |
# | | **The reader** | | |
# | [04] | How does a position find out about the others? | 43 | 03 |
# | [05] | What happens to a vector on its way through the encoder? | 36 | 04 |
# | | **Learning** | | |
# | [06] | What does a model learn by guessing what is hidden? | 45 | 03, 05 |
# | [07] | Can a clip's own rows teach a model what belongs together? | 43 | 05 |
# | [08] | What does pre-training look like while it happens? | 29 | 06 |
# | [09] | How does a model learn our names for sounds, and is it any good? | 38 | 07, 08 |
# | | **Doubting** | | |
# | [10] | What did the model learn, and how would you know? | 43 | 05, 09 |
# | [11] | Why this label, and is the explanation true? | 52 | 06, 09, 10 |
# | [12] | What if sound goes in, and codes only come out? | 39 | 06, 08 |
# | [13] | Which features are better, and would you bet on it? | 40 | 09, 10 |
# | | **Doing** | | |
# | [14] | Can a model listen while the sound is still coming in? | 40 | 01, 09 |
# | [15] | Can it learn my sounds? | 48 | 09 |
# | [16] | What changes when there are two million clips? | 40 | 08, 09 |
# | [17] | Can a machine learn to listen by watching? | 38 | 07 |
# | | **Capstone** | | |
# | [18] | Can you build all of it yourself? | 67 | 01 to 09 |
# | | **Which part of it helps?** | | |
# | [19] | When does pre-training help? | 28 | 09, 13 |
# | [20] | Which of these ideas helps, and which was lucky? | 32 | 09 |
#
# On the shorter paths some "needs" are left out; what is missing is said in a sentence where it matters.
#
# ## How they work
#
# - *Predict first* means it: say your guess aloud or write it down, then run the cell. A wrong guess is worth more than
#   three right ones. Some are kept in `my answers.json` beside the notebooks, for a picture at the end of the day.
# - **Exercises**: replace the dots, run the cell, then the one below it. It says *not yet*, names the first difference,
#   or gives a ✓. `hint("name")` helps; the answers are in the folder `solutions`.
# - Nothing you write can break the cells below it: *Run → Run All Cells* always gets to the end.
# - Each notebook prints its seed. Your numbers are your neighbour's.
# - `budget(100, 25)` is 100 for you; the second number is for the kit's own tests, which are in a hurry.
# - Teaching with them? `INSTRUCTOR.md` has timings, usual troubles and questions; `handouts` a page for each path.
#
# [00]: 00_is_this_machine_ready.ipynb
# [01]: 01_from_sound_to_codes.ipynb
# [02]: 02_residual_quantisation.ipynb
# [03]: 03_from_codes_to_tokens.ipynb
# [04]: 04_attention_by_hand.ipynb
# [05]: 05_the_encoder.ipynb
# [06]: 06_masked_prediction.ipynb
# [07]: 07_contrastive_by_hand.ipynb
# [08]: 08_pretrain_one.ipynb
# [09]: 09_fine_tune.ipynb
# [10]: 10_what_did_it_learn.ipynb
# [11]: 11_why_this_label.ipynb
# [12]: 12_encodecmae.ipynb
# [13]: 13_fair_comparison.ipynb
# [14]: 14_live.ipynb
# [15]: 15_your_own_sounds.ipynb
# [16]: 16_beyond_the_laptop.ipynb
# [17]: 17_sound_and_sight.ipynb
# [18]: 18_audioformer_in_300_lines.ipynb
# [19]: 19_when_does_pretraining_help.ipynb
# [20]: 20_one_idea_at_a_time.ipynb
