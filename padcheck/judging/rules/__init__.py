"""All rules, in the order of their codes. A new rule is a file in this folder, an import and a line in RULES."""

from padcheck.core.errors import UsageError
from padcheck.judging.rule import Rule
from padcheck.judging.rules.pad101_missing_pad_token import MissingPadToken
from padcheck.judging.rules.pad102_pad_token_is_eos_token import PadTokenIsEosToken
from padcheck.judging.rules.pad103_pad_token_is_special import PadTokenIsSpecial
from padcheck.judging.rules.pad104_pad_token_id_out_of_range import PadTokenIdOutOfRange
from padcheck.judging.rules.pad105_special_token_ids_disagree import SpecialTokenIdsDisagree
from padcheck.judging.rules.pad106_tokenizer_pads_right import TokenizerPadsRight
from padcheck.judging.rules.pad107_padding_side_ignored import PaddingSideIgnored
from padcheck.judging.rules.pad108_padding_side_rejected import PaddingSideRejected
from padcheck.judging.rules.pad109_pad_token_in_text import PadTokenInText
from padcheck.judging.rules.pad110_double_bos import DoubleBos
from padcheck.judging.rules.pad111_padding_saved_in_tokenizer import PaddingSavedInTokenizer
from padcheck.judging.rules.pad112_length_limit import LengthLimit
from padcheck.judging.rules.pad113_embedding_rows_mismatch import EmbeddingRowsMismatch
from padcheck.judging.rules.pad201_left_padding_changes_output import LeftPaddingChangesOutput
from padcheck.judging.rules.pad202_right_padding_continues_from_pad import RightPaddingContinuesFromPad
from padcheck.judging.rules.pad203_attention_mask_required import AttentionMaskRequired
from padcheck.judging.rules.pad204_non_finite_logits import NonFiniteLogits
from padcheck.judging.rules.pad205_depends_on_pad_count import DependsOnPadCount
from padcheck.judging.rules.pad206_depends_on_batch import DependsOnBatch
from padcheck.judging.rules.pad207_known_limit import KnownLimit
from padcheck.judging.rules.pad208_generate_differs_from_forward import GenerateDiffersFromForward
from padcheck.judging.rules.pad209_mode_changes_output import ModeChangesOutput
from padcheck.judging.rules.pad210_mode_breaks_left_padding import ModeBreaksLeftPadding
from padcheck.judging.rules.pad211_mode_not_run import ModeNotRun
from padcheck.judging.rules.pad301_pads_leak import PadsLeak
from padcheck.judging.rules.pad302_positions_count_padding import PositionsCountPadding
from padcheck.judging.rules.pad303_wrong_after_prefill import WrongAfterPrefill
from padcheck.judging.rules.pad304_mask_ignored import MaskIgnored
from padcheck.judging.rules.pad305_slots_anchored import SlotsAnchored
from padcheck.judging.rules.pad401_forward_needs_position_ids import ForwardNeedsPositionIds
from padcheck.judging.rules.pad402_right_padded_scores_differ import RightPaddedScoresDiffer
from padcheck.judging.rules.pad403_labels_lose_eos import LabelsLoseEos
from padcheck.judging.rules.pad404_left_padded_scores_differ import LeftPaddedScoresDiffer
from padcheck.judging.rules.pad405_padded_results_differ import PaddedResultsDiffer
from padcheck.judging.rules.pad406_packed_rows_leak import PackedRowsLeak
from padcheck.judging.rules.pad407_task_needs_position_ids import TaskNeedsPositionIds
from padcheck.judging.rules.pad408_task_reads_pads import TaskReadsPads
from padcheck.judging.rules.pad409_task_depends_on_batch import TaskDependsOnBatch
from padcheck.judging.rules.pad411_head_needs_pad_id import HeadNeedsPadId
from padcheck.judging.rules.pad412_head_reads_wrong_token import HeadReadsWrongToken
from padcheck.judging.rules.pad413_head_skips_eos import HeadSkipsEos
from padcheck.judging.rules.pad414_head_is_random import HeadIsRandom
from padcheck.judging.rules.pad415_embeds_hide_pads import EmbedsHidePads
from padcheck.judging.rules.pad421_naive_pooling_reads_pads import NaivePoolingReadsPads
from padcheck.judging.rules.pad431_choice_flips import ChoiceFlips
from padcheck.judging.rules.pad432_harness_scores_differ import HarnessScoresDiffer
from padcheck.judging.rules.pad433_two_sided_scores_differ import TwoSidedScoresDiffer
from padcheck.judging.rules.pad441_own_loss_differs import OwnLossDiffers
from padcheck.judging.rules.pad442_loss_averages_rows import LossAveragesRows
from padcheck.judging.rules.pad443_gradient_reaches_pads import GradientReachesPads
from padcheck.judging.rules.pad444_labels_shifted import LabelsShifted
from padcheck.judging.rules.pad445_collator_drops_labels import CollatorDropsLabels
from padcheck.judging.rules.pad446_accumulation_averages_batches import AccumulationAveragesBatches
from padcheck.judging.rules.pad447_first_token_labelled import FirstTokenLabelled
from padcheck.judging.rules.pad901_no_padding import NoPadding
from padcheck.judging.rules.pad902_arm_not_run import ArmNotRun
from padcheck.judging.rules.pad903_control_not_seen import ControlNotSeen

