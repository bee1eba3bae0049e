"""What every reporter says, in the same words: plain strings, no layout."""

from typing import NamedTuple

from padcheck.core.evidence import Evidence, PadCountSweep, Row
from padcheck.core.facts import PaddingSide, TokenIds
from padcheck.core.report import Comparison, Report, Verdict
from padcheck.core.run_plans import SINGLE, USER_RUNS
from padcheck.core.use_case import UseCase
from padcheck.reporters.text.visible import visible, visible_token

PAD = "⟨pad⟩"
NEW = "▸"
UNLIKE_FORMULA = "!"


class Output(NamedTuple):
    """One prompt in one arm, as a line: pads, prompt, new tokens, and how it compares."""

    arm: str
    row: Row
    outcome: str


def header(report: Report) -> list[tuple[str, str]]:
    """Model, run and versions."""
    model, versions = report.evidence.model, report.evidence.environment
    name = [visible(model.id)]
    if model.revision:
        name.append(f"revision {visible(model.revision[:12])}")
    what = [visible(f"{model.architecture} ({model.model_type})")]
    if model.num_parameters is not None:
        what.append(f"{_count(model.num_parameters)} parameters")
    if model.weights is not None:
        what.append(f"{model.weights} weights")
    lines = [("model", ", ".join(name)), ("architecture", ", ".join(what))]
    more = {"adapter of": model.adapter_of, "GGUF file": model.gguf_file, "quantization": model.quantization}
    lines += [(name, visible(value)) for name, value in more.items() if value is not None]
    limit = f", {model.max_position_embeddings} positions" if model.max_position_embeddings else ""
    lines.append(("position encoding", model.position_encoding + limit))
    if model.dtype is not None:
        device = str(model.device)
        if model.ranks > 1:
            device = f"{device.partition(':')[0]} × {model.ranks} ranks (tensor parallel)"
        run = visible(f"{model.dtype} on {device}, attention {model.attn_implementation or 'of its own'}")
        lines.append(("run", f"{run}, {_decoding(report.evidence)}{_batches(report.evidence)}"))
    if report.judgement.use != UseCase():
        lines.append(("judged for", str(report.judgement.use)))
    libraries = f"transformers {versions.transformers}, tokenizers {versions.tokenizers}, torch {versions.torch}"
    lines.append(("versions", f"padcheck {versions.padcheck}, {libraries}, Python {versions.python}"))
    if does := behaviour(report.library_behaviour):
        lines.append(("this transformers", does))
    return lines


def _batches(evidence: Evidence) -> str:
    """How many prompts were padded together, where that was left to padcheck."""
    if evidence.settings.get("batch_size") != "auto" or evidence.batch_size is None:
        return ""
    too_large = ", ".join(map(str, evidence.batch_sizes_too_large))
    return f", batches of {evidence.batch_size}" + (f" (memory ran out with {too_large})" if too_large else "")


def behaviour(seen: dict[str, str]) -> str:
    """What this transformers does where its versions differ, as far as it was seen."""
    told = []
    if (pads := seen.get("pad_position_ids")) is not None:
        told.append(f"gives pads the position {visible(pads)}")
    if (counted := seen.get("new_position_ids")) is not None:
        told.append(f"counts the new tokens of a right-padded row from its {visible(counted)}")
    for key, what in (("warns_of_right_padding", "right padding"), ("warns_of_missing_mask", "a missing mask")):
        if key in seen:
            told.append(f"warns of {what}" if seen[key] == "yes" else f"does not warn of {what}")
    return ", ".join(told)


def special_tokens(evidence: Evidence) -> list[tuple[str, str, str, str]]:
    """pad, bos and eos in tokenizer, config and generation_config."""
    ids, tokenizer = evidence.special_token_ids, evidence.tokenizer
    texts = {"pad": tokenizer.pad_token, "bos": tokenizer.bos_token, "eos": tokenizer.eos_token}
    rows = []
    for kind, text in texts.items():
        own = _ids(ids.tokenizer, kind)
        named = own if text is None else f"{own} {visible_token(text)}"
        rows.append((kind, named, _ids(ids.config, kind), _ids(ids.generation_config, kind)))
    return rows


def tokenizer_settings(evidence: Evidence) -> list[tuple[str, str]]:
    """The tokenizer's other settings, and what this run made of them."""
    tokenizer, model = evidence.tokenizer, evidence.model
    unk = "None" if tokenizer.unk_token is None else f"{tokenizer.unk_token_id} {visible_token(tokenizer.unk_token)}"
    rows = model.embedding_rows if model.embedding_rows is not None else "unknown"
    suggestion = tokenizer.pad_token_suggestion
    lines = [
        ("tokenizer", f"{visible(tokenizer.class_name)} ({'fast' if tokenizer.is_fast else 'slow'})"),
        ("padding side", f"{tokenizer.padding_side} ({tokenizer.padding_side_source})"),
        ("truncation side", f"{tokenizer.truncation_side} ({tokenizer.truncation_side_source})"),
        ("model_max_length", "none" if tokenizer.model_max_length is None else str(tokenizer.model_max_length)),
        ("vocabulary", f"{tokenizer.vocab_size} tokens, {rows} embedding rows"),
        ("unk token", unk),
        ("chat template", "none" if tokenizer.chat_template is None else "present"),
        ("pad token used", pad_token_used(evidence)),
    ]
    if suggestion is not None and suggestion.token_id != tokenizer.pad_token_used_id:
        token = f"{visible_token(suggestion.token)} ({suggestion.token_id})"
        lines.append(("better pad token", f"{token}: {visible(suggestion.reason)}"))
    return lines


