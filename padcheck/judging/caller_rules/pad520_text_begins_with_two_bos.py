"""PAD520: A text begins with two bos tokens."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class TextBeginsWithTwoBos(CallerRule):
    """A text begins with two bos tokens.

    Why it matters:
        A chat template writes bos, and the tokenizer adds another one. The model has rarely seen this.

    How padcheck knows:
        The ids of the text begin with bos twice. The row runs alone with both and with one, and the output
        differs.

    Wrong:
        text = tokenizer.apply_chat_template(chat, tokenize=False)
        batch = tokenizer(text, return_tensors="pt")

    Right:
        batch = tokenizer(text, add_special_tokens=False, return_tensors="pt")

    References:
        vllm-project/vllm#55288, abetlen/llama-cpp-python#1501
    """

    code = "PAD520"
    name = "text-begins-with-two-bos"
    severity = Severity.WARNING
    message = "{rows} texts begin with bos (id {token_id}) twice: with one, the output moves by {max_abs_diff:.2g}."
    fix = "tokenizer(text, add_special_tokens=False) after a chat template"