__all__ = ["RULES", "Rule", "find_rule"]

RULES: tuple[Rule, ...] = (
    MissingPadToken(),
    PadTokenIsEosToken(),
    PadTokenIsSpecial(),
    PadTokenIdOutOfRange(),
    SpecialTokenIdsDisagree(),
    TokenizerPadsRight(),
    PaddingSideIgnored(),
    PaddingSideRejected(),
    PadTokenInText(),
    DoubleBos(),
    PaddingSavedInTokenizer(),
    LengthLimit(),
    EmbeddingRowsMismatch(),
    LeftPaddingChangesOutput(),
    RightPaddingContinuesFromPad(),
    AttentionMaskRequired(),
    NonFiniteLogits(),
    DependsOnPadCount(),
    DependsOnBatch(),
    KnownLimit(),
    GenerateDiffersFromForward(),
    ModeChangesOutput(),
    ModeBreaksLeftPadding(),
    ModeNotRun(),
    PadsLeak(),
    PositionsCountPadding(),
    WrongAfterPrefill(),
    MaskIgnored(),
    SlotsAnchored(),
    ForwardNeedsPositionIds(),
    RightPaddedScoresDiffer(),
    LabelsLoseEos(),
    LeftPaddedScoresDiffer(),
    PaddedResultsDiffer(),
    PackedRowsLeak(),
    TaskNeedsPositionIds(),
    TaskReadsPads(),
    TaskDependsOnBatch(),
    HeadNeedsPadId(),
    HeadReadsWrongToken(),
    HeadSkipsEos(),
    HeadIsRandom(),
    EmbedsHidePads(),
    NaivePoolingReadsPads(),
    ChoiceFlips(),
    HarnessScoresDiffer(),
    TwoSidedScoresDiffer(),
    OwnLossDiffers(),
    LossAveragesRows(),
    GradientReachesPads(),
    LabelsShifted(),
    CollatorDropsLabels(),
    AccumulationAveragesBatches(),
    FirstTokenLabelled(),
    NoPadding(),
    ArmNotRun(),
    ControlNotSeen(),
)


def find_rule(wanted: str) -> Rule:
    """The rule with this code or name, in upper or lower case.

    Raises:
        UsageError: No rule has it.
    """
    for rule in RULES:
        if wanted.lower() in (rule.code.lower(), rule.name):
            return rule
    raise UsageError(f"There is no code {wanted}.", change="`padcheck rules` lists them.")
