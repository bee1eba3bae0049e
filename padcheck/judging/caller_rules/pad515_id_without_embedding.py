"""PAD515: A token id has no row in the embedding table."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class IdWithoutEmbedding(CallerRule):
    """A token id has no row in the embedding table.

    Why it matters:
        The call fails with an index error, on a GPU with a device-side assertion that names another line. Often
        a pad token was added to the tokenizer, and the table was not enlarged.

    How padcheck knows:
        The call of the model failed, and an id of its batch is negative or not below the number of embedding
        rows.

    Wrong:
        tokenizer.add_special_tokens({"pad_token": "<pad>"})

    Right:
        tokenizer.add_special_tokens({"pad_token": "<pad>"})
        model.resize_token_embeddings(len(tokenizer))

    References:
        meta-llama/llama-cookbook#189, haotian-liu/LLaVA#94
    """

    code = "PAD515"
    name = "id-without-embedding"
    severity = Severity.ERROR
    message = "The batch has the id {token_id}, but the embedding table of {model} has {rows} rows."
    fix = "pad with a token that the model knows, or call model.resize_token_embeddings(len(tokenizer))"
