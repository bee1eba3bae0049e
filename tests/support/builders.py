"""Builders of evidence for tests. By default no rule fires, so a test changes only what it is about."""

from collections.abc import Mapping

from msgspec.structs import replace

from padcheck.core.evidence import Evidence, NoiseProbe, PadCount, PadCountSweep, PrecisionStep
from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import Environment, ModelFacts, PaddingSide, SpecialTokenIds, TokenIds, TokenizerFacts
from padcheck.core.modes import ModeName
from padcheck.core.padding import pad_ids, position_ids_from_mask
from padcheck.core.report import STATUS, Check, Command, Reason, Report, Unmeasured, UnmeasuredModel
from padcheck.core.run_plans import IN_FLOAT32, SINGLE, USER_RUNS
from padcheck.core.run_plans import MODES as RUNS_OF_MODES
from padcheck.core.run_results import Row, RowDifference, RunResult, Sample, StepDifference, TokenFlip
from padcheck.core.settings import JudgeSettings
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.compare import open_case
from padcheck.judging.judge import judge
from padcheck.judging.rules import Rule

PAD, BOS, EOS, UNK = 0, 1, 2, 3
VOCAB_SIZE = 100
LONG, SHORT = (10, 11, 12), (10,)
"""The ids of the two prompts. In a batch the second one gets two pads."""
NEW = (20, 21)

HOSTILE = "a|b `c` ```\n<b>[bold]*_\\[/]\x1b[31m\x07\r\u202e\u200b]]>&amp;\"' 日本"


def tokenizer_facts(**changes: object) -> TokenizerFacts:
    facts = TokenizerFacts(
        class_name="SomeTokenizer",
        is_fast=True,
        padding_side="left",
        padding_side_source="class default",
        truncation_side="right",
        truncation_side_source="class default",
        pad_token="<pad>",
        pad_token_id=PAD,
        bos_token="<s>",
        bos_token_id=BOS,
        eos_token="</s>",
        eos_token_id=EOS,
        unk_token="<unk>",
        unk_token_id=UNK,
        vocab_size=VOCAB_SIZE,
        max_token_id=VOCAB_SIZE - 1,
        model_max_length=None,
        pad_token_used="<pad>",
        pad_token_used_id=PAD,
        pad_token_used_reason="the tokenizer's own",
    )
    return replace(facts, **changes)


def model_facts(**changes: object) -> ModelFacts:
    facts = ModelFacts(
        id="some/model",
        revision="0123456789abcdef",
        model_type="some",
        architecture="SomeForCausalLM",
        position_encoding="rotary",
        max_position_embeddings=64,
        embedding_rows=VOCAB_SIZE,
        num_parameters=1_230_000,
        dtype="float32",
        device="cpu",
        attn_implementation="sdpa",
        weights="pretrained",
    )
    return replace(facts, **changes)


def token_ids(**changes: object) -> TokenIds:
    return replace(TokenIds(pad=PAD, bos=BOS, eos=(EOS,)), **changes)


def special_token_ids(**changes: TokenIds) -> SpecialTokenIds:
    ids = SpecialTokenIds(tokenizer=token_ids(), config=token_ids(), generation_config=token_ids())
    return replace(ids, **changes)


def row(
    prompt_index: int = 0,
    *,
    prompt: tuple[int, ...] = LONG,
    num_pads: int = 0,
    side: PaddingSide = "left",
    new: tuple[int, ...] = NEW,
    **changes: object,
) -> Row:
    padded = pad_ids(prompt, len(prompt) + num_pads, PAD, side)
    input_ids, attention_mask = padded.input_ids + new, padded.attention_mask + (1,) * len(new)
    position_ids = position_ids_from_mask(attention_mask)
    built = Row(
        prompt_index=prompt_index,
        num_pad_tokens=num_pads,
        tokens=tuple("<pad>" if token_id == PAD else f" t{token_id}" for token_id in input_ids),
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=(*position_ids[:-1], None) if new else (None,) * len(input_ids),
        position_ids_from_mask=position_ids,
        generated_ids=new,
        text=" ".join(map(str, input_ids)),
        prompt_text=" ".join(map(str, prompt)),
        generated_text=" ".join(map(str, new)),
        new_text=" ".join(map(str, new)),
    )
    return replace(built, **changes)


def batch(side: PaddingSide | None, new: tuple[int, ...] = NEW) -> tuple[Row, ...]:
    num_pads = len(LONG) - len(SHORT) if side else 0
    return row(0, new=new), row(1, prompt=SHORT, num_pads=num_pads, side=side or "left", new=new)


