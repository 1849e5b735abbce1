"""Builds a tiny DeepSeek-V3 of random weights, runs it as Hugging Face's DeepseekV3ForCausalLM on the CPU, and writes what every layer gives:

    python golden/pytorch/tiny_v3.py model/testdata/tiny-v3 golden/testdata

The first folder gets the checkpoint (config.json, model.safetensors, in the names of DeepSeek's) and one file of tensors for each of three types,
the second recordings of single calls. Needs torch, transformers and safetensors. Other versions of them may sum in another order: the files then
differ in their last bits, and are as right.

In float64 the modules are run as they are but for one thing: where they ask for float32 they get float64. What predicts the second token is no part of
the class; it is put together here from its norm and its layer.
"""

import contextlib
import hashlib
import inspect
import json
import pathlib
import platform
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM
from transformers.models.deepseek_v3 import modeling_deepseek_v3 as hf

SEED = 7
BATCH, TOKENS = 2, 12
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 40.0, "original_max_position_embeddings": 4096}
YARN.update({"beta_fast": 32.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0})
CONFIG = dict(
    vocab_size=128, hidden_size=32, intermediate_size=48, moe_intermediate_size=8, num_hidden_layers=2, first_k_dense_replace=1, num_nextn_predict_layers=1,
    num_attention_heads=4, num_key_value_heads=4, q_lora_rank=24, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=12, head_dim=8,
    n_routed_experts=16, n_shared_experts=1, num_experts_per_tok=4, n_group=4, topk_group=2, norm_topk_prob=True, routed_scaling_factor=2.5,
    max_position_embeddings=163840, rope_parameters=YARN, rope_interleave=True, rms_norm_eps=1e-5, attention_bias=False, tie_word_embeddings=False,
    bos_token_id=0, eos_token_id=1, architectures=["DeepseekV3ForCausalLM"], model_type="deepseek_v3",
)
TYPES = {"float64": torch.float64, "float32": torch.float32, "bfloat16": torch.bfloat16}
WORDS = {torch.float32: "F32", torch.bfloat16: "BF16"}


class Wide(TorchFunctionMode):
    """Gives float64 to whoever asks for float32."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        def wide(x):
            return torch.float64 if x is torch.float32 else x

        function = torch.Tensor.double if function is torch.Tensor.float else function
        return function(*map(wide, args), **{key: wide(x) for key, x in (kwargs or {}).items()})


def write(path, tensors, metadata):
    """Writes a file whose bytes are the same at every run: safetensors itself writes its metadata in an order by chance."""
    save_file({name: x.contiguous() for name, x in tensors.items()}, path, metadata=metadata)
    whole = path.read_bytes()
    begin = 8 + int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:begin])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + whole[begin:])
    path.chmod(0o644)


# --- the checkpoint


def bells(generator, *shape, scale=1.0):
    return (torch.randn(*shape, generator=generator) * scale).to(torch.bfloat16)


def linear(generator, rows, cols):
    return bells(generator, rows, cols, scale=cols**-0.5)


def norm_weight(generator, width):
    return (1 + 0.25 * torch.randn(width, generator=generator)).to(torch.bfloat16)


def attention_weights(g, c):
    H, key = c.num_attention_heads, c.qk_nope_head_dim + c.qk_rope_head_dim
    return {
        "q_a_proj.weight": linear(g, c.q_lora_rank, c.hidden_size), "q_a_layernorm.weight": norm_weight(g, c.q_lora_rank),
        "q_b_proj.weight": linear(g, H * key, c.q_lora_rank),
        "kv_a_proj_with_mqa.weight": linear(g, c.kv_lora_rank + c.qk_rope_head_dim, c.hidden_size), "kv_a_layernorm.weight": norm_weight(g, c.kv_lora_rank),
        "kv_b_proj.weight": linear(g, H * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank),
        "o_proj.weight": linear(g, c.hidden_size, H * c.v_head_dim),
    }


def network(g, inner, width):
    return {"gate_proj.weight": linear(g, inner, width), "up_proj.weight": linear(g, inner, width), "down_proj.weight": linear(g, width, inner)}


def named(prefix, tensors):
    return {prefix + name: x for name, x in tensors.items()}


def experts(g, c):
    inner, d = c.moe_intermediate_size, c.hidden_size
    weights = {"gate.weight": linear(g, c.n_routed_experts, d)}
    weights["gate.e_score_correction_bias"] = 0.2 * torch.randn(c.n_routed_experts, generator=g)  # float32, as in DeepSeek's
    for i in range(c.n_routed_experts):
        weights.update(named(f"experts.{i}.", network(g, inner, d)))
    return {**weights, **named("shared_experts.", network(g, inner * c.n_shared_experts, d))}


def block(g, c, layer):
    mlp = network(g, c.intermediate_size, c.hidden_size) if layer < c.first_k_dense_replace else experts(g, c)
    weights = {"input_layernorm.weight": norm_weight(g, c.hidden_size), "post_attention_layernorm.weight": norm_weight(g, c.hidden_size)}
    return named(f"model.layers.{layer}.", {**weights, **named("self_attn.", attention_weights(g, c)), **named("mlp.", mlp)})


def checkpoint(c):
    """Returns weights in the names of DeepSeek's checkpoints, where the module of the next token but one is a layer more."""
    g, d = torch.Generator().manual_seed(SEED), c.hidden_size
    weights = {"model.embed_tokens.weight": bells(g, c.vocab_size, d), "model.norm.weight": norm_weight(g, d), "lm_head.weight": linear(g, c.vocab_size, d)}
    for layer in range(c.num_hidden_layers + 1):
        weights.update(block(g, c, layer))
    module = {"enorm.weight": norm_weight(g, d), "hnorm.weight": norm_weight(g, d), "eh_proj.weight": linear(g, d, 2 * d), "shared_head.norm.weight": norm_weight(g, d)}
    return {**weights, **named(f"model.layers.{c.num_hidden_layers}.", module)}


