#!/usr/bin/env bash
# Everything behind results/sight.md and the bundled checkpoints sight-scenes and sight-digits, in order: under two hours
# on 2 cores. DATA holds fsdd/ (takes 5-49); OUT receives sounds, codes and runs. Every step continues where it stopped.
#   bash scripts/train_sight.sh DATA OUT
set -euo pipefail
DATA=$1 OUT=$2
AF=${AF:-audioformer}
kinds=door_knock,hand_claps,water_drops,clock_tick,dog,bell,siren,bird_song,rain,helicopter,crying_baby,engine

# Sounds for drawn scenes, those for testing from another seed; spoken digits. Frames of log-mel bands beside the codes.
$AF synth -o "$OUT/heard" --kind clips --clips 720 --classes $kinds --duration 3 --seed 31
$AF synth -o "$OUT/heard-test" --kind clips --clips 240 --classes $kinds --duration 3 --seed 32
for name in heard heard-test; do $AF prepare "$OUT/$name" --dataset esc50 --frames mel256 -o "$OUT/$name-codes"; done
$AF prepare "$DATA/fsdd" --dataset fsdd --frames mel256 -o "$OUT/fsdd-codes"

# The bundled checkpoints. A twentieth of the sounds is held out, and one speaker.
$AF pretrain "$OUT/heard-codes" --method audiovisual --preset scenes --held-out-share 0.05 --set train.validate_every=100 \
  -o "$OUT/sight-scenes"
$AF pretrain "$OUT/fsdd-codes" --method audiovisual --preset digits --held-out-groups theo -o "$OUT/sight-digits"

# The grid of resolution, batch and mixing, and the controls; the map on sounds and colours that training never had.
$AF bench sight --digits "$OUT/fsdd-codes" -o "$OUT/grid"
$AF bench sight --digits "$OUT/fsdd-codes" --checkpoint "$OUT/sight-digits" --speakers theo -o "$OUT/digits"
$AF bench sight --scenes "$OUT/heard-test-codes" --checkpoint "$OUT/sight-scenes" -o "$OUT/maps"
