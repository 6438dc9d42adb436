"""Distillation: a student learns a teacher's answers, also on rows that nobody has labelled.

Source: Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network (2015),
https://arxiv.org/abs/1503.02531
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

UNLABELLED = -100
"""The label of a row that has none, as in torch's cross-entropy."""


def distillation(
    student: Any,
    teacher: Any,
    labels: Any = None,
    *,
    temperature: float = 4.0,
    alpha: float = 0.9,
) -> Any:
    """Return the loss of a student's logits, shape (rows, classes), as a tensor of one element.

    It is ``alpha * T^2 * KL(softmax(teacher / T) || softmax(student / T)) + (1 - alpha) *
    CE(student, labels)``, T being the ``temperature``, above 0: each the mean over its rows. T^2
    makes up for softened gradients, which shrink by as much (section 2 of the paper). ``labels``
    are numbers of classes; a row with `UNLABELLED` is learned from the teacher alone, and so are
    all where ``labels`` is None. No gradient flows to the teacher. Raises ValueError for logits of
    different shapes, a temperature that is not above 0, and an ``alpha`` outside of 0 to 1.
    """
    import torch

    if student.shape != teacher.shape or student.dim() != 2:
        raise ValueError(
            f"The student's logits are {tuple(student.shape)} and the teacher's "
            f"{tuple(teacher.shape)}: give both as (rows, classes)."
        )
    if not temperature > 0 or not 0 <= alpha <= 1:
        raise ValueError("Write a temperature above 0, and an alpha from 0 to 1.")
    functional = torch.nn.functional
    soft = functional.kl_div(
        functional.log_softmax(student / temperature, dim=1),
        functional.log_softmax(teacher.detach() / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    loss = alpha * temperature**2 * soft
    if labels is None or not bool((labels != UNLABELLED).any()):
        return loss
    hard = functional.cross_entropy(student, labels, ignore_index=UNLABELLED)
    return loss + (1 - alpha) * hard


def distil(
    student: Any,
    teacher: Any,
    batches: Iterable[tuple[Any, Any]],
    optimizer: Any,
    *,
    temperature: float = 4.0,
    alpha: float = 0.9,
) -> float:
    """Train a student for one epoch, and return the mean loss of its batches; NaN for none.

    ``batches`` are pairs of rows and labels, where labels may be None or `UNLABELLED`; both models
    take the rows. The teacher is asked in evaluation mode, which it keeps; the student trains.
    """
    import torch

    student.train()
    teacher.eval()
    total, count = 0.0, 0
    for rows, labels in batches:
        with torch.no_grad():
            told = teacher(rows)
        loss = distillation(student(rows), told, labels, temperature=temperature, alpha=alpha)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + float(loss.detach()), count + 1
    return total / count if count else float("nan")
