"""What was run: the model, the tokenizer, the versions and the settings, and what the libraries warned about."""

from padcheck.core.evidence import Evidence
from padcheck.core.facts import Environment, LengthLimit, ModelFacts, TokenIds
from padcheck.core.report import Report
from padcheck.reporters.text.visible import visible_token

SPECIAL_TOKENS_HEADINGS = ("", "tokenizer", "config", "generation_config")


def header(report: Report) -> list[tuple[str, str]]:
    """Label and text of each line: model, settings and versions."""
    model = report.evidence.model
    name = [model.id]
    if model.revision:
        name.append(f"revision {model.revision[:12]}")
    lines = [("model", ", ".join(name)), ("architecture", _architecture(report))]
    lines += weights(model)
    lines.append(("position encoding", _position_encoding(report)))
    if model.dtype is not None:
        lines.append(("settings", _settings(report)))
    lines += limits(report.evidence)
    if report.judgement.task is not None or report.judgement.padding_side is not None:
        lines.append(("judged for", str(report.judgement.use)))
    if report.evidence.companion is not None:
        lines.append(("companion", companion(report.evidence)))
    lines.append(("versions", versions(report.evidence.environment)))
    if does := library_behaviour(report.library_behaviour):
        lines.append(("this transformers", does))
    return lines


def weights(model: ModelFacts) -> list[tuple[str, str]]:
    """Label and text of what is special about the weights: an adapter, a GGUF file, a quantization."""
    more = {
        "adapter": model.adapter,
        "adapter of": model.adapter_of,
        "GGUF file": model.gguf_file,
        "quantization": model.quantization,
    }
    return [(label, value) for label, value in more.items() if value is not None]


def limits(evidence: Evidence) -> list[tuple[str, str]]:
    """The lengths at which the model changes what it does: those that no row passed, and those passed on purpose."""
    lines: list[tuple[str, str]] = []
    longest = evidence.longest_given_row
    if not longest:
        return lines
    if not_passed := [limit for limit in evidence.length_limits if not limit.crossed]:
        text = f"{_limits(not_passed)}; your longest row ends at {longest}"
        hint = " (--cross-limits passes them)" if all(limit.why_not is None for limit in not_passed) else ""
        lines.append(("limits not crossed", text + hint))
    if evidence.crossing_prompts:
        passed = [limit for limit in evidence.length_limits if limit.crossed and limit.tokens >= longest]
        first, last = evidence.crossing_prompts[0], evidence.crossing_prompts[-1]
        lengths = ", ".join(str(evidence.num_prompt_tokens[index]) for index in evidence.crossing_prompts)
        prompts = f"prompts {first} to {last} repeat your text ({lengths} tokens)"
        lines.append(("limits crossed", f"{_limits(passed)}; {prompts}"))
    return lines


def _limits(found: list[LengthLimit]) -> str:
    """Such as `position scaling changes at 4096 tokens (original_max_position_embeddings)`."""
    return "; ".join(
        f"{limit.what} at {limit.tokens} tokens ({limit.key})"
        + ("" if limit.why_not is None else f", left out because {limit.why_not}")
        for limit in found
    )


def short_header(report: Report) -> str:
    """Architecture, position encoding and settings in one line."""
    parts = [_architecture(report), _position_encoding(report)]
    if report.evidence.model.dtype is not None:
        parts.append(_settings(report))
    return " | ".join(parts)


def versions(environment: Environment) -> str:
    """The versions of padcheck, the libraries and Python."""
    names = ("padcheck", "transformers", "tokenizers", "torch")
    return ", ".join([*(f"{name} {getattr(environment, name)}" for name in names), f"Python {environment.python}"])