# --- the model


class Next(torch.nn.Module):
    """Predicts the token after the next one, as vLLM's deepseek_mtp reads the released weights: embedding first, a norm before the shared head."""

    def __init__(self, c):
        super().__init__()
        d, eps = c.hidden_size, c.rms_norm_eps
        self.enorm, self.hnorm = hf.DeepseekV3RMSNorm(d, eps), hf.DeepseekV3RMSNorm(d, eps)
        self.eh_proj = torch.nn.Linear(2 * d, d, bias=False)
        self.block = hf.DeepseekV3DecoderLayer(c, c.num_hidden_layers)
        self.shared_norm = hf.DeepseekV3RMSNorm(d, eps)

    def forward(self, hidden, embedding, model):
        x = self.eh_proj(torch.cat([self.enorm(embedding), self.hnorm(hidden)], dim=-1))
        T = x.shape[1]
        positions = torch.arange(T)[None]
        mask = torch.full((1, 1, T, T), torch.finfo(x.dtype).min, dtype=x.dtype).triu(1)
        x = self.block(x, attention_mask=mask, position_ids=positions, position_embeddings=model.model.rotary_emb(x, positions))
        return model.lm_head(self.shared_norm(x))


def fused(weights, prefix, c):
    """Returns the weights of a layer in the names of its module, which holds all experts in two tensors."""
    mine = {name.removeprefix(prefix): x for name, x in weights.items() if name.startswith(prefix)}
    gate, up, down = (torch.stack([mine.pop(f"mlp.experts.{i}.{name}_proj.weight") for i in range(c.n_routed_experts)]) for name in ("gate", "up", "down"))
    return {**mine, "mlp.experts.gate_up_proj": torch.cat([gate, up], dim=1), "mlp.experts.down_proj": down}


def load(folder, dtype):
    """Returns the model of a checkpoint, and its module of the next token but one, in a type; the gates are float32 as in the class."""
    model, report = DeepseekV3ForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager", output_loading_info=True)
    unknown = [name for name in report["unexpected_keys"] if not name.startswith("model.layers.2.")]
    assert not unknown and not report["missing_keys"] and not report["mismatched_keys"], report
    c, weights = model.config, load_file(f"{folder}/model.safetensors")
    module, prefix = Next(c), f"model.layers.{c.num_hidden_layers}."
    joins = {name.replace("shared_head.norm", "shared_norm"): weights.pop(prefix + name) for name in ("enorm.weight", "hnorm.weight", "eh_proj.weight", "shared_head.norm.weight")}
    module.load_state_dict({**joins, **named("block.", fused(weights, prefix, c))})
    for part in (model, module):
        part.to(dtype).eval()
        for gate in (m for m in part.modules() if isinstance(m, hf.DeepseekV3TopkRouter)):
            gate.to(torch.float64 if dtype == torch.float64 else torch.float32)
            gate.e_score_correction_bias = gate.e_score_correction_bias.to(gate.weight.dtype)
    return model, module


