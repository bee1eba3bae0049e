"""PAD106: The tokenizer pads on the right by default, and the model is decoder-only."""

from padcheck.core.severity import Severity
from padcheck.core.use_case import UseCase
from padcheck.core.verdicts import Finding
from padcheck.judging.case import Case
from padcheck.judging.rule import Rule


class TokenizerPadsRight(Rule):
    """The tokenizer pads on the right by default, and the model is decoder-only.

    Why it matters:
        generate() continues from the last column of the batch. With right padding that column is a pad in every row but
        the longest, and those rows continue from a pad: gibberish, an empty answer, a repetition. For training and
        scoring, right is the correct side.

    How padcheck knows:
        `tokenizer.padding_side` is "right". The finding says whether that is the default of the class or comes from
        tokenizer_config.json.

    Fix:
        Ask for the left side when generating. Setting it after tokenizing changes nothing.

    References:
        huggingface/transformers#18388, huggingface/transformers#34658
    """

    code = "PAD106"
    name = "tokenizer-pads-right"
    severity = Severity.WARNING
    tasks = ("generate",)

    def concerns(self, use: UseCase) -> bool:
        """False if the caller asks for a side: then the default is never used."""
        return super().concerns(use) and use.padding_side is None

    def decide(self, case: Case) -> Finding | None:
        """Fires if the default side is right."""
        tokenizer = case.evidence.tokenizer
        if tokenizer.padding_side != "right":
            return None
        return self.found(
            f"The tokenizer pads on the right by default ({tokenizer.padding_side_source}); a decoder-only model "
            "continues from the last column.",
            fix='tokenizer.padding_side = "left"  # before the prompts are tokenized',
            padding_side=tokenizer.padding_side,
            source=tokenizer.padding_side_source,
        )
