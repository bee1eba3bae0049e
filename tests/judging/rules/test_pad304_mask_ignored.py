from builders import ask, difference, finding, probes, unpadded_difference, without

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad304_mask_ignored import MaskIgnored


def without_mask(max_abs_diff: float, left: float) -> dict[str, object]:
    changes = probes(left_forward_no_mask=max_abs_diff, left_alone=left)
    changes["differences"]["left"] = (unpadded_difference(0.0), difference(left))
    return changes


def test_fires_if_the_mask_makes_no_difference_and_left_padding_does_harm() -> None:
    found = finding(MaskIgnored(), **without_mask(0.0, left=0.5))
    assert found.severity is Severity.ERROR
    assert found.evidence == {"prompts": [1], "right_with_attention": None}
    assert found.message.endswith("the mask is not read.")
    assert found.fix.startswith("# batch prompts of equal length")


def test_names_the_attention_implementation_that_reads_it() -> None:
    changes = probes(left=0.5, left_alone=0.5, left_forward_no_mask=0.0, left_other_attention=0.0)
    found = finding(MaskIgnored(), **changes)
    assert found.message.endswith("the mask is not read by sdpa attention; eager attention reads it.")
    assert found.evidence["right_with_attention"] == "eager"
    assert found.fix == 'AutoModelForCausalLM.from_pretrained(..., attn_implementation="eager")'


def test_silent_if_the_mask_makes_any_difference() -> None:
    assert ask(MaskIgnored(), **without_mask(1e-7, left=0.5)) is None


def test_silent_if_left_padding_does_no_harm() -> None:
    assert ask(MaskIgnored(), **without_mask(0.0, left=0.0)) is None


def test_silent_if_the_mask_is_read_in_a_batch_of_one() -> None:
    assert ask(MaskIgnored(), **probes(left=0.5, left_alone=0.0, left_forward_no_mask=0.0)) is None


def test_skipped_if_the_probe_did_not_run() -> None:
    assert isinstance(ask(MaskIgnored(), **without("left_forward_no_mask")), Skipped)