def library_behaviour(seen: dict[str, str]) -> str:
    """What the installed transformers does, in points on which its versions differ; only what the runs show."""
    does = []
    if (pads := seen.get("pad_position_ids")) is not None:
        does.append(f"gives pads position {pads}")
    if (counted := seen.get("new_position_ids")) is not None:
        does.append(f"counts the positions of new tokens in a right-padded row from its {counted}")
    for key, what in (("warns_of_right_padding", "right padding"), ("warns_of_missing_mask", "a missing mask")):
        if key in seen:
            does.append(f"warns about {what}" if seen[key] == "yes" else f"does not warn about {what}")
    return ", ".join(does)


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
    """Label and text of the tokenizer's other settings, and of the pad token that padcheck used."""
    tokenizer, model = evidence.tokenizer, evidence.model
    unk = "None" if tokenizer.unk_token is None else f"{tokenizer.unk_token_id} {visible_token(tokenizer.unk_token)}"
    rows = model.embedding_rows if model.embedding_rows is not None else "unknown"
    suggestion = tokenizer.pad_token_suggestion
    lines = [
        ("tokenizer", f"{tokenizer.class_name} ({'fast' if tokenizer.is_fast else 'slow'})"),
        ("padding side", padding_side(evidence)),
        ("truncation side", f"{tokenizer.truncation_side} ({tokenizer.truncation_side_source})"),
        ("model_max_length", "none" if tokenizer.model_max_length is None else str(tokenizer.model_max_length)),
        ("vocabulary", f"{tokenizer.vocab_size} tokens, {rows} embedding rows"),
        ("unk token", unk),
        ("chat template", "none" if tokenizer.chat_template is None else "present"),
        ("pad token used", pad_token_used(evidence)),
    ]
    if suggestion is not None and suggestion.token_id != tokenizer.pad_token_used_id:
        token = f"{visible_token(suggestion.token)} ({suggestion.token_id})"
        lines.append(("better pad token", f"{token}: {suggestion.reason}"))
    return lines


def padding_side(evidence: Evidence) -> str:
    """The tokenizer's padding side, and which file sets it."""
    return f"{evidence.tokenizer.padding_side} ({evidence.tokenizer.padding_side_source})"


def pad_token_used(evidence: Evidence) -> str:
    """The pad token that padcheck used, and why."""
    tokenizer = evidence.tokenizer
    token = f"{visible_token(tokenizer.pad_token_used)} ({tokenizer.pad_token_used_id})"
    return f"{token}: {tokenizer.pad_token_used_reason}"


def companion(evidence: Evidence) -> str:
    """Which prompt padcheck added, and why."""
    index = evidence.companion
    if index is None:
        return ""
    others, own = evidence.num_prompt_tokens[0], evidence.num_prompt_tokens[index]
    given, need = ("The prompt has", "needs") if index == 1 else ("All prompts have", "need")
    return f"{given} {_tokens(others)} and {need} no pads, so padcheck added prompt {index} of {_tokens(own)}."


def _tokens(number: int) -> str:
    return f"{number} token{'s' if number > 1 else ''}"


def generation_config(evidence: Evidence) -> str:
    """What the model's generation_config sets."""
    return settings_text(evidence.generation_config) or "nothing is set"


def settings_text(settings: dict[str, object]) -> str:
    """`key=value, key=value`."""
    return ", ".join(f"{key}={value!r}" for key, value in settings.items())


def warnings(evidence: Evidence) -> list[tuple[str, str]]:
    """The warnings of the libraries, each with the run in which they came."""
    said = {"loading": evidence.load_warnings} | {name: run.warnings for name, run in evidence.runs.items()}
    return [(name, message) for name, messages in said.items() for message in messages]


def _architecture(report: Report) -> str:
    model = report.evidence.model
    parts = [f"{model.architecture} ({model.model_type})"]
    if model.num_parameters is not None:
        parts.append(f"{_count(model.num_parameters)} parameters")
    if model.weights is not None:
        parts.append(f"{model.weights} weights")
    return ", ".join(parts)


def _position_encoding(report: Report) -> str:
    model = report.evidence.model
    limit = f", {model.max_position_embeddings} positions" if model.max_position_embeddings else ""
    return model.position_encoding + limit


def _settings(report: Report) -> str:
    model = report.evidence.model
    device = str(model.device)
    if model.ranks > 1:
        device = f"{device.partition(':')[0]} × {model.ranks} ranks (tensor parallel)"
    attention = f"{model.attn_implementation} attention" if model.attn_implementation else "the model's own attention"
    loaded = f"{model.dtype} on {device}, {attention}"
    return f"{loaded}, {_decoding(report.evidence)}{_batches(report.evidence)}"


def _decoding(evidence: Evidence) -> str:
    how = "sampled, with the same random numbers in every run" if evidence.sampled else "greedy"
    return f"{evidence.max_new_tokens} new tokens, {how}"


def _batches(evidence: Evidence) -> str:
    """The batch size that padcheck chose; empty if the user gave one."""
    if evidence.settings.get("batch_size") != "auto" or evidence.batch_size is None:
        return ""
    too_large = ", ".join(map(str, evidence.batch_sizes_too_large))
    return f", batches of {evidence.batch_size}" + (f" (memory ran out with {too_large})" if too_large else "")


def _ids(ids: TokenIds, kind: str) -> str:
    value = getattr(ids, kind)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _count(number: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if number >= 0.9995 * size:  # 999 999 is 1M, not 1e+03K
            return f"{number / size:.3g}{unit}"
    return str(number)
