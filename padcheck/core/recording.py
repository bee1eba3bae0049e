"""What a program said in one run: the lines that it printed and the results that it gave to padcheck."""

import msgspec

from padcheck.core.facts import Count, Size


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A printed line, or a named result.

    Attributes:
        label: What it is, such as "stdout line 3" or "result scores". Runs are compared by it.
        text: The text; numbers as Python writes them.
        file: The file of the code that said it; empty if that is unknown.
        line: The line of that code, counted from 1; 0 if it is unknown.
    """

    label: str
    text: str
    file: str = ""
    line: Count = 0


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a program.

    Attributes:
        exit_code: Its exit code.
        said: What it said, in order.
        widened: How many batches left a tokenizer wider than asked for.
        error: The last line that it wrote to stderr, if it failed.
        random: A hash of the state of torch's random numbers at its end; empty without torch.
    """

    exit_code: int
    said: tuple[Said, ...]
    widened: Count = 0
    error: str = ""
    random: str = ""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a program says differently if its batches are wider.

    Attributes:
        said: The line or result that contains it, in the run without further columns.
        column: Where the value begins in that text, counted from 1.
        plain: The value.
        widened: The same value with wider batches.
    """

    said: Said
    column: Count
    plain: str
    widened: str


class Widened(msgspec.Struct, frozen=True, kw_only=True):
    """What a program says with wider batches, compared to what it says otherwise.

    Attributes:
        columns: How many pad columns each padded batch got.
        batches: How many batches were wider.
        values: How many numbers and words agree in two unchanged runs, and were compared.
        unsteady: How many differ between two unchanged runs, and were not compared.
        differences: The values that differ with wider batches.
        failed: Why nothing was compared; empty if something was.
    """

    columns: Size
    batches: Count = 0
    values: Count = 0
    unsteady: Count = 0
    differences: tuple[Difference, ...] = ()
    failed: str = ""