def pad_token_used(evidence: Evidence) -> str:
    """Which pad token, and why that one."""
    tokenizer = evidence.tokenizer
    token = f"{visible_token(tokenizer.pad_token_used)} ({tokenizer.pad_token_used_id})"
    return f"{token}: {visible(tokenizer.pad_token_used_reason)}"


def settings_text(settings: dict[str, object]) -> str:
    """`key=value, key=value`."""
    return ", ".join(visible(f"{key}={value!r}") for key, value in settings.items())


def outputs(report: Report, prompt_index: int) -> list[Output]:
    """A prompt in each arm that ran it."""
    return [
        Output(name, row, outcome(report, name, row))
        for name, arm in report.evidence.runs.items()
        for row in arm.rows
        if name in USER_RUNS and row.prompt_index == prompt_index
    ]


def columns(found: list[Output]) -> list[tuple[str, Row]]:
    """The rows whose columns are worth showing: arms that agree in every column share one, and its title names them."""
    distinct: dict[tuple[object, ...], list[Output]] = {}
    for output in found:
        row = output.row
        shown = (row.input_ids, row.attention_mask, row.position_ids, row.positions_used)
        distinct.setdefault(shown, []).append(output)
    return [(", ".join(output.arm for output in same), same[0].row) for same in distinct.values()]


def warnings(evidence: Evidence) -> list[tuple[str, str]]:
    """What the libraries said, each with the arm that made them say it."""
    said = {"loading": evidence.load_warnings} | {name: arm.warnings for name, arm in evidence.runs.items()}
    return [(name, visible(message)) for name, messages in said.items() for message in messages]


def outcome(report: Report, arm: str, row: Row) -> str:
    """How a row compares with the same prompt alone: in its tokens, and in its logits if those agree."""
    if arm == SINGLE:
        return "the reference" if row.stand_in is None else f"the reference, by {visible(row.stand_in)}"
    for comparison in report.comparisons[arm].rows:
        if comparison.prompt_index == row.prompt_index:
            step = comparison.first_different_token
            same = "same tokens" if step is None else f"differs from token {step} on"
            if step is None and comparison.verdict in (Verdict.DIFFERENT, Verdict.NON_FINITE):
                return f"{same}, but {comparison.reason}"
            return f"{same} (rounding)" if step is not None and comparison.verdict is Verdict.EQUIVALENT else same
    return "not compared"


def verdicts(report: Report) -> list[tuple[str, str, str]]:
    """arm, verdict and reason of the sides: how far apart the distributions are, and which tokens compete."""
    return [
        (name, _verdict(comparison), visible(comparison.reason) + _details(comparison, sampled=report.evidence.sampled))
        for name, comparison in report.comparisons.items()
        if name in (*USER_RUNS, report.judgement.use.run)
    ]


def probes(report: Report) -> list[tuple[str, str, str]]:
    """What is different about a probe, its verdict, and how far it is from the arm that it is compared with."""
    model_dtype = str(report.evidence.model.dtype)
    in_float32 = _probes_run_in_float32(report)
    found = []
    for name, comparison in report.comparisons.items():
        if name not in USER_RUNS:
            arm = report.evidence.runs[name]
            far = "-" if comparison.max_abs_diff is None else f"{comparison.max_abs_diff:.2g}"
            where = f" (in {visible(model_dtype)})" if in_float32 and arm.dtype is None else ""
            found.append((arm.description + where, _verdict(comparison), f"{far} from {comparison.reference}"))
    return found


def probes_title(report: Report) -> str:
    """The heading of the probes: a 16-bit model is probed in float32 if that is possible."""
    return "Probes, in float32" if _probes_run_in_float32(report) else "Probes"


def _probes_run_in_float32(report: Report) -> bool:
    arm = report.evidence.runs.get("forward")
    return arm is not None and arm.dtype is not None


def _details(comparison: Comparison, *, sampled: bool) -> str:
    """KL, and the first token that parts: of the row that the reason speaks of, where it has one."""
    kl = f"; KL {comparison.max_kl:.2g}" if comparison.max_kl and comparison.verdict is Verdict.DIFFERENT else ""
    flips = {row.prompt_index: row.flip for row in comparison.rows if row.flip is not None}
    if not flips:
        return kl
    worst = next((row.prompt_index for row in comparison.rows if row.max_abs_diff == comparison.max_abs_diff), None)
    index = worst if worst in flips else min(flips, key=lambda index: (flips[index].step, index))
    flip = flips[index]
    where = f"token {flip.step}" if index == worst else f"prompt {index}, token {flip.step}"
    # Sampled, the noise of the draw decides as well, and logits alone say nothing of the choice.
    margins = (None, None) if sampled else (flip.reference_margin, flip.margin)
    alone = f"{visible_token(flip.reference_token)}{_by(margins[0])}"
    here = f"{visible_token(flip.token)}{_by(margins[1])}"
    return f"{kl}; {where}: alone {alone}, here {here}"


