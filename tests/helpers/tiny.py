"""Settings of a network so small that it trains in a moment."""

TINY = (
    "train.epochs=4", "train.warmup_epochs=0", "model.embed_dim=4", "model.embed_hidden=4", "model.heads=2",
    "model.graph_layers=1", "model.graph_dim=4", "model.transformer_layers=1", "model.transformer_dim=4",
    "model.fusion_dim=4", "model.au_embed_dim=4", "train.mirror_tta=false", "train.jitter_tta=0",
)  # fmt: skip
