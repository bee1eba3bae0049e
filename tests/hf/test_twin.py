"""The float32 copy of a 16-bit model: the same weights, and the model as it was."""

import pytest
import torch
from zoo.families import build_family

from padcheck.hf.twin import Float32Twin, NotOpenError

IDS = torch.tensor([[4, 5, 6, 7]])
every_half = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)


@every_half
def test_the_copy_has_the_same_weights_in_float32(dtype: torch.dtype) -> None:
    model = build_family(dtype)
    copied = Float32Twin(model).model()
    assert {parameter.dtype for parameter in copied.parameters()} == {torch.float32}
    own = dict(model.named_parameters())
    for name, parameter in copied.named_parameters():
        assert torch.equal(parameter, own[name].float())
    with torch.inference_mode():
        torch.testing.assert_close(copied(IDS).logits, model(IDS).logits.float(), atol=0.5, rtol=0.0)
    assert not copied.training


@every_half
def test_the_model_is_left_alone(dtype: torch.dtype) -> None:
    model = build_family(dtype)
    parameters = {name: (id(parameter), parameter.clone()) for name, parameter in model.named_parameters()}
    Float32Twin(model).model()
    assert model.dtype == dtype
    for name, parameter in model.named_parameters():
        identity, value = parameters[name]
        assert id(parameter) == identity
        assert parameter.dtype == dtype
        assert torch.equal(parameter, value)


def test_one_copy_is_made() -> None:
    twin = Float32Twin(build_family(torch.bfloat16))
    assert twin.model() is twin.model()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_model_that_is_not_in_16_bit_is_refused(dtype: torch.dtype) -> None:
    with pytest.raises(NotOpenError, match="the model is not in 16 bit"):
        Float32Twin(build_family(dtype)).model()


@pytest.mark.parametrize(
    ("attribute", "value"), [("is_quantized", True), ("hf_device_map", {"model": 0})], ids=["quantized", "spread"]
)
def test_a_model_that_cannot_be_copied_is_refused(attribute: str, value: object) -> None:
    model = build_family(torch.bfloat16)
    setattr(model, attribute, value)
    with pytest.raises(NotOpenError, match="quantized, or spread over devices"):
        Float32Twin(model).model()


@pytest.mark.parametrize(("share", "fits"), [(0.69, True), (0.71, False)])
def test_a_copy_takes_no_more_than_most_of_the_free_memory(
    share: float, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_family(torch.bfloat16)
    free = int(4 * model.num_parameters() / share)
    monkeypatch.setattr("padcheck.hf.twin._free_memory", lambda _device: free)
    if fits:
        assert Float32Twin(model).model().dtype == torch.float32
    else:
        with pytest.raises(NotOpenError, match=r"^0\.0 GiB are needed, and 0\.0 GiB are free$"):
            Float32Twin(model).model()


def test_where_nobody_tells_how_much_memory_is_free_the_copy_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("padcheck.hf.twin._free_memory", lambda _device: None)
    assert Float32Twin(build_family(torch.float16)).model().dtype == torch.float32
