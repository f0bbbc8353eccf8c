"""Probes: how much of a task a simple learner can read out of frozen vectors. The same protocol for all features.

    answer = probe("linear", features, targets, groups, train, test, seed=0)

Features are standardised with the mean and deviation of the clips learned from. Every choice is made on a validation
part: about a fifth of the training clips, whole sources or speakers, drawn by the seed. Then the chosen setting learns
from all training clips. The test clips decide nothing.

| probe | learner | chosen on the validation part |
|---|---|---|
| linear | logistic regression, L-BFGS on all clips at once | weight penalty |
| knn | mean label of the nearest clips by cosine | number of neighbours |
| svm | support vectors with a radial kernel, each class against the rest | C |
| mlp | HEAR's: 1 or 2 layers of 1024, BatchNorm, ReLU, dropout 0.1, Xavier start, Adam, batch 1024 | layers, rate,
epochs |

HEAR (arXiv 2203.03022) draws 8 settings of its grid at random; layers and rates have just 8 combinations: all are
tried. Shapes: n clips, F features, C classes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioformer.errors import AudioformerError, check_names
from audioformer.metrics import accuracy, average_precision, mean_over_classes

VALIDATION_SHARE = 0.2
GRIDS = {
    "linear": [(penalty,) for penalty in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)],
    "knn": [(k,) for k in (1, 3, 5, 10, 20)],
    "svm": [(price,) for price in (1.0, 10.0, 100.0)],
    "mlp": [(layers, rate) for layers in (1, 2) for rate in (3.2e-3, 1e-3, 3.2e-4, 1e-4)],
}
WIDTH, DROPOUT, BATCH, MAX_EPOCHS, EVERY, PATIENCE = 1024, 0.1, 1024, 500, 3, 20  # of the mlp; patience in measurements


@dataclass(frozen=True)
class Lesson:
    """Clips to learn from.

    Attributes:
        x: (n, F) standardised.
        y: (n, C) zeros and ones.
        multi_label: a clip may have several labels.
        seed: of whatever is random.
        device: where linear and mlp compute.
        watch: (x, y) of the validation part, for a learner that must know when to stop.
    """

    x: Tensor
    y: Tensor
    multi_label: bool
    seed: int
    device: str
    watch: tuple[Tensor, Tensor] | None = None

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """() nats: each class on its own, or one of them."""
        return F.binary_cross_entropy_with_logits(logits, y) if self.multi_label else F.cross_entropy(logits, y)


@dataclass(frozen=True)
class Fitted:
    """A learner that has learned.

    Attributes:
        scores: (m, F) to (m, C), the larger the likelier.
        n_parameters: learned numbers; for knn and svm the clips they keep, times F.
        setting: with which to learn again.
    """

    scores: Callable[[Tensor], Tensor]
    n_parameters: int
    setting: tuple


@dataclass(frozen=True)
class Answer:
    """What a probe said about test clips, from which it has not learned.

    Attributes:
        scores: (m, C).
        n_parameters: of the probe.
        setting: the one chosen.
        layer: number of the vector chosen, where clips have several.
    """

    scores: np.ndarray
    n_parameters: int
    setting: tuple
    layer: int | None = None


def probe(
    name: str,
    features: np.ndarray,
    targets: np.ndarray,
    groups: Sequence[str],
    train: np.ndarray,
    test: np.ndarray,
    seed: int = 0,
    device: str = "cpu",
) -> Answer:
    """Choose, learn, answer.

    Args:
        name: "linear", "knn", "svm" or "mlp".
        features: (n, F) of all clips; or (n, J, F), a vector of every layer: one is chosen with the setting.
        targets: (n, C) zeros and ones, exactly one a clip unless clips may have several labels.
        groups: n sources or speakers; none is torn between learning and choosing.
        train: numbers of the clips to learn from.
        test: numbers of the clips to answer about.
        seed: of the validation part and of the mlp's chance.
        device: torch device for linear and mlp.

    Returns:
        Answer.

    Raises:
        AudioformerError: unknown probe, or all training clips are of one source.
    """
    check_names([name], list(GRIDS), "the list of probes")
    every, y = torch.from_numpy(features).double(), torch.from_numpy(targets).double()
    layers = [every] if every.ndim == 2 else list(every.unbind(1))
    multi_label = bool((targets.sum(1) != 1).any())
    inner, validation = split_groups([groups[i] for i in train], seed)

    def learn(x: Tensor, clips: np.ndarray, setting: tuple, watch: np.ndarray | None = None) -> tuple[Fitted, Callable]:
        mean, deviation = x[clips].mean(0), x[clips].std(0, correction=0)
        scale = torch.where(deviation > 1e-8, deviation, 1.0)

        def scaled(numbers):
            return (x[numbers] - mean) / scale

        watched = None if watch is None else (scaled(watch), y[watch])
        fitted = LEARNERS[name](Lesson(scaled(clips), y[clips], multi_label, seed, device, watched), *setting)
        return fitted, lambda numbers: fitted.scores(scaled(numbers))

    best, best_layer, best_score = None, 0, -np.inf
    for layer, x in enumerate(layers):
        for setting in GRIDS[name]:
            fitted, scores = learn(x, train[inner], setting, train[validation])
            if (value := score(scores(train[validation]), y[train[validation]], multi_label)) > best_score:
                best, best_layer, best_score = fitted.setting, layer, value
    fitted, scores = learn(layers[best_layer], train, best)
    chosen = best_layer if every.ndim == 3 else None
    return Answer(scores(test).cpu().numpy(), fitted.n_parameters, best, chosen)


def score(scores: Tensor, y: Tensor, multi_label: bool) -> float:
    """Accuracy, or mAP where clips may have several labels; 0 where neither can be measured."""
    if multi_label:
        value = mean_over_classes(average_precision(y.numpy(), scores.cpu().numpy()))
        return 0.0 if np.isnan(value) else value
    return accuracy(y.argmax(1).numpy(), scores.argmax(1).cpu().numpy())


def split_groups(groups: Sequence[str], seed: int, share: float = VALIDATION_SHARE) -> tuple[np.ndarray, np.ndarray]:
    """Two parts of n clips, whole groups each, the second about `share` of them.

    Returns:
        Clip numbers to learn from, clip numbers to choose on.

    Raises:
        AudioformerError: all clips are of one group.
    """
    names, member = np.unique(np.asarray(groups, str), return_inverse=True)
    if len(names) < 2:
        raise AudioformerError(
            f"all {len(groups)} training clips are of one source, {names[:1]}: nothing can be held out to choose on"
        )
    order, sizes = np.random.default_rng(seed).permutation(len(names)), np.bincount(member)
    n_taken = int(np.searchsorted(np.cumsum(sizes[order]), share * len(groups) - 1e-9)) + 1
    chosen = np.isin(member, order[: min(n_taken, len(names) - 1)])
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def fit_linear(lesson: Lesson, penalty: float) -> Fitted:
    """Logistic regression: loss + penalty / 2 * mean squared weight of a class."""
    x, y = lesson.x.to(lesson.device), lesson.y.to(lesson.device)
    weight = torch.zeros(x.shape[1], y.shape[1], dtype=x.dtype, device=lesson.device, requires_grad=True)
    bias = torch.zeros(y.shape[1], dtype=x.dtype, device=lesson.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = lesson.loss(x @ weight + bias, y) + penalty / 2 * weight.square().sum(0).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    weight, bias = weight.detach(), bias.detach()
    return Fitted(lambda vectors: vectors.to(lesson.device) @ weight + bias, weight.numel() + bias.numel(), (penalty,))


def fit_knn(lesson: Lesson, k: int) -> Fitted:
    """Mean target of the k clips whose vectors point most nearly the same way; ties go to the nearer neighbours."""
    stored = F.normalize(lesson.x, dim=1)
    weights = 1 + 1e-3 * torch.linspace(1, 0, min(k, len(stored)), dtype=stored.dtype)

    def scores(vectors: Tensor) -> Tensor:
        nearest = (F.normalize(vectors, dim=1) @ stored.T).topk(len(weights), dim=1).indices
        return (lesson.y[nearest] * weights[:, None]).sum(1) / weights.sum()

    return Fitted(scores, lesson.x.numel(), (k,))


def fit_svm(lesson: Lesson, price: float) -> Fitted:
    """Support vectors with scikit-learn's radial kernel; a class of every or no clip gets the same score everywhere."""
    from sklearn.svm import SVC

    x, machines = lesson.x.numpy(), []
    for own in lesson.y.T.numpy().astype(int):
        machines.append(SVC(C=price).fit(x, own) if 0 < own.sum() < len(own) else None)

    def scores(vectors: Tensor) -> Tensor:
        columns = [
            np.zeros(len(vectors)) if machine is None else machine.decision_function(vectors.numpy())
            for machine in machines
        ]
        return torch.from_numpy(np.stack(columns, 1))

    stored = {int(i) for machine in machines if machine is not None for i in machine.support_}
    return Fitted(scores, len(stored) * x.shape[1], (price,))


