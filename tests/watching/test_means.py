"""Means of means: unequal numbers of tokens with equal weights are reported when the value is used."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from padcheck.watching.means import Means
from padcheck.watching.results import ResultReader

IGNORED = -100


@pytest.fixture
def found():
    return []


@pytest.fixture
def loss_of(found):
    """Makes a followed loss of this many tokens, as a model returns it in one line."""
    means = Means(lambda proven, place: found.append(proven))
    weight = nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([weight], lr=0.1)

    def loss(tokens, value, *, elsewhere=False, **arguments):
        labels = torch.full((1, 9), IGNORED)
        labels[0, 1 : tokens + 1] = 7
        output = SimpleNamespace(loss=weight * value)
        if elsewhere:
            means.follow_loss({"labels": labels}, output, shifts=True)
        else:
            means.follow_loss({"labels": labels, **arguments}, output, shifts=True)
        return output.loss

    loss.optimizer = optimizer
    with ResultReader(lambda origin: None, means), means.collecting():
        yield loss


@pytest.mark.parametrize(
    "use",
    [
        lambda losses: torch.stack(losses).mean().item(),
        lambda losses: (sum(losses) / len(losses)).tolist(),
        lambda losses: torch.stack([each.detach() for each in losses]).mean().exp(),
        lambda losses: f"{0.5 * (losses[0] + losses[1])}",
    ],
)
def test_a_mean_of_unequal_means_is_reported(loss_of, found, use):
    use([loss_of(tokens, value) for tokens, value in ((2, 1.0), (6, 5.0))])
    assert [each.code for each in found] == ["PAD512"]
    assert found[0].facts == {"parts": 2, "fewest": 2, "most": 6, "mean_of_means": 3.0, "mean_of_tokens": 4.0}


@pytest.mark.parametrize(
    "use",
    [
        lambda losses: ((2 * losses[0] + 6 * losses[1]) / 8).item(),
        lambda losses: [each.item() for each in losses],
        lambda losses: sum(losses).item(),
        lambda losses: torch.stack(losses).max().item(),
    ],
)
def test_weighted_means_and_other_uses_are_silent(loss_of, found, use):
    use([loss_of(tokens, value) for tokens, value in ((2, 1.0), (6, 5.0))])
    assert found == []


@pytest.mark.parametrize(("tokens", "value"), [(6, 1.0), (2, 5.0)])
def test_equal_counts_and_equal_values_are_silent(loss_of, found, tokens, value):
    losses = [loss_of(*each) for each in ((2, 1.0), (tokens, value))]
    torch.stack(losses).mean().item()
    assert found == []


def test_gradients_of_unequal_micro_batches_are_reported_at_the_step(loss_of, found):
    for tokens, value in ((2, 1.0), (6, 5.0)):
        (loss_of(tokens, value) / 2).backward()
    assert found == []
    loss_of.optimizer.step()
    assert [each.code for each in found] == ["PAD512"]


def test_steps_of_one_micro_batch_and_their_log_are_silent(loss_of, found):
    logged = []
    for tokens, value in ((2, 1.0), (6, 5.0)):
        loss = loss_of(tokens, value)
        loss.backward()
        loss_of.optimizer.step()
        logged.append(loss.detach())
    torch.stack(logged).mean().item()
    assert found == []


def test_a_loss_that_is_divided_by_all_tokens_is_silent(loss_of, found):
    torch.stack([loss_of(tokens, 1.0 * tokens, num_items_in_batch=8) for tokens in (2, 6)]).sum().backward()
    loss_of.optimizer.step()
    assert found == []


def test_losses_of_different_lines_are_not_compared(loss_of, found):
    first = loss_of(2, 1.0)
    second = loss_of(6, 5.0, elsewhere=True)
    ((first + second) / 2).item()
    assert found == []


def test_gradients_that_are_thrown_away_are_silent(loss_of, found):
    for tokens, value in ((2, 1.0), (6, 5.0)):
        loss_of.optimizer.zero_grad()
        loss_of(tokens, value).backward()
    loss_of.optimizer.step()
    assert found == []