def _by(margin: float | None) -> str:
    return "" if margin is None else f" by {margin:.2g}"


def _verdict(comparison: Comparison) -> str:
    return comparison.verdict.value.replace("_", " ")


def skipped_rules(report: Report) -> str:
    """The rules that could not be decided, and why."""
    return "; ".join(f"{skipped.code}: {visible(skipped.reason)}" for skipped in report.skipped)


def sample_title(side: PaddingSide) -> str:
    """The heading of a batch that the tokenizer padded."""
    return f"padded on the {side}"


def noise_floor(report: Report) -> list[tuple[str, str]]:
    """How far rounding alone moves the logits, how that was found out, and what is allowed for it."""
    floor, left = report.noise_floor, report.comparisons.get("left")
    if floor is None:
        return []
    least = f"{f'{floor.atol:g} + ' if floor.atol else ''}{floor.rtol:.2g} × largest logit ({floor.source})"
    lines = []
    if floor.measured is not None:
        lines.append(("measured", f"logits move by up to {floor.measured:.2g} in {visible(floor.dtype)}"))
        for way in floor.ways:
            if way.max_abs_diff is not None:
                beyond = "" if way.counted else " (more than rounding: not counted)"
                lines.append(("", f"{way.max_abs_diff:.2g} by {visible(way.description)}{beyond}"))
            elif way.error is not None:
                lines.append(("", f"not by {visible(way.description)}: {visible(way.error)}"))
    if floor.measured_in_float32 is not None:
        lines.append(("", f"in float32 by up to {floor.measured_in_float32:.2g}, by random rounding errors there"))
    truth = report.evidence.runs.get("left_float32")
    if truth is not None and truth.error is not None:
        lines.append(("", f"not in float32: {visible(truth.error)}"))
    allowed = f"{floor.factor:g} × that, or {least} where that is more" if floor.method == "measured" else least
    lines.append(("allowed", allowed))
    if left is not None and left.allowed is not None:
        largest = "NaN" if left.max_abs_diff is None else f"{left.max_abs_diff:.2g}"
        lines.append(("left", f"largest difference {largest}, rounding explains up to {left.allowed:.2g}"))
    if (test := report.precision_test) is not None:
        said = (
            f"{test.ratio:.3g} times as far from float32 as the prompts alone, at least {test.at_least:.3g} times with "
        )
        said += f"{100 * test.confidence:g} % confidence ({test.steps} steps); up to {test.harmless:g} is rounding"
        lines.append(("left, all steps", said))
    return lines


def advice(report: Report) -> list[tuple[str, str]]:
    """Task and line."""
    return [(advice.task, advice.line) for advice in report.advice]


def other_probes(report: Report) -> str:
    """How many numbers of pads were tried, which prompts alone did not run, and which expensive probes."""
    evidence = report.evidence
    said = [_pads(evidence.screen, "pieces of prompt {} also ran"), _pads(evidence.sweep, "prompt {} also ran")]
    if SINGLE in evidence.runs and (stand_in := evidence.runs[SINGLE].stand_in) is not None:
        prompts = [str(row.prompt_index) for row in evidence.runs[SINGLE].rows if row.stand_in is not None]
        said.append(f"alone, {visible(stand_in)} stands in for generate() of prompts {', '.join(prompts)}")
    if evidence.left_out:
        left_out = [*evidence.left_out, *(["more numbers of pads"] if evidence.sweep is None else [])]
        said.append(f"expensive, and not run since the others agree (--thorough runs them): {', '.join(left_out)}")
    return "; ".join(filter(None, said))


def _pads(sweep: PadCountSweep | None, what: str) -> str:
    if sweep is None:
        return ""
    numbers = sorted(count.num_pad_tokens for count in sweep.counts)
    several = "s" if len(numbers) > 1 else ""
    behind = f" behind {len(numbers)} number{several} of pads, {numbers[0]} to {numbers[-1]}" if numbers else ""
    raised = f", then raised {visible(sweep.error)}" if sweep.error else ""
    return what.format(sweep.prompt_index) + behind + raised


def _decoding(evidence: Evidence) -> str:
    how = "sampled, the arms sharing their randomness" if evidence.sampled else "greedy"
    return f"{evidence.max_new_tokens} new tokens, {how}"


def _ids(ids: TokenIds, kind: str) -> str:
    value = getattr(ids, kind)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _count(number: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if number >= 0.9995 * size:  # 999 999 is 1M, not 1e+03K
            return f"{number / size:.3g}{unit}"
    return str(number)
