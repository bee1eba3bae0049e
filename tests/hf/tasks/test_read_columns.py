import torch
from zoo.heads import classifier

from padcheck.hf.tasks.read_columns import columns_read

IDS = torch.tensor([[5, 6, 7, 8], [0, 0, 9, 10]])
MASK = (IDS != 0).long()


def test_the_last_token_of_a_causal_classifier() -> None:
    model = classifier(torch.float32)
    hooks = sum(len(module._forward_hooks) for module in model.modules())
    right = IDS.clone()
    right[1] = torch.tensor([9, 10, 0, 0])
    for ids, expected in ((IDS, [(3,), (3,)]), (right, [(3,), (1,)])):
        mask = (ids != 0).long()
        assert columns_read(model, lambda i=ids, m=mask: model(i, attention_mask=m).logits, 2, 4) == expected
    assert sum(len(module._forward_hooks) for module in model.modules()) == hooks
    assert all(parameter.grad is None for parameter in model.parameters())


def test_every_column_of_a_mean() -> None:
    model = classifier(torch.float32)

    def run() -> torch.Tensor:
        return model.score(model.model(IDS, attention_mask=MASK).last_hidden_state.mean(1))

    assert columns_read(model, run, 2, 4) == [(0, 1, 2, 3)] * 2


def test_a_model_without_layers_is_unknown() -> None:
    model = torch.nn.Linear(3, 2)
    assert columns_read(model, lambda: model(torch.ones(2, 3)), 2, 4) == [None, None]