# --- what it computes, tensor by tensor


class Watch:
    """Keeps what the modules of a model are given and give, under their names."""

    def __init__(self, c):
        self.c, self.kept, self.attention = c, {}, ""

    def keep(self, name, x):
        assert name not in self.kept, name
        self.kept[name] = x.detach().clone().contiguous()

    def module(self, m, name):
        def after(_, __, output):
            if not isinstance(m, hf.DeepseekV3TopkRouter):
                self.keep(name, output[0] if isinstance(output, tuple) else output)
                return
            logits, weights, chosen = output
            self.keep(name, logits)
            self.keep(name + ".chosen", chosen)
            self.keep(name + ".chosen_weights", weights)
            self.keep(name + ".weights", torch.zeros_like(logits).scatter(1, chosen, weights))

        def before(_, args, kwargs):
            if isinstance(m, hf.DeepseekV3Attention):
                self.attention = name
            if name.endswith("post_attention_layernorm"):
                self.keep(name.removesuffix("post_attention_layernorm") + "attended", args[0])

        m.register_forward_pre_hook(before, with_kwargs=True)
        m.register_forward_hook(after)

    def watch(self, model, module):
        layers = [f"model.layers.{l}" for l in range(self.c.num_hidden_layers)]
        for name, m in model.named_modules():
            if name in ("model.embed_tokens", "model.norm", "lm_head") or name in layers or name.endswith(("layernorm", "self_attn", "mlp", "gate", "experts")):
                self.module(m, name)
        prefix = f"model.layers.{self.c.num_hidden_layers}"
        self.module(module.eh_proj, prefix + ".eh_proj")
        for name, m in module.block.named_modules(prefix=prefix):
            if name == prefix or name.endswith(("layernorm", "self_attn", "mlp", "gate", "experts")):
                self.module(m, name)

    def attend(self, layer, query, key, value, mask, **kwargs):
        output, weights = ATTEND(layer, query, key, value, mask, **kwargs)
        for name, x in (("query", query), ("key", key), ("value", value), ("weights", weights), ("output", output.transpose(1, 2))):
            self.keep(f"{self.attention}.{name}", x)
        self.keep(f"{self.attention}.rope_key", key[:, 0, :, self.c.qk_nope_head_dim :])
        return output, weights


ATTEND = hf.eager_attention_forward


def run(folder, dtype, tokens):
    """Returns every tensor by name, in the order in which they come."""
    model, module = load(folder, dtype)
    watch = Watch(model.config)
    watch.watch(model, module)
    hf.eager_attention_forward = watch.attend
    with torch.no_grad(), Wide() if dtype == torch.float64 else contextlib.nullcontext():
        model.model.rotary_emb = hf.DeepseekV3RotaryEmbedding(model.config)
        model(tokens, use_cache=False)
        prefix = f"model.layers.{model.config.num_hidden_layers}"
        head, watch.kept["main"] = watch.kept.pop("lm_head"), watch.kept["model.norm"]
        embedded = watch.kept["model.embed_tokens"]
        module(watch.kept.pop("main")[:, :-1], embedded[:, 1:], model)
        watch.kept[prefix + ".shared_head.head"], watch.kept["lm_head"] = watch.kept.pop("lm_head"), head
    hf.eager_attention_forward = ATTEND
    return watch.kept


def unfused(name, x):
    """Returns the tensors of a checkpoint that a tensor of the modules holds, by name."""
    if name.endswith("experts.gate_up_proj"):
        prefix = name.removesuffix("gate_up_proj")
        for i, both in enumerate(x):
            gate, up = both.chunk(2)
            yield f"{prefix}{i}.gate_proj.weight", gate
            yield f"{prefix}{i}.up_proj.weight", up
    elif name.endswith("experts.down_proj"):
        for i, down in enumerate(x):
            yield f"{name.removesuffix('down_proj')}{i}.down_proj.weight", down
    else:
        yield name, x


