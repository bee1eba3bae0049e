"""PAD516: The ids come from a tokenizer that is not the model's."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class BatchOfOtherTokenizer(CallerRule):
    """The ids come from a tokenizer that is not the model's.

    Why it matters:
        Every id stands for another token, so the model reads another text. Nothing fails as long as the ids are in
        the embedding table.

    How padcheck knows:
        The tokenizer that made the batch was loaded under another name than the model. Most ids stand for other
        tokens in the model's own tokenizer, which encodes the same text in another way. Both encodings run alone,
        and the model predicts its own better.

    Wrong:
        tokenizer = AutoTokenizer.from_pretrained("bert-base-cased")
        model = AutoModelForCausalLM.from_pretrained("gpt2")

    Right:
        tokenizer = AutoTokenizer.from_pretrained("gpt2")
        model = AutoModelForCausalLM.from_pretrained("gpt2")
    """

    code = "PAD516"
    name = "batch-of-other-tokenizer"
    severity = Severity.ERROR
    message = (
        "The ids come from the tokenizer {tokenizer}, which is not that of the model {model}: the loss of the texts "
        "is {loss:.3g} per token, and {own_loss:.3g} with the model's own ids."
    )
    fix = "load tokenizer and model from the same place"
