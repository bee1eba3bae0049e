"""PAD512: A mean of means of unequal numbers of tokens."""

from padcheck.core.severity import Severity
from padcheck.judging.caller_rule import CallerRule


class MeanOfMeans(CallerRule):
    """A mean of means of unequal numbers of tokens.

    Why it matters:
        A token counts more if its row or micro-batch has fewer tokens. The result depends on how the texts are
        grouped, and differs from the loss of all of them in one batch.

    How padcheck knows:
        It counts the labels of each loss that a model returns, and the divisors of the means of rows. It follows
        these losses to a number that is used, or to the step of an optimizer. All have the same weight there,
        although they are means of unequal numbers of tokens, and the mean over all tokens differs by more than
        rounding.

    Wrong:
        losses = [model(**batch).loss for batch in batches]
        loss = torch.stack(losses).mean()

    Right:
        labels = [batch["labels"][:, 1:] for batch in batches]
        counts = torch.tensor([(each != -100).sum() for each in labels])
        losses = torch.stack([model(**batch).loss for batch in batches])
        loss = (losses * counts).sum() / counts.sum()

    References:
        huggingface/transformers#34191, huggingface/transformers#24725
    """

    code = "PAD512"
    name = "mean-of-means"
    severity = Severity.WARNING
    message = (
        "{parts} means of {fewest} to {most} tokens count the same: the loss is {mean_of_means:.5g}, and "
        "{mean_of_tokens:.5g} as the mean of all tokens."
    )
    fix = "weight each mean by its number of tokens, or divide one sum by all tokens"
