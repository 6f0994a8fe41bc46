"""Equations 12-33 written out as NumPy loops over named weights, independent of the modules under test."""

import math

import numpy as np
import torch


def weights(module):
    """All parameters of a module as float64 arrays, by name."""
    return {name: p.detach().double().numpy() for name, p in module.named_parameters()}


def part(w, prefix):
    return {name[len(prefix) + 1 :]: value for name, value in w.items() if name.startswith(prefix + ".")}


def softmax(values):
    e = np.exp(values - np.max(values))
    return e / e.sum()


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def layer_norm(x, w):
    return (x - x.mean()) / math.sqrt(x.var() + 1e-5) * w["weight"] + w["bias"]


def linear(x, w):
    return w["weight"] @ x + w.get("bias", 0.0)


def clip_rms(motion, floor):
    return np.stack([clip / max(math.sqrt((clip**2).mean()), floor) for clip in motion])


def roi_embedding(motion, w):
    """Eq. 12 for motion (B, T, R, 2)."""
    out = [linear(gelu(linear(x, part(w, "first"))), part(w, "second")) for x in motion.reshape(-1, 2)]
    return np.stack(out).reshape(*motion.shape[:3], -1)


def moving_steps(motion):
    """Steps (B, T) whose RMS is above a quarter of the clip's."""
    return np.array([[(step**2).mean() > 0.25**2 * (clip**2).mean() for step in clip] for clip in motion])


def initial_graph(embedded, moving, frames, temperature, kind="similarity"):
    """Eq. 13 for embedded (B, T, R, D)."""
    b, t, r, _ = embedded.shape
    graph = np.zeros((b, r, r))
    for n in range(b):
        chosen = [step for step in range(t) if kind == "raw" or moving[n][step]][:frames]
        h = np.zeros_like(embedded[n, 0])
        for step in chosen:
            h = h + embedded[n, step] / len(chosen)
        if kind == "similarity":
            h = h - h.mean(0)
        for i in range(r):
            lengths = [max(np.linalg.norm(h[j]), 1e-4) for j in range(r)]
            cosines = [h[i] @ h[j] / (lengths[i] * lengths[j]) for j in range(r)]
            graph[n, i] = np.eye(r)[i] if kind == "identity" else softmax(np.array(cosines) / temperature)
    return graph


def egat(nodes, initial, w, factors=None, adjacency="evolving"):
    """Eq. 14-17, head by head, edge by edge and step by step; factors f (B, T, R, R)."""
    b, t, r, _ = nodes.shape
    heads, width = w["source"].shape
    lam = 1 / (1 + math.exp(-w["smoothing"]))
    out, weights = np.zeros_like(nodes), np.zeros((b, t, r, r))
    for n in range(b):
        scores, factor = np.zeros((t, r, r)), np.ones((t, r, r)) if factors is None else factors[n]
        for step in range(t):
            h = nodes[n, step]
            for k in range(heads):
                rows = slice(k * width, (k + 1) * width)
                for i in range(r):
                    q = w["query"][rows] @ h[i]
                    for j in range(r):
                        key = w["key"][rows] @ h[j]
                        additive = w["source"][k] @ q + w["target"][k] @ key
                        additive = additive if additive > 0 else 0.2 * additive
                        e = (q * key).sum() / math.sqrt(width) + additive + w["bias"][k, i, j]
                        scores[step, i, j] += math.exp(w["log_scale"]) * (e + w["self_loop"][k] * (i == j)) / heads
        if adjacency == "static":
            scores, factor = [np.stack([x.mean(0)] * t) for x in (scores, np.log(factor))]
            factor = np.exp(factor)
        previous = initial[n]
        for step in range(t):
            h = nodes[n, step]
            current = np.stack([softmax(scores[step, i]) * factor[step, i] for i in range(r)])
            current = current / current.sum(1, keepdims=True)
            if adjacency != "memoryless":
                current = lam * previous + (1 - lam) * current
            if adjacency == "uniform":
                current = np.full((r, r), 1 / r)
            values = np.stack([w["value"] @ h[j] for j in range(r)])
            for i in range(r):
                update = gelu(sum(current[i, j] * values[j] for j in range(r)))
                out[n, step, i] = layer_norm(h[i] + update, part(w, "norm"))
            weights[n, step] = current
            if adjacency != "static":
                previous = current
    return out, weights


def step_units(embedded, w):
    """AU scores of each step (B, T, A)."""
    return np.stack([np.stack([linear(step.reshape(-1), w) for step in clip]) for clip in embedded])


def driving_units(steps, codes=None):
    """What drives the edges: codes of a clip at every step, else its own estimates."""
    driving = 1 / (1 + np.exp(-steps))
    for n in range(len(steps)):
        if codes is not None and not np.isnan(codes[n]).any():
            driving[n] = codes[n]
    return driving


def temporal_pooling(nodes, w):
    """Eq. 18-19."""
    tokens, shares = [], []
    for h in nodes:
        scores = [w["context"] @ np.tanh(linear(h[t].mean(0), part(w, "score"))) for t in range(len(h))]
        share = softmax(np.array(scores))
        tokens.append(sum(share[t] * h[t] for t in range(len(h))))
        shares.append(share)
    return np.stack(tokens), np.stack(shares)


