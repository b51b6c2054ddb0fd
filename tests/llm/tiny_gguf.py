"""A llama model of random weights with a vocabulary of bytes and letters, 140 kB, made on the spot.

``python tiny_gguf.py PATH``. It says nonsense, but through a real tokenizer, grammar and server.
"""

from __future__ import annotations

import sys

import gguf
import numpy as np

WIDTH, HEADS, HIDDEN = 32, 4, 64


def make(path: str) -> None:
    random = np.random.default_rng(0)
    special = ["<unk>", "<s>", "</s>"]
    words = special + [f"<0x{i:02X}>" for i in range(256)]
    words += ["▁", *(chr(i) for i in range(33, 127))]
    kinds = gguf.TokenType
    model = gguf.GGUFWriter(path, "llama")
    model.add_name("tiny")
    model.add_context_length(4096)
    model.add_embedding_length(WIDTH)
    model.add_block_count(1)
    model.add_feed_forward_length(HIDDEN)
    model.add_head_count(HEADS)
    model.add_head_count_kv(HEADS)
    model.add_rope_dimension_count(WIDTH // HEADS)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_vocab_size(len(words))
    model.add_file_type(gguf.LlamaFileType.ALL_F32)
    model.add_tokenizer_model("llama")
    model.add_token_list(words)
    model.add_token_scores([-float(i) for i in range(len(words))])
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, *[kinds.BYTE] * 256]
    model.add_token_types(types + [kinds.NORMAL] * (len(words) - len(types)))
    model.add_bos_token_id(1)
    model.add_eos_token_id(2)
    model.add_unk_token_id(0)
    model.add_chat_template(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"
    )

    def weights(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.3).astype(np.float32)

    shapes = {f"attn_{n}": (WIDTH, WIDTH) for n in ("q", "k", "v", "output")}
    shapes |= {"ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    model.add_tensor("token_embd.weight", weights(len(words), WIDTH))
    model.add_tensor("output.weight", weights(len(words), WIDTH))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        model.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    for name, shape in shapes.items():
        model.add_tensor(f"blk.0.{name}.weight", weights(*shape))
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


if __name__ == "__main__":
    make(sys.argv[1])
