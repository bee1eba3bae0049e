"""The rules, in the order of their codes. A new rule is a file here and a line below."""

from padcheck.checks.base import Rule
from padcheck.checks.case import Case
from padcheck.checks.pad101_missing_pad_token import MissingPadToken
from padcheck.checks.pad102_pad_token_is_eos_token import PadTokenIsEosToken
from padcheck.checks.pad103_pad_token_is_special import PadTokenIsSpecial
from padcheck.checks.pad104_pad_token_id_out_of_range import PadTokenIdOutOfRange
from padcheck.checks.pad105_special_token_ids_disagree import SpecialTokenIdsDisagree
from padcheck.checks.pad106_tokenizer_pads_right import TokenizerPadsRight
from padcheck.checks.pad107_padding_side_ignored import PaddingSideIgnored
from padcheck.checks.pad108_padding_side_rejected import PaddingSideRejected
from padcheck.checks.pad109_pad_token_in_text import PadTokenInText
from padcheck.checks.pad110_double_bos import DoubleBos
from padcheck.checks.pad111_padding_saved_in_tokenizer import PaddingSavedInTokenizer
from padcheck.checks.pad112_length_limit import LengthLimit
from padcheck.checks.pad113_embedding_rows_mismatch import EmbeddingRowsMismatch
from padcheck.checks.pad201_left_padding_changes_output import LeftPaddingChangesOutput
from padcheck.checks.pad202_right_padding_continues_from_pad import RightPaddingContinuesFromPad
from padcheck.checks.pad203_attention_mask_required import AttentionMaskRequired
from padcheck.checks.pad204_non_finite_logits import NonFiniteLogits
from padcheck.checks.pad205_depends_on_pad_count import DependsOnPadCount
from padcheck.checks.pad206_depends_on_batch import DependsOnBatch
from padcheck.checks.pad207_known_limit import KnownLimit
from padcheck.checks.pad208_generate_differs_from_forward import GenerateDiffersFromForward
from padcheck.checks.pad301_pads_leak import PadsLeak
from padcheck.checks.pad302_positions_count_padding import PositionsCountPadding
from padcheck.checks.pad303_wrong_after_prefill import WrongAfterPrefill
from padcheck.checks.pad304_mask_ignored import MaskIgnored
from padcheck.checks.pad305_slots_anchored import SlotsAnchored
from padcheck.checks.pad401_forward_needs_position_ids import ForwardNeedsPositionIds
from padcheck.checks.pad402_right_padded_scores_differ import RightPaddedScoresDiffer
from padcheck.checks.pad403_labels_lose_eos import LabelsLoseEos
from padcheck.checks.pad404_left_padded_scores_differ import LeftPaddedScoresDiffer
from padcheck.checks.pad901_no_padding import NoPadding
from padcheck.checks.pad902_arm_not_run import ArmNotRun
from padcheck.checks.pad903_control_not_seen import ControlNotSeen
from padcheck.errors import UsageError

__all__ = ["RULES", "Case", "Rule", "find_rule"]

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
    PadsLeak(),
    PositionsCountPadding(),
    WrongAfterPrefill(),
    MaskIgnored(),
    SlotsAnchored(),
    ForwardNeedsPositionIds(),
    RightPaddedScoresDiffer(),
    LabelsLoseEos(),
    LeftPaddedScoresDiffer(),
    NoPadding(),
    ArmNotRun(),
    ControlNotSeen(),
)


def find_rule(wanted: str) -> Rule:
    """The rule of a code or a name, in either case.

    Raises:
        UsageError: There is none.
    """
    for rule in RULES:
        if wanted.lower() in (rule.code.lower(), rule.name):
            return rule
    raise UsageError(f"There is no code {wanted}.", change="`padcheck rules` lists them.")