def run_result(side: PaddingSide | None, **changes: object) -> RunResult:
    reference = SINGLE if side else None
    return replace(RunResult(reference=reference, padding_side=side, rows=batch(side)), **changes)


PROBES: dict[str, tuple[str, PaddingSide | None]] = {
    "replayed": ("single", None),
    "left_alone": ("single", "left"),
    "batched": ("single", None),
    "scrambled": ("left", "left"),
    "left_no_mask": ("left", "left"),
    "forward": ("single", None),
    "left_forward": ("forward", "left"),
    "left_forward_positions": ("forward", "left"),
    "left_forward_no_mask": ("left_forward", "left"),
    "right_forward": ("forward", "right"),
    "right_forward_no_mask": ("right_forward", "right"),
    "right_continued": ("replayed", "right"),
    "broken_mask": ("left_forward", "left"),
    "forward_again": ("forward", None),
}
"""The probes that always run, each with its reference and its padding side."""

EXPENSIVE: dict[str, tuple[str, PaddingSide | None]] = {
    "few_copies": ("single", None),
    "uncached": ("single", None),
    "left_uncached": ("uncached", "left"),
    "left_other_attention": ("single", "left"),
    "other_positions": ("left_forward", "left"),
    "shifted": ("left", "left"),
}
"""The expensive probes, which run only when a batch is in doubt."""

FOR_TRAINING: dict[str, tuple[str, PaddingSide | None]] = {"packed": ("forward", None)}
"""The probes that run only if the task is training."""
MODES: dict[str, tuple[str, PaddingSide | None]] = {
    "static_cache": ("single", None),
    "left_static_cache": ("static_cache", "left"),
    "second_turn": ("single", None),
    "left_second_turn": ("second_turn", "left"),
    "chunked_prefill": ("single", None),
    "left_chunked_prefill": ("chunked_prefill", "left"),
    "inputs_embeds": ("single", None),
    "left_inputs_embeds": ("inputs_embeds", "left"),
    "assisted": ("single", None),
    "left_assisted": ("assisted", "left"),
}
"""The runs of the modes, which run only if they were asked for. Those of no-cache are expensive probes too."""

HALF_ONLY: dict[str, tuple[str | None, PaddingSide | None]] = {
    "left_float32": ("single", "left"),
    "single_float32": (None, None),
    "replayed_float32": ("single", None),
}
"""The runs that exist only if the model is in 16 bit."""

AS_RUN = (*USER_RUNS, "replayed")
"""The runs in the model's own dtype. If that is 16 bit, the others run in float32."""

CONTROLS = ("left_forward_no_mask", "broken_mask")
"""The runs that differ in the padded rows of a healthy model."""

_WITHOUT_PADS = {
    "shifted",
    *(name for name, (_, side) in (PROBES | EXPENSIVE | FOR_TRAINING | MODES).items() if side is None),
}


def runs(**changes: RunResult) -> dict[str, RunResult]:
    generated = {"single": run_result(None), "left": run_result("left"), "right": run_result("right")}
    return generated | {name: _probe(name) for name in PROBES | FOR_TRAINING} | changes


def _probe(name: str) -> RunResult:
    reference, side = (PROBES | EXPENSIVE | FOR_TRAINING | MODES | HALF_ONLY)[name]
    built = run_result(side, description=name, reference=reference)
    return replace(built, rows=batch(None)) if name in _WITHOUT_PADS else built


def gave(**changes: tuple[RowDifference, ...]) -> dict[str, object]:
    """Evidence with these differences of these runs, expensive runs included."""
    more = {name: _probe(name) for name in changes if name in EXPENSIVE}
    left_out = tuple(name for name in EXPENSIVE if name not in more)
    return {"runs": runs(**more), "differences": differences(**changes), "left_out": left_out}


def in_modes(*names: ModeName, **changes: tuple[RowDifference, ...]) -> dict[str, object]:
    """Evidence in which these modes ran, with these differences of their runs. By default they change nothing."""
    names_of_runs = [run for name in names for run in RUNS_OF_MODES[name][1:]]
    ran = {run: _probe(run) for run in names_of_runs}
    same = {run: rows_of(run, 0.0, 0.0) for run in names_of_runs}
    return {"modes": names, "runs": runs(**ran), "differences": differences(**{**same, **changes})}


