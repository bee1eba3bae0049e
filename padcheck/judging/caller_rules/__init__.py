"""The rules about the user's own code, in the order of their codes. `padcheck run` reports them."""

from padcheck.judging.caller_rule import CallerRule
from padcheck.judging.caller_rules.pad501_right_padded_generate import RightPaddedGenerate
from padcheck.judging.caller_rules.pad502_mask_not_passed import MaskNotPassed
from padcheck.judging.caller_rules.pad503_mask_shows_pads import MaskShowsPads
from padcheck.judging.caller_rules.pad504_mask_hides_text import MaskHidesText
from padcheck.judging.caller_rules.pad505_mask_of_other_rows import MaskOfOtherRows
from padcheck.judging.caller_rules.pad506_mask_without_cache import MaskWithoutCache
from padcheck.judging.caller_rules.pad507_positions_not_passed import PositionsNotPassed
from padcheck.judging.caller_rules.pad508_read_from_pad import ReadFromPad
from padcheck.judging.caller_rules.pad509_mean_over_pads import MeanOverPads
from padcheck.judging.caller_rules.pad510_labels_on_pads import LabelsOnPads
from padcheck.judging.caller_rules.pad511_labels_lose_end import LabelsLoseEnd
from padcheck.judging.caller_rules.pad512_mean_of_means import MeanOfMeans
from padcheck.judging.caller_rules.pad513_sliced_by_own_length import SlicedByOwnLength
from padcheck.judging.caller_rules.pad514_pads_in_text import PadsInText
from padcheck.judging.caller_rules.pad515_id_without_embedding import IdWithoutEmbedding
from padcheck.judging.caller_rules.pad516_batch_of_other_tokenizer import BatchOfOtherTokenizer
from padcheck.judging.caller_rules.pad517_pools_by_pad_id import PoolsByPadId
from padcheck.judging.caller_rules.pad518_max_length_counts_pads import MaxLengthCountsPads
from padcheck.judging.caller_rules.pad519_prompt_cut_at_end import PromptCutAtEnd
from padcheck.judging.caller_rules.pad520_text_begins_with_two_bos import TextBeginsWithTwoBos
from padcheck.judging.caller_rules.pad521_side_set_too_late import SideSetTooLate
from padcheck.judging.caller_rules.pad522_side_set_by_library import SideSetByLibrary
from padcheck.judging.caller_rules.pad523_output_depends_on_width import OutputDependsOnWidth
from padcheck.judging.rule import Code
from padcheck.judging.rules import RULES, find_rule

__all__ = ["ALL_CODES", "CALLER_RULES", "CallerRule", "find_code"]

CALLER_RULES: tuple[CallerRule, ...] = (
    RightPaddedGenerate(),
    MaskNotPassed(),
    MaskShowsPads(),
    MaskHidesText(),
    MaskOfOtherRows(),
    MaskWithoutCache(),
    PositionsNotPassed(),
    ReadFromPad(),
    MeanOverPads(),
    LabelsOnPads(),
    LabelsLoseEnd(),
    MeanOfMeans(),
    SlicedByOwnLength(),
    PadsInText(),
    IdWithoutEmbedding(),
    BatchOfOtherTokenizer(),
    PoolsByPadId(),
    MaxLengthCountsPads(),
    PromptCutAtEnd(),
    TextBeginsWithTwoBos(),
    SideSetTooLate(),
    SideSetByLibrary(),
    OutputDependsOnWidth(),
)

ALL_CODES: tuple[Code, ...] = tuple(sorted((*RULES, *CALLER_RULES), key=lambda code: code.code))
"""Every code, in order."""


def find_code(wanted: str) -> Code:
    """The code with this number or name, in upper or lower case.

    Raises:
        UsageError: No code has it.
    """
    own = (rule for rule in CALLER_RULES if wanted.lower() in (rule.code.lower(), rule.name))
    return next(own, None) or find_rule(wanted)
