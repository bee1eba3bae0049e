"""What is followed, operation by operation: a value that depends on a pad is reported when it leaves the tensors."""

import pytest
import torch

from padcheck.watching.layout import Layout
from padcheck.watching.means import Means
from padcheck.watching.results import ResultReader

REAL = torch.tensor([[True, True, True], [True, False, False]])
MASK = REAL.long()
LABELS = torch.tensor([[1, 2, 3], [1, 0, 0]])


def reported(use):
    """The codes that are reported when `use` gets an output of (2, 3, 5)."""
    torch.manual_seed(0)
    output = torch.randn(2, 3, 5)
    origins = []
    reader = ResultReader(origins.append, Means(lambda found, place: None))
    with reader:
        reader.follow(output, Layout(LABELS, REAL, torch.ones(2, dtype=torch.bool)), "Model")
        use(output)
    reader.flush()
    return [origin.code for origin in origins]


def loop(output):
    total = torch.zeros(2)
    for column in range(3):
        total += output[:, column, 0] * MASK[:, column]
    return total.tolist()


def buffer(output, column):
    kept = torch.zeros(2, 5)
    for row in range(2):
        kept[row] = output[row, column]
    return kept.sum().item()


@pytest.mark.parametrize(
    "use",
    [
        lambda output: output[:, 0].tolist(),
        lambda output: output.tolist(),
        lambda output: output[MASK.bool()].mean().item(),
        lambda output: (output * MASK[..., None]).sum(1).tolist(),
        lambda output: output.masked_fill(MASK[..., None] == 0, -1e9).max(1).values.tolist(),
        lambda output: output[torch.arange(2), MASK.sum(1) - 1].argmax(-1).tolist(),
        lambda output: output.mean(-1).tolist(),  # over the vocabulary, with a column for each token
        lambda output: output[:, -1],  # nothing is done with it
        lambda output: torch.where(MASK.bool(), output[..., 0], 0).sum().item(),
        lambda output: output.view(-1, 5).index_select(0, MASK.flatten().nonzero().squeeze(1)).sum().item(),
        lambda output: buffer(output, 0),
        loop,
        lambda output: torch.isfinite(output).all().item(),
    ],
)
def test_right_uses_are_silent(use):
    assert reported(use) == []


@pytest.mark.parametrize(
    ("use", "code"),
    [
        (lambda output: output[:, -1].tolist(), "PAD508"),
        (lambda output: output.select(1, 2).argmax(-1).tolist(), "PAD508"),
        (lambda output: output.flip(1)[:, 0].sum().item(), "PAD508"),
        (lambda output: output.transpose(0, 1)[-1].tolist(), "PAD508"),
        (lambda output: buffer(output, -1), "PAD508"),
        (lambda output: output.mean(1).tolist(), "PAD509"),
        (lambda output: output.sum().item(), "PAD509"),
        (lambda output: float(output.view(-1, 5).max()), "PAD509"),
        (lambda output: (MASK.float().unsqueeze(1).flip(2) @ output).tolist(), "PAD509"),
        (lambda output: output.softmax(1)[:, 0].tolist(), "PAD509"),
        (lambda output: torch.nn.functional.cross_entropy(output.flatten(0, 1), LABELS.flatten()).item(), "PAD510"),
    ],
)
def test_wrong_uses_are_reported(use, code):
    assert reported(use) == [code]


def test_a_mean_over_the_width_is_reported_though_the_pads_are_zero():
    weights = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    assert reported(lambda output: (output[..., 0] * weights).mean(1).tolist()) == ["PAD509"]


def test_random_numbers_are_those_of_an_unwatched_run():
    drawn = []

    def sample(output):
        torch.manual_seed(3)
        drawn.append(torch.multinomial(output[:, 0].softmax(-1), 1))
        drawn.append(torch.rand(1))

    reported(sample)
    torch.manual_seed(0)
    output = torch.randn(2, 3, 5)
    torch.manual_seed(3)
    assert torch.equal(drawn[0], torch.multinomial(output[:, 0].softmax(-1), 1))
    assert torch.equal(drawn[1], torch.rand(1))
