#!/usr/bin/env python3
"""Makes tests/data/transformer: what Python's `transformers` gives for tiny models with random weights,
which are stored beside it, and for MiniLM, whose weights are not (see scripts/minilm.py).

    pip install torch transformers
    scripts/transformer_fixture.py
"""

import json
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests/data/transformer"
MINILM = ROOT / ".vectors/minilm"
SENTENCES = [
    "Zoë Quinn , who moved to New-Delhi in 1999 , wasn't unhappy .".split(),
    "He".split(),
    "Antidisestablishmentarianism 🙂 costs $ 3.50 \u200b in Ürümqi".split(" "),
]
TEXT = [" ".join(words).replace("🙂", "") for words in SENTENCES] + ["the cat sat on the mat and the dog ran"] * 3


def word_piece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=90, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


def byte_level():
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        TEXT, trainers.BpeTrainer(vocab_size=290, special_tokens=special, initial_alphabet=alphabet))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>")


def vectors(model, tokenizer):
    """For each sentence and word, the pieces, and the vectors of the first and of all of them."""
    found = []
    for words in SENTENCES:
        encoding = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            states = model(**encoding, output_hidden_states=True).hidden_states
        last, mixed = states[-1][0], torch.stack(states).mean(0)[0]
        ids = encoding.word_ids()
        sentence = []
        for at in range(len(words)):
            pieces = [i for i, word in enumerate(ids) if word == at]
            if not pieces:  # a word of which the normalizer leaves nothing
                sentence.append(None)
                continue
            sentence.append({
                "pieces": encoding.input_ids[0][pieces].tolist(),
                "first": last[pieces[0]], "mean": last[pieces].mean(0), "mixed": mixed[pieces[0]],
            })
        found.append(sentence)
    return found


def write(path, found, columns=1):
    def plain(value):
        return [round(float(v), 6) for v in value[::columns]] if isinstance(value, torch.Tensor) else value

    sentences = [
        {"words": words, "vectors": [v and {key: plain(value) for key, value in v.items()} for v in sentence]}
        for words, sentence in zip(SENTENCES, found)
    ]
    path.write_text(json.dumps({"columns": columns, "sentences": sentences}, ensure_ascii=False) + "\n")


def tiny(name, config, tokenizer):
    torch.manual_seed(1)
    model = transformers.AutoModel.from_config(config)
    for parameter in model.parameters():  # zeros and ones would hide mistakes
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.eval()
    folder = FIXTURES / name
    model.save_pretrained(folder)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    for extra in folder.glob("*"):
        if extra.name not in ("config.json", "tokenizer.json", "model.safetensors"):
            extra.unlink()
    write(FIXTURES / f"{name}.json", vectors(model, tokenizer))


def main():
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24,
             "max_position_embeddings": 66}
    pieces = word_piece()
    tiny("bert", transformers.BertConfig(vocab_size=len(pieces), **sizes), pieces)
    pieces = byte_level()
    ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    tiny("roberta", transformers.RobertaConfig(
        vocab_size=len(pieces), type_vocab_size=1, layer_norm_eps=1e-5, **ids, **sizes), pieces)
    pieces = word_piece()
    ids = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    # Local layers see three pieces on each side, fewer than most sentences have.
    tiny("modernbert", transformers.ModernBertConfig(
        vocab_size=len(pieces), local_attention=6, global_attn_every_n_layers=3, **ids,
        **{**sizes, "num_hidden_layers": 4}), pieces)
    if not MINILM.is_dir():
        print(f"without MiniLM: it is not in {MINILM}; see scripts/minilm.py")
        return
    model = transformers.AutoModel.from_pretrained(MINILM).eval()
    write(FIXTURES / "minilm.json", vectors(model, transformers.AutoTokenizer.from_pretrained(MINILM)), columns=8)


if __name__ == "__main__":
    main()
