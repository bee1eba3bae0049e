"""For each script of tests/scripts/faulty, the change that its finding asks for, as replacements in its text."""

from pathlib import Path

_LEFT = 'return_tensors="pt")', 'padding_side="left", return_tensors="pt")'
_MASKED = "labels=batch.input_ids)", "labels=batch.input_ids.masked_fill(batch.attention_mask == 0, -100))"
_LAST = "batch.attention_mask.sum(1) - 1"

FIXES: dict[str, list[tuple[str, str]]] = {
    # PAD501, PAD521, PAD522: the side
    "generate_right_padded": [_LEFT],
    "generate_right_padded_in_function": [_LEFT],
    "generate_sampled_right_padded": [_LEFT],
    "generate_side_set_late": [_LEFT],
    "side_set_by_library": [_LEFT],
    "generate_padded_by_hand": [("batch_first=True", 'batch_first=True, padding_side="left"')],
    "padded_in_worker": [("batch_first=True", 'batch_first=True, padding_side="left"')],
    # PAD502 to PAD506: the mask
    "forward_without_mask": [("model(batch.input_ids)", "model(batch.input_ids, attention_mask=batch.attention_mask)")],
    "generate_without_mask": [("batch.input_ids, max", "batch.input_ids, attention_mask=batch.attention_mask, max")],
    "generate_chat_without_mask": [
        ("ids = tokenizer.apply", "batch = tokenizer.apply"),
        ('return_dict=True)["input_ids"]', "return_dict=True)"),
        ("generate(ids,", "generate(batch.input_ids, attention_mask=batch.attention_mask,"),
    ],
    "encoded_in_worker": [
        ('return_tensors="pt").input_ids', 'return_tensors="pt")'),
        ('{"input_ids": ids, "attention_mask": torch.ones_like(ids)}', "dict(ids)"),
    ],
    "mask_of_ones": [("torch.ones_like(batch.input_ids)", "batch.attention_mask")],
    "mask_from_ids_hides_eos": [("(batch.input_ids != tokenizer.pad_token_id).long()", "batch.attention_mask")],
    "mask_not_sorted": [("attention_mask=batch.attention_mask", "attention_mask=batch.attention_mask[order]")],
    "mask_of_other_side": [("attention_mask=batch.attention_mask", "attention_mask=batch.attention_mask.flip(1)")],
    "loop_with_short_mask": [
        ("torch.ones_like(token)", "torch.cat([batch.attention_mask, torch.ones_like(token)], dim=1)")
    ],
    "loop_without_mask_for_cache": [
        ("    for step in", "    mask = batch.attention_mask\n    for step in"),
        ("        output =", "        mask = torch.cat([mask, torch.ones_like(token)], dim=1)\n        output ="),
        ("model(token,", "model(token, attention_mask=mask,"),
    ],
    # PAD507: the positions
    "forward_without_positions": [
        ("model(**batch)", "model(**batch, position_ids=(batch.attention_mask.cumsum(1) - 1).clamp(min=0))")
    ],
    "loop_without_positions": [
        ("attention_mask=mask)", "attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0))")
    ],
    "positions_of_width": [
        (
            "torch.arange(batch.input_ids.shape[1])[None].expand_as(batch.input_ids)",
            "(batch.attention_mask.cumsum(1) - 1).clamp(min=0)",
        )
    ],
    # PAD508, PAD509: what is read
    "first_column_of_left_padded": [
        ("hidden[:, 0]", "hidden[torch.arange(len(hidden)), batch.attention_mask.argmax(1)]")
    ],
    "gather_wrong_column": [
        (
            "torch.full((len(texts), 1, logits.shape[-1]), logits.shape[1] - 1)",
            f"({_LAST})[:, None, None].expand(-1, 1, logits.shape[-1])",
        )
    ],
    "last_column_of_right_padded": [("logits[:, -1]", f"logits[[0, 1], {_LAST}]")],
    "last_hidden_of_right_padded": [("hidden[:, -1, :]", f"hidden[torch.arange(len(hidden)), {_LAST}]")],
    "length_as_index_of_left_padded": [("[torch.arange(len(last)), last]", "[:, -1]")],
    "own_head_reads_last_column": [("hidden[:, -1]", "hidden[torch.arange(len(hidden)), attention_mask.sum(1) - 1]")],
    "max_over_pads": [("hidden.max(", "hidden.masked_fill(batch.attention_mask[..., None] == 0, -torch.inf).max(")],
    "mean_of_hidden": [
        (
            "hidden.mean(dim=1)",
            "(hidden * batch.attention_mask[..., None]).sum(1) / batch.attention_mask.sum(1, keepdim=True)",
        )
    ],
    "mean_over_width": [("masked.mean(1)", "(masked.sum(1) / batch.attention_mask[:, 1:].sum(1))")],
    "sum_over_pads": [("scores.sum(1)", "(scores * batch.attention_mask[:, 1:]).sum(1)")],
    # PAD510 to PAD512: labels and losses
    "adapter_labels_on_pads": [_MASKED],
    "labels_are_ids": [_MASKED],
    "own_loss_over_pads": [
        ("batch.input_ids[:, 1:]", "batch.input_ids.masked_fill(batch.attention_mask == 0, -100)[:, 1:]")
    ],
    "labels_lose_eos": [("labels == tokenizer.pad_token_id", "batch.attention_mask == 0")],
    "collator_of_library_with_eos": [
        ("    print(", "    text = batch['attention_mask'] == 1\n    print("),
        ("model(**batch)", "model(**{**batch, 'labels': batch['input_ids'].where(text, -100)})"),
    ],
    "mean_of_batch_means": [
        ("losses = []", "losses, counts = [], []"),
        ("        losses.append", "        counts.append((labels[:, 1:] != -100).sum())\n        losses.append"),
        (
            "torch.stack(losses).mean()",
            "(torch.stack(losses) * torch.stack(counts)).sum().div(sum(counts))",
        ),
    ],
    "mean_of_micro_batches": [
        ("labels=labels).loss / len(micro_batches)", "labels=labels).loss * (labels[:, 1:] != -100).sum() / 8")
    ],
    "mean_of_row_means": [("(losses * mask).sum(1) / mask.sum(1)).mean()", "(losses * mask).sum() / mask.sum())")],
    # PAD513 to PAD520: ids and texts
    "sliced_by_own_length": [("row[mask.sum() :]", "row[batch.input_ids.shape[1] :]")],
    "pads_in_answers": [("shape[1] :])", "shape[1] :], skip_special_tokens=True)")],
    "pad_token_added": [("try:\n", "try:\n    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)\n")],
    "other_tokenizer": [
        ("batch =", "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], padding_side='left')\nbatch ="),
        ("batch =", "tokenizer.pad_token = tokenizer.eos_token\nbatch ="),
        ("import AutoModelForCausalLM,", "import AutoModelForCausalLM, AutoTokenizer,"),
    ],
    "head_pools_by_other_id": [("pad_token_id = 0", "pad_token_id = tokenizer.pad_token_id")],
    "max_length": [("max_length=6", "max_new_tokens=3")],
    "prompt_cut_at_end": [("truncation=True, max_length=3", "truncation=True, max_length=20")],
    "double_bos": [("padding=True", "padding=True, add_special_tokens=False")],
}


def fixed(script: Path) -> str:
    """The text of a script with its fix. The marks of the faults stay."""
    text = script.read_text(encoding="utf-8")
    for old, new in FIXES[script.stem]:
        assert old in text, old
        text = text.replace(old, new)
    return text
