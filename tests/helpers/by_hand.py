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


def initial_graph(embedded, frames, temperature):
    """Eq. 13 for embedded (B, T, R, D)."""
    b, _, r, _ = embedded.shape
    graph = np.zeros((b, r, r))
    for n in range(b):
        h = embedded[n, :frames].mean(0)
        for i in range(r):
            cosines = [h[i] @ h[j] / (np.linalg.norm(h[i]) * np.linalg.norm(h[j])) for j in range(r)]
            graph[n, i] = softmax(np.array(cosines) / temperature)
    return graph


def egat(nodes, initial, w, au=None):
    """Eq. 14-17, head by head and edge by edge."""
    b, t, r, _ = nodes.shape
    heads, width = w["source"].shape
    lam = 1 / (1 + math.exp(-w["smoothing"]))
    out, adjacency = np.zeros_like(nodes), np.zeros((b, t, r, r))
    for n in range(b):
        bias = w["bias"].copy()
        if au is not None:
            for u in range(au.shape[1]):
                bias = bias + au[n, u] * w["au_edges"][u]
        previous = initial[n]
        for step in range(t):
            h = nodes[n, step]
            e = np.zeros((heads, r, r))
            for k in range(heads):
                rows = slice(k * width, (k + 1) * width)
                for i in range(r):
                    q = w["query"][rows] @ h[i]
                    for j in range(r):
                        key = w["key"][rows] @ h[j]
                        additive = w["source"][k] @ q + w["target"][k] @ key
                        additive = additive if additive > 0 else 0.2 * additive
                        e[k, i, j] = (q * key).sum() / math.sqrt(width) + additive + bias[k, i, j]
                        e[k, i, j] += w["self_loop"][k] * (i == j)
            mean = e.mean(0)
            current = np.stack([softmax(lam * previous[i] + (1 - lam) * mean[i]) for i in range(r)])
            values = np.stack([w["value"] @ h[j] for j in range(r)])
            for i in range(r):
                update = gelu(sum(current[i, j] * values[j] for j in range(r)))
                out[n, step, i] = layer_norm(h[i] + update, part(w, "norm"))
            adjacency[n, step] = previous = current
    return out, adjacency


def temporal_pooling(nodes, w):
    """Eq. 18-19."""
    tokens, shares = [], []
    for h in nodes:
        scores = [w["context"] @ np.tanh(linear(h[t].mean(0), part(w, "score"))) for t in range(len(h))]
        share = softmax(np.array(scores))
        tokens.append(sum(share[t] * h[t] for t in range(len(h))))
        shares.append(share)
    return np.stack(tokens), np.stack(shares)


def graph_branch(embedded, w, *, layers, frames, temperature, au=None):
    """Eq. 13-21; every layer starts from the same initial graph."""
    initial = initial_graph(embedded, frames, temperature)
    nodes, adjacency = embedded, []
    for layer in range(layers):
        nodes, smoothed = egat(nodes, initial, part(w, f"layers.{layer}"), au)
        adjacency.append(smoothed)
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
    """Eq. 12-33: features, class logits, AU logits."""
    if config.normalise == "clip-rms":
        motion = clip_rms(motion, config.rms_floor_px)
    embedded = roi_embedding(motion, part(w, "embedding"))
    present = np.where(np.isnan(au).any(1, keepdims=True), 0.0, au)
    z_g, tokens, _, _ = graph_branch(
        embedded,
        part(w, "spatial"),
        layers=config.graph_layers,
        frames=config.init_frames,
        temperature=config.temperature,
        au=present if config.au_edges else None,
    )
    z_t, frames = transformer(embedded, part(w, "temporal"), layers=config.transformer_layers, heads=config.heads)
    z, _, _ = fusion(tokens, frames, z_g, z_t, part(w, "fusion"), heads=config.heads)
    features = np.concatenate([z, au_embedding(au, part(w, "au_embedding"))], axis=1)
    logits = np.stack([linear(x, part(w, "classifier")) for x in features])
    return features, logits, np.stack([linear(x, part(w, "au_head")) for x in z])


def shake(module, generator, scale=0.3):
    """Random weights everywhere, also where a layer starts from zeros or ones."""
    with torch.no_grad():
        for p in module.parameters():
            p.add_(scale * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return module.double().eval()