def rows_of(name: str, *max_abs_diffs: float | None, count: int = 2) -> tuple[RowDifference, ...]:
    """The differences of a run that changes nothing in the first of `count` prompts, and this much in the others."""
    num_pads = 0 if name in _WITHOUT_PADS else len(LONG) - len(SHORT)
    others = (difference(*max_abs_diffs, prompt_index=index, num_pads=num_pads) for index in range(1, count))
    return unpadded_difference(*(0.0 for _ in max_abs_diffs)), *others


def probes(**max_abs_diffs: float | None) -> dict[str, object]:
    """Evidence in which the second row of each of these runs differs this much from its reference, after one step."""
    return gave(**{name: rows_of(name, diff) for name, diff in max_abs_diffs.items()})


def in_half(
    dtype: str = "bfloat16", *, left_float32: float | None = 0.0, **max_abs_diffs: float | None
) -> dict[str, object]:
    """Like `probes`, for a model in 16 bit that was probed in float32. By default no rule fires here either."""
    changes = probes(**max_abs_diffs)
    changes["model"] = model_facts(dtype=dtype)
    ran = {name: _in_float32(name, result) for name, result in changes["runs"].items()}
    changes["runs"] = ran | {name: _in_float32(name, _probe(name)) for name in HALF_ONLY}
    in_float32 = rows_of("left_float32", left_float32)
    changes["differences"] |= {"left_float32": in_float32}
    if "left_alone" not in max_abs_diffs:
        changes["differences"]["left_alone"] = in_float32
    return changes


def _in_float32(name: str, ran: RunResult) -> RunResult:
    if name in AS_RUN:
        return ran
    reference = None if ran.reference is None else IN_FLOAT32.get(ran.reference, ran.reference)
    return replace(ran, dtype="float32", reference=reference)


def precision(*ratios: float, prompt_index: int = 1, num_pads: int = 2) -> tuple[PrecisionStep, ...]:
    """Steps of one prompt. At each step the padded row is this many times as far from float32 as the prompt alone."""
    return tuple(
        PrecisionStep(prompt_index=prompt_index, num_pad_tokens=num_pads, step=step, left=0.01 * ratio, alone=0.01)
        for step, ratio in enumerate(ratios)
    )


def sweep(
    max_abs_diffs: Mapping[int, float | None], *, sizes: Mapping[str, int] | None = None, error: str | None = None
) -> PadCountSweep:
    """The longest prompt after each of these numbers of pads, and how much it differs after each."""
    counts = tuple(
        PadCount(num_pad_tokens=number, step=difference(diff).steps[0]) for number, diff in max_abs_diffs.items()
    )
    return PadCountSweep(prompt_index=0, sizes=dict(sizes or {}), counts=counts, error=error)


def noise(**ways: float | str | None) -> dict[str, NoiseProbe]:
    """How far rounding moved the logits in each of these ways. A text is the reason why a way did not run."""
    return {
        name: NoiseProbe(description=name, error=way)
        if isinstance(way, str)
        else NoiseProbe(description=name, differences=(unpadded_difference(0.0, way),))
        for name, way in ways.items()
    }


def without(*names: str) -> dict[str, object]:
    """Evidence in which these runs did not run."""
    return {"runs": {name: ran for name, ran in runs().items() if name not in names}}


def raised(side: PaddingSide | None, error: str = "ValueError: no") -> RunResult:
    return RunResult(reference=SINGLE if side else None, padding_side=side, error=error)


def difference(
    *max_abs_diffs: float | None,
    prompt_index: int = 1,
    num_pads: int = 2,
    logit_scale: float = 10.0,
    flip: TokenFlip | None = None,
) -> RowDifference:
    """A row's difference with one step for each of `max_abs_diffs`; None stands for NaN."""
    steps = tuple(
        StepDifference(
            max_abs_diff=diff,
            kl=None if diff is None else diff / 100,
            logit_scale=logit_scale,
            non_finite=int(diff is None),
        )
        for diff in max_abs_diffs
    )
    return RowDifference(prompt_index=prompt_index, num_pad_tokens=num_pads, steps=steps, flip=flip)


def unpadded_difference(*max_abs_diffs: float | None) -> RowDifference:
    return difference(*max_abs_diffs, prompt_index=0, num_pads=0)


def flip(step: int, **changes: object) -> TokenFlip:
    flipped = TokenFlip(
        step=step,
        reference_token_id=20,
        reference_token=" t20",
        token_id=30,
        token=" t30",
        reference_margin=1e-6,
        margin=2e-6,
    )
    return replace(flipped, **changes)