def graph_branch(embedded, moving, w, config, units):
    """Eq. 13-21; every layer starts from the same initial graph."""
    initial = initial_graph(embedded, moving, config.init_frames, config.temperature, config.initial_graph)
    factors = np.ones((*embedded.shape[:3], embedded.shape[2]))
    for n, t, u in np.ndindex(units.shape if config.au_edges else (0, 0, 0)):
        factors[n, t] += units[n, t, u] * w["coupling"][u] ** 2
    nodes, adjacency = embedded, []
    for layer in range(config.graph_layers):
        nodes, weights = egat(nodes, initial, part(w, f"layers.{layer}"), factors, config.adjacency)
        adjacency.append(weights)
    tokens, shares = temporal_pooling(nodes, part(w, "pooling"))
    feature = np.stack([linear(g.reshape(-1), part(w, "project")) for g in tokens])
    return feature, tokens, shares, adjacency


def attention(queries, keys, w, heads):
    """Multi-head attention of queries (n, dim) over keys (m, dim)."""
    dim = queries.shape[1]
    width = dim // heads
    w_key, w_value = w["key_value.weight"][:dim], w["key_value.weight"][dim:]
    attended, shares = np.zeros((len(queries), dim)), np.zeros((heads, len(queries), len(keys)))
    for k in range(heads):
        rows = slice(k * width, (k + 1) * width)
        for i, query in enumerate(queries):
            q = w["query.weight"][rows] @ query
            shares[k, i] = softmax(np.array([q @ (w_key[rows] @ key) / math.sqrt(width) for key in keys]))
            attended[i, rows] = sum(s * (w_value[rows] @ key) for s, key in zip(shares[k, i], keys, strict=True))
    return np.stack([linear(a, part(w, "out")) for a in attended]), shares


def transformer(embedded, w, *, layers, heads):
    """Eq. 22-25."""
    summaries, frames = [], []
    for clip in embedded:
        z = np.stack([w["cls"], *(linear(step.reshape(-1), part(w, "project")) for step in clip)]) + w["position"]
        for layer in range(layers):
            block = part(w, f"blocks.{layer}")
            normed = np.stack([layer_norm(token, part(block, "norm_attention")) for token in z])
            z = z + attention(normed, normed, part(block, "attention"), heads)[0]
            wide = [linear(layer_norm(token, part(block, "norm_feed_forward")), part(block, "widen")) for token in z]
            z = z + np.stack([linear(gelu(token), part(block, "narrow")) for token in wide])
        summaries.append(layer_norm(z[0], part(w, "norm")))
        frames.append(z[1:])
    return np.stack(summaries), np.stack(frames)


def fusion(tokens, frames, graph, temporal, w, *, heads):
    """Eq. 26-31."""
    fused, where, when = [], [], []
    for g, z, z_g, z_t in zip(tokens, frames, graph, temporal, strict=True):
        regions = np.stack([w["project_regions.weight"] @ x for x in g])
        steps = np.stack([w["project_steps.weight"] @ x for x in z])
        from_steps, region_to_step = attention(regions, steps, part(w, "regions_ask"), heads)
        from_regions, step_to_region = attention(steps, regions, part(w, "steps_ask"), heads)
        g_star = np.stack([layer_norm(x, part(w, "norm_regions")) for x in regions + from_steps])
        z_star = np.stack([layer_norm(x, part(w, "norm_steps")) for x in steps + from_regions])
        z_g = z_g + w["restore_graph.weight"] @ g_star.mean(0)
        z_t = z_t + w["restore_temporal.weight"] @ z_star.mean(0)
        fused.append(np.concatenate([z_g, z_t]))
        when.append(region_to_step)
        where.append(step_to_region)
    return np.stack(fused), np.stack(when), np.stack(where)


def au_embedding(au, w):
    """Eq. 32 for rows that are known; the learned stand-in for rows with nan."""
    rows = []
    for a in au:
        hidden = np.maximum(linear(np.nan_to_num(a), part(w, "hidden")), 0)
        rows.append(w["unknown"] if np.isnan(a).any() else linear(hidden, part(w, "out")))
    return np.stack(rows)


def stag(motion, au, w, config):
    """Eq. 12-33: features, class logits, AU logits, AU logits of each step."""
    moving = moving_steps(motion)
    if config.normalise == "clip-rms":
        motion = clip_rms(motion, config.rms_floor_px)
    embedded = roi_embedding(motion, part(w, "embedding"))
    steps = step_units(embedded, part(w, "step_units"))
    z_g, tokens, _, _ = graph_branch(embedded, moving, part(w, "spatial"), config, driving_units(steps, au))
    z_t, frames = transformer(embedded, part(w, "temporal"), layers=config.transformer_layers, heads=config.heads)
    z, _, _ = fusion(tokens, frames, z_g, z_t, part(w, "fusion"), heads=config.heads)
    features = np.concatenate([z, au_embedding(au, part(w, "au_embedding"))], axis=1)
    logits = np.stack([linear(x, part(w, "classifier")) for x in features])
    return features, logits, np.stack([linear(x, part(w, "au_head")) for x in z]), steps


def shake(module, generator, scale=0.3):
    """Random weights everywhere, also where a layer starts from zeros or ones."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(scale * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return module.double().eval()