def fit_mlp(lesson: Lesson, layers: int, rate: float, epochs: int | None = None) -> Fitted:
    """HEAR's perceptron. Watched, it stops where validation no longer improves; else it runs `epochs`."""
    x, y = lesson.x.float().to(lesson.device), lesson.y.float().to(lesson.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(lesson.seed)
        model = _mlp(x.shape[1], y.shape[1], layers).to(lesson.device)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        best = (-np.inf, 0, model)
        for epoch in range(1, (epochs or MAX_EPOCHS) + 1):
            model.train()
            order = torch.randperm(len(x))
            for batch in order.split(BATCH) if len(x) % BATCH != 1 else (order,):  # BatchNorm needs two clips
                optimizer.zero_grad()
                lesson.loss(model(x[batch]), y[batch]).backward()
                optimizer.step()
            if lesson.watch is None or epoch % EVERY:
                continue
            value = score(_forward(model, lesson.watch[0], lesson.device), lesson.watch[1], lesson.multi_label)
            if value > best[0]:
                best = (value, epoch, copy.deepcopy(model))
            if epoch - best[1] >= PATIENCE * EVERY:
                break
    model = best[2] if lesson.watch is not None else model
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return Fitted(
        lambda vectors: _forward(model, vectors, lesson.device), n_parameters, (layers, rate, epochs or best[1])
    )


def _mlp(n_features: int, n_classes: int, layers: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for layer in range(layers):
        parts += [
            nn.Linear(n_features if not layer else WIDTH, WIDTH),
            nn.BatchNorm1d(WIDTH),
            nn.Dropout(DROPOUT),
            nn.ReLU(),
        ]
    model = nn.Sequential(*parts, nn.Linear(WIDTH, n_classes))
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
            nn.init.zeros_(module.bias)
    return model


@torch.no_grad()
def _forward(model: nn.Module, x: Tensor, device: str) -> Tensor:
    return model.eval()(x.float().to(device)).double()


LEARNERS = {"linear": fit_linear, "knn": fit_knn, "svm": fit_svm, "mlp": fit_mlp}