def differences(*, count: int = 2, **changes: tuple[RowDifference, ...]) -> dict[str, tuple[RowDifference, ...]]:
    """The differences of all runs. By default a row that is wrong in the left-padded batch is so in a batch of one."""
    changes = {"left_alone": changes["left"], **changes} if "left" in changes else changes
    generated = {side: rows_of(side, 0.0, 0.0, count=count) for side in ("left", "right")}
    probed = {name: rows_of(name, 0.5 * (name in CONTROLS), count=count) for name in PROBES | FOR_TRAINING}
    return generated | probed | changes


def samples(**changes: Sample) -> dict[PaddingSide, Sample]:
    return {side: Sample(rows=batch(side, new=())) for side in ("left", "right")} | changes


def evidence(**changes: object) -> Evidence:
    measured = Evidence(
        model=model_facts(),
        environment=Environment(
            padcheck="0.0", python="3.10", torch="2.4", transformers="4.48", tokenizers="0.21", platform="Linux"
        ),
        tokenizer=tokenizer_facts(),
        special_token_ids=special_token_ids(),
        generation_config={},
        prompts=("three token prompt", "one "),
        num_prompt_tokens=(len(LONG), len(SHORT)),
        num_pad_tokens_in_prompts=0,
        max_new_tokens=len(NEW),
        labels_keep_eos=True,
        samples=samples(),
        runs=runs(),
        differences=differences(),
        left_out=tuple(EXPENSIVE),
    )
    return replace(measured, **changes)


def tokenizer_evidence(**changes: object) -> Evidence:
    model = model_facts(num_parameters=None, dtype=None, device=None, attn_implementation=None, weights=None)
    return evidence(**{"model": model, "runs": {}, "differences": {}, "left_out": ()} | changes)


def no_padding() -> dict[str, object]:
    """Changes for evidence in which both prompts have the same number of tokens."""
    rows = (row(0), row(1))
    same = tuple(difference(0.0, 0.0, prompt_index=index, num_pads=0) for index in (0, 1))
    return {
        "num_prompt_tokens": (len(LONG), len(LONG)),
        "samples": samples(
            left=Sample(rows=(row(0, new=()), row(1, new=()))), right=Sample(rows=(row(0, new=()), row(1, new=())))
        ),
        "runs": {name: replace(ran, rows=rows) for name, ran in runs().items()},
        "differences": dict.fromkeys(differences(), same),
    }


def many_prompts(count: int) -> dict[str, object]:
    """Changes for evidence with `count` prompts; all except the first are padded."""

    def rows(side: PaddingSide | None, **changes: object) -> tuple[Row, ...]:
        padded = (
            row(index, prompt=SHORT, num_pads=2 * bool(side), side=side or "left", **changes)
            for index in range(1, count)
        )
        return (row(0, **changes), *padded)

    return {
        "prompts": tuple(f"prompt number {index}" for index in range(count)),
        "num_prompt_tokens": (len(LONG), *(len(SHORT) for _ in range(1, count))),
        "samples": samples(left=Sample(rows=rows("left", new=())), right=Sample(rows=rows("right", new=()))),
        "runs": {name: replace(ran, rows=rows(ran.padding_side)) for name, ran in runs().items()},
        "differences": differences(count=count),
    }


def report(command: Command = "compare", settings: JudgeSettings | None = None, **changes: object) -> Report:
    built = evidence(**changes) if command == "compare" else tokenizer_evidence(**changes)
    return judge(command, built, settings or JudgeSettings())


def ask(
    rule: Rule, *, atol: float | None = None, rtol: float | None = None, **changes: object
) -> Finding | Skipped | None:
    """What a rule says about evidence with these changes."""
    built = evidence(**changes)
    case, _ = open_case(built, atol, rtol)
    return rule.judge(case)


def finding(rule: Rule, **changes: object) -> Finding:
    """Like `ask`, for a rule that must fire."""
    found = ask(rule, **changes)
    assert isinstance(found, Finding), f"{rule.code} did not fire: {found}"
    return found


def unmeasured(model: str = "nope", exit_code: ExitCode = ExitCode.NOT_MEASURED, **reason: str) -> Unmeasured:
    reason = {"what": f"There is no {model}.", "meaning": "It is not there.", "change": "Name another."} | reason
    return Unmeasured(
        status=STATUS[exit_code], exit_code=exit_code, model=UnmeasuredModel(id=model), error=Reason(**reason)
    )


def check(*reports: Report | Unmeasured, **changes: object) -> Check:
    """A check of these models; by default of one healthy model."""
    reports = reports or (report(),)
    exit_code = max(each.exit_code for each in reports)
    return Check(**{"status": STATUS[exit_code], "exit_code": exit_code, "reports": reports} | changes)
