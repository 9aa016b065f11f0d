"""The rule for each claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from dlvc.evidence.outs import Evidence
from dlvc.report.rules import (
    densenet,
    lenet,
    memory_and_time,
    optimizers,
    over_fitting,
    perceptron,
    rule_times,
    update_rules,
)
from dlvc.report.verdict import Verdict

RULES: Mapping[str, Callable[[Evidence], Verdict]] = MappingProxyType(
    {
        "05-1": perceptron.loss_falls,
        "05-2": perceptron.after_twenty,
        "05-3": perceptron.after_two_hundred,
        "05-4": perceptron.best_rate,
        "05-5": perceptron.accuracy_increases,
        "24-1": update_rules.per_epoch,
        "24-2": rule_times.per_batch,
        "24-3": rule_times.per_sample,
        "24-4": update_rules.equal_updates,
        "24-5": rule_times.time_to_goal,
        "24-6": update_rules.jitter,
        "24-7": over_fitting.over_fitting,
        "24-8": update_rules.lower_rate,
        "24-9": update_rules.held_activations,
        "24-10": rule_times.highest_accuracy,
        "25-1": optimizers.order,
        "25-2": optimizers.thousand_epochs,
        "25-3": optimizers.small_batches,
        "25-4": optimizers.momentum_or_rate,
        "25-5": optimizers.closer_to_the_end,
        "29-1": lenet.ten_epochs,
        "29-2": lenet.beats_mlp,
        "29-3": lenet.kernels,
        "29-4": lenet.parameters,
        "29-5": lenet.adam_or_sgd,
        "40-1": densenet.count,
        "40-2": densenet.half_a_resnet,
        "40-3": densenet.oscillation,
        "40-4": densenet.test_loss,
        "40-5": densenet.colours,
        "40-6": memory_and_time.memory,
        "40-7": memory_and_time.time,
        "40-8": memory_and_time.activations,
        "40-9": memory_and_time.over_fitting,
        "40-10": memory_and_time.generalization,
    }
)


def judge(evidence: Evidence) -> dict[str, Verdict]:
    """Apply every rule; returns the verdicts by claim."""
    return {claim: rule(evidence) for claim, rule in RULES.items()}