def gradients(folder, tokens):
    """Returns the loss of one sequence, λ = 0.3, and of every weight W and its gradient, by autograd in float64, Σ W∘dW and |dW|."""
    model, module = load(folder, torch.float64)
    given, T = tokens[:1, :-1], tokens.shape[1] - 1
    with Wide():
        model.model.rotary_emb = hf.DeepseekV3RotaryEmbedding(model.config)
        hidden = model.model(given, use_cache=False).last_hidden_state
        further = module(hidden[:, :-1], model.model.embed_tokens(given[:, 1:]), model)
        main, next_one = (torch.nn.functional.cross_entropy(z[0], tokens[0, k:], reduction="sum") / T for k, z in ((1, model.lm_head(hidden)), (2, further)))
        loss = main + 0.3 * next_one
    loss.backward()
    kept, prefix = {"loss": torch.stack([loss, main, next_one]).detach()}, f"model.layers.{model.config.num_hidden_layers}."
    renamed = ((prefix + name.removeprefix("block.").replace("shared_norm", "shared_head.norm"), x) for name, x in module.named_parameters())
    for name, x in [*model.named_parameters(), *renamed]:
        for (name, w), (_, dw) in zip(unfused(name, x.detach()), unfused(name, x.grad)):
            kept[name] = torch.stack([(w * dw).sum(), dw.norm()])
    return kept


# --- recordings of single calls


def record(folder, name, op, tensors, attrs, arithmetic, source, note):
    provenance = {
        "producer": "Hugging Face " + source,
        "source": f"{hf.__name__}.{source}, called by golden/pytorch/tiny_v3.py",
        "source_sha256": hashlib.sha256(inspect.getsource(hf).encode()).hexdigest(),
        "device": "CPU (x86-64)",
        "toolchain": f"transformers {transformers.__version__}, PyTorch {torch.__version__}, Python {platform.python_version()}",
        "note": note,
    }
    metadata = {"plumbline": "1", "op": op, "attrs": json.dumps(attrs), "arithmetic": json.dumps(arithmetic), "provenance": json.dumps(provenance)}
    write(pathlib.Path(folder) / f"{name}.safetensors", tensors, metadata)


def flat(x):
    return x.reshape(-1, x.shape[-1])


def norms(folder, c, kept, weights, dtype):
    word = WORDS[dtype]
    calls, before = [], "model.embed_tokens"
    for layer in (f"model.layers.{l}" for l in range(c.num_hidden_layers)):
        calls.append((layer + ".input_layernorm", before, layer[-1] + "-input"))
        calls.append((layer + ".post_attention_layernorm", layer + ".attended", layer[-1] + "-post"))
        before = layer
    for name, given, short in [*calls, ("model.norm", before, "last")]:
        tensors = {"x": flat(kept[given]), "weight": weights[name + ".weight"].to(dtype), "out.y": flat(kept[name])}
        arithmetic = {"accumulate": "F32", "intermediate": word}
        record(folder, f"norm-rms-tiny-v3-{short}-{word.lower()}", "norm.rms", tensors, {"eps": c.rms_norm_eps}, arithmetic, "DeepseekV3RMSNorm", name)


def attentions(folder, c, kept, weights, dtype):
    word = WORDS[dtype]
    keys = {"w_dq": "q_a_proj", "norm_q": "q_a_layernorm", "w_uq": "q_b_proj", "w_dkv": "kv_a_proj_with_mqa", "norm_kv": "kv_a_layernorm", "w_ukv": "kv_b_proj", "w_o": "o_proj"}
    yarn = {"factor": 40, "original_context": 4096, "beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": 1, "ramp": "index"}
    attrs = {"heads": c.num_attention_heads, "nope_dim": c.qk_nope_head_dim, "rope_dim": c.qk_rope_head_dim, "value_dim": c.v_head_dim}
    attrs.update({"layout": "interleaved_to_half", "yarn": yarn})
    arithmetic = {"accumulate": "F32", "angle": "F32", "form": "naive", "intermediate": word, "probabilities": word, "scores": word}
    for layer in range(c.num_hidden_layers):
        name = f"model.layers.{layer}.self_attn"
        tensors = {key: weights[f"{name}.{part}.weight"].to(dtype) for key, part in keys.items()}
        tensors.update({"x": kept[f"model.layers.{layer}.input_layernorm"], "out.y": kept[name]})
        tensors.update({"out.latent": kept[name + ".kv_a_layernorm"], "out.rope_key": kept[name + ".rope_key"]})
        note = name + ", eager; its norms have ε = 1e-6 of their own"
        record(folder, f"mla-layer-tiny-v3-{layer}-{word.lower()}", "mla.layer", tensors, attrs, arithmetic, "DeepseekV3Attention", note)


