"""The Python API: measures and judges a model in memory, like the command `padcheck compare`.

    >>> import padcheck
    >>> from padcheck.demo import MODEL_FOLDER
    >>> from transformers import AutoModelForCausalLM, AutoTokenizer
    >>> model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)
    >>> tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER)
    >>> report = padcheck.compare(model, tokenizer, ["Monday Tuesday", "January February March"])
    >>> report.status
    'pass'
    >>> report.assert_ok()

A warning makes nothing fail, unless `fail_on` says so:

    >>> "PAD202" in {finding.code for finding in report.findings}
    True
    >>> report.assert_ok(fail_on="warning")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: FAIL by --fail-on warning: left padding changes nothing...
    ...

In a notebook, a report at the end of a cell shows itself. `report.save("report.html")` writes the whole page.
"""

from padcheck.api.functions import compare, inspect_tokenizer
from padcheck.api.report import Report
from padcheck.api.watching import watch

__all__ = ["Report", "compare", "inspect_tokenizer", "watch"]