def mixture(folder, c, kept, weights, dtype):
    word, name = WORDS[dtype], "model.layers.1.mlp"
    attrs = {"score": "sigmoid", "top_k": c.num_experts_per_tok, "groups": c.n_group, "top_groups": c.topk_group, "group_score": "top2"}
    attrs.update({"normalize": True, "norm_eps": 1e-20, "scale": c.routed_scaling_factor})
    gate = {"x": flat(kept["model.layers.1.post_attention_layernorm"]), "weight": weights[name + ".gate.weight"].float(), "bias": weights[name + ".gate.e_score_correction_bias"]}
    chosen = {"out.indices": kept[name + ".gate.chosen"], "out.weights": kept[name + ".gate.chosen_weights"]}
    record(folder, f"moe-gate-tiny-v3-{word.lower()}", "moe.gate", {**gate, **chosen}, attrs, {"accumulate": "F32", "gate": "F32"}, "DeepseekV3TopkRouter", name + ".gate")
    tensors = {**gate, "out.y": flat(kept[name])}
    for key in ("gate", "up", "down"):
        tensors["w_" + key] = torch.stack([weights[f"{name}.experts.{i}.{key}_proj.weight"] for i in range(c.n_routed_experts)]).to(dtype)
        tensors["shared_" + key] = weights[f"{name}.shared_experts.{key}_proj.weight"].to(dtype)
    arithmetic = {"accumulate": "F32", "gate": "F32", "intermediate": word, "combine": word}
    record(folder, f"moe-layer-tiny-v3-{word.lower()}", "moe.layer", tensors, attrs, arithmetic, "DeepseekV3MoE", name + ", eager experts")


def dense(folder, c, kept, weights, dtype):
    """The dense network as what it is to moe.experts: one expert, which every token has with weight 1."""
    word, name = WORDS[dtype], "model.layers.0.mlp"
    x = flat(kept["model.layers.0.post_attention_layernorm"])
    tensors = {"w_" + key: weights[f"{name}.{key}_proj.weight"][None].to(dtype) for key in ("gate", "up", "down")}
    tensors.update({"x": x, "indices": torch.zeros(len(x), 1, dtype=torch.int64), "weights": torch.ones(len(x), 1), "out.y": flat(kept[name])})
    note = name + ", a dense network: one expert, which every token has with weight 1"
    record(folder, f"moe-experts-tiny-v3-dense-{word.lower()}", "moe.experts", tensors, {}, {"accumulate": "F32", "intermediate": word, "combine": word}, "DeepseekV3MLP", note)


# --- all together


def same_choice(runs):
    """The seed is one with which all three types choose the same experts: a choice that changes is no rounding."""
    for name, chosen in runs["float64"].items():
        if name.endswith("gate.chosen"):
            for kept in runs.values():
                assert torch.equal(chosen.sort().values, kept[name].sort().values), name


def main(folder, recordings):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    config = DeepseekV3Config(**CONFIG)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1, sort_keys=True) + "\n")
    weights = checkpoint(config)
    write(folder / "model.safetensors", weights, {"format": "pt"})
    tokens = torch.randint(0, config.vocab_size, (BATCH, TOKENS), generator=torch.Generator().manual_seed(SEED))
    runs = {word: run(folder, dtype, tokens) for word, dtype in TYPES.items()}
    same_choice(runs)
    for word, dtype in TYPES.items():
        keep(folder, word, {"tokens": tokens, **{name: x for name, x in runs[word].items() if not name.endswith(left_out(dtype))}})
        if dtype in WORDS:
            for kind in (norms, attentions, mixture, dense):
                kind(recordings, config, runs[word], weights, dtype)
    keep(folder, "gradients", {"tokens": tokens, **gradients(folder, tokens)})
    for word in ("float32", "bfloat16"):
        off = (runs[word]["lm_head"].double() - runs["float64"]["lm_head"]).abs().max().item()
        print(f"{word}: logits off by {off:.3g} at most, of {runs['float64']['lm_head'].abs().max().item():.3g}")


def left_out(dtype):
    """What is kept for recordings alone, and in narrow types what is inside attention."""
    inside = ("attn.query", "attn.key", "attn.value", "attn.output", "attn.weights")
    return ("chosen", "chosen_weights") + (() if dtype == torch.float64 else inside)


def keep(folder, name, tensors):
    toolchain = f"transformers {transformers.__version__}, PyTorch {torch.__version__}"
    write(folder / f"{name}.safetensors", tensors, {"toolchain": toolchain, "source": "golden/pytorch/tiny_v3.py"})


main(*sys.argv[1:])
