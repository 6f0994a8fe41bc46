"""STAG: from regional motion to emotion, action units and the attention behind them (Eq. 12-33)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from stag.config import ModelConfig
from stag.errors import ConfigError, ModelError
from stag.facs import AU_VOCABULARY
from stag.model.action_units import (
    ActionUnitEmbedding,
    StepUnits,
    anatomical_edges,
    driving_units,
    separate_unknown,
)
from stag.model.dropout import Dropout
from stag.model.folder import ModelInfo
from stag.model.fusion import CrossAttentionFusion, FusedView
from stag.model.graph import GraphBranch, GraphView, RoiEmbedding, moving_steps
from stag.model.hub import PretrainedModule
from stag.model.temporal import TemporalTransformer
from stag.motion.regions import LAYOUTS


class StagOutput(NamedTuple):
    """Output of the model for a batch; attention only where it was requested.

    Attributes:
        logits: ``(B, C)`` class scores before softmax.
        au_logits: ``(B, A)`` action-unit scores before sigmoid. They depend on the motion alone only where
            the action units were unknown to the model.
        au_step_logits: ``(B, T, A)`` action-unit scores of each step before sigmoid, of the motion alone.
        features: ``(B, G + M + E)``, the final feature ``[z ; e_a]`` of Eq. 33.
        adjacency: ``(B, L, T, R, R)`` graph attention, rows sum to 1; row ``i``: where region ``i`` attends.
        temporal_attention: ``(B, T)`` weights of the graph branch over steps, sum to 1.
        region_to_step: ``(B, H, R, T)`` cross-attention of regions over steps, rows sum to 1.
        step_to_region: ``(B, H, T, R)`` cross-attention of steps over regions, rows sum to 1.
    """

    logits: Tensor
    au_logits: Tensor
    au_step_logits: Tensor
    features: Tensor
    adjacency: Tensor | None = None
    temporal_attention: Tensor | None = None
    region_to_step: Tensor | None = None
    step_to_region: Tensor | None = None


class Encoded(NamedTuple):
    """What no action unit changes.

    Attributes:
        embedded: ``(B, T, R, D)``.
        moving: ``(B, T)`` bool, steps that move.
        au_step_logits: ``(B, T, A)``.
        temporal: ``z_t (B, M)``.
        frames: Frame tokens ``(B, T, M)``.
    """

    embedded: Tensor
    moving: Tensor
    au_step_logits: Tensor
    temporal: Tensor
    frames: Tensor


class Fused(NamedTuple):
    """What codes change through the edges of the graph: ``z`` with its attention, and AU scores ``(B, A)``."""

    encoded: Encoded
    graph: GraphView
    view: FusedView
    au_logits: Tensor


class STAG(PretrainedModule):
    """The whole model: graph branch, temporal branch, fusion, action units, two heads.

    The switches ``graph``, ``temporal``, ``cross_attention``, ``initial_graph``, ``adjacency`` and ``au_edges`` of the
    configuration take a part out of the computation for an ablation; its weights stay, unused, so that one model
    folder fits all of them.

    All of it works under :func:`torch.func.vmap` over stacked parameters (dropout within
    :func:`stag.model.dropout.seeded`), so many folds can train as one model. A function that is mapped returns
    tensors: pick the fields of :class:`StagOutput` that are wanted.

    Args:
        config: Widths and depths.
        layout: Region layout; gives ``R``.
        steps: Motion steps ``T``.
        classes: Class names, ``C`` of them.
        au_vocabulary: Numbers of the action units, ``A`` of them.
        seed: Seed of the initial weights; the global generator is left alone.

    Attributes:
        info: What a model folder says beside the weights. Training fills in ``motion`` and ``training``.
        history: One row an epoch of the training that made it: ``epoch``, ``lr``, ``train_loss``, and ``val_loss``
            where clips were held back; empty for a model that was loaded.

    Raises:
        ConfigError: A width that attention splits is not a multiple of ``heads``.
        ModelError: The layout is unknown, or there are fewer than two classes.

    Example:
        >>> model = stag.STAG.from_pretrained("megc3")
        >>> model(torch.zeros(2, 16, 18, 2)).logits.shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        layout: str,
        steps: int,
        classes: Sequence[str],
        au_vocabulary: Sequence[int] = AU_VOCABULARY,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if layout not in LAYOUTS:
            raise ModelError(f"layout {layout!r} is unknown; choose one of {', '.join(LAYOUTS)}")
        if len(classes) < 2:
            raise ModelError(f"a classifier needs two classes at least; it was given {list(classes)}")
        for name in ("embed_dim", "transformer_dim", "fusion_dim"):
            if getattr(config, name) % config.heads:
                raise ConfigError(
                    f"model.{name} = {getattr(config, name)} is not a multiple of model.heads = {config.heads}"
                )
        self.info = ModelInfo(config, layout, steps, tuple(classes), tuple(au_vocabulary))
        self.history: list[dict[str, float]] = []
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self._build()

    def _build(self) -> None:
        config, regions, units = self.info.model, len(LAYOUTS[self.info.layout]), self.info.au_vocabulary
        self.embedding = RoiEmbedding(config.embed_hidden, config.embed_dim)
        # Not "graph": torch.export keeps a graph of its own under that name.
        self.spatial = GraphBranch(config, regions, anatomical_edges(self.info.layout, units, config.au_coupling))
        self.step_units = StepUnits(regions * config.embed_dim, len(units))
        self.temporal = TemporalTransformer(
            regions * config.embed_dim,
            config.transformer_dim,
            steps=self.info.steps,
            heads=config.heads,
            layers=config.transformer_layers,
            dropout=config.dropout,
        )
        self.fusion = CrossAttentionFusion(
            config.embed_dim,
            config.graph_dim,
            config.transformer_dim,
            config.fusion_dim,
            heads=config.heads,
            dropout=config.dropout,
        )
        fused = config.graph_dim + config.transformer_dim
        self.au_embedding = ActionUnitEmbedding(len(units), config.au_embed_dim)
        self.au_head = nn.Linear(fused, len(units))
        self.classifier = nn.Linear(fused + config.au_embed_dim, len(self.info.classes))
        self.dropout = Dropout(config.dropout)

    @classmethod
    def from_info(cls, info: ModelInfo) -> Self:
        """Return a model of that description, with initial weights."""
        model = cls(
            info.model,
            layout=info.layout,
            steps=info.steps,
            classes=info.classes,
            au_vocabulary=info.au_vocabulary,
        )
        model.info = info
        return model

    def fingerprint(self) -> str:
        """Return 16 digits that change with the classes or any weight."""
        digest = hashlib.sha256(",".join(self.classes).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def with_settings(self, **changes: object) -> STAG:
        """Return a copy with switches of ``model`` changed and the same weights; widths and depths cannot change."""
        config = ModelConfig.model_validate({**self.info.model.model_dump(), **changes})
        copy = STAG.from_info(replace(self.info, model=config)).to(self.classifier.weight)
        copy.load_state_dict(self.state_dict())
        return copy.train(self.training)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(T, R, 2)``, the shape of a clip's motion."""
        return self.info.steps, len(LAYOUTS[self.info.layout]), 2

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""
        return self.info.classes

    def forward(self, motion: Tensor, au: Tensor | None = None, *, return_attention: bool = False) -> StagOutput:
        """Classify a batch of clips.

        Args:
            motion: ``(B, T, R, 2)`` motion in crop pixels; it is normalised here.
            au: ``(B, A)`` presence of each action unit in [0, 1]; a row with nan is unknown. ``None``: all unknown.
            return_attention: Whether to return the attention too.

        Raises:
            ModelError: ``motion`` or ``au`` does not have the shape that this model was made for.
        """
        return self.classify(self.fuse(self.encode(motion), au), au, return_attention=return_attention)

    def forward_from(
        self, motion: Tensor, au_source: str, au: Tensor | None = None, *, return_attention: bool = False
    ) -> StagOutput:
        """Classify with the action units of an AU source.

        Args:
            motion: As in :meth:`forward`.
            au_source: ``none``; ``annotated``; or ``predicted``: the classifier reads the probabilities of the AU
                head, the graph follows its own estimate of each step as under ``none``.
            au: ``(B, A)``, read only under ``annotated``; a row with nan is unknown.
            return_attention: Whether to return the attention that led to the class.

        Returns:
            Everything under that source, but ``au_logits`` always without AU input.
        """
        encoded = self.encode(motion)
        blind = self.fuse(encoded)
        if au_source == "annotated":
            informed = self.fuse(encoded, au)
            output = self.classify(informed, au, return_attention=return_attention)
            return output._replace(au_logits=blind.au_logits)
        predicted = torch.sigmoid(blind.au_logits) if au_source == "predicted" else None
        return self.classify(blind, predicted, return_attention=return_attention)

    def encode(self, motion: Tensor) -> Encoded:
        """Compute the part of :meth:`forward` that no action unit changes, for one or more :meth:`fuse`."""
        expected = self.shape
        if motion.ndim != 4 or tuple(motion.shape[1:]) != expected:
            t, r, _ = expected
            raise ModelError(f"motion has shape {tuple(motion.shape)}; this model expects (B, T={t}, R={r}, 2)")
        moving = moving_steps(motion)
        if self.info.model.normalise == "clip-rms":
            motion = clip_rms(motion, self.info.model.rms_floor_px)
        embedded = self.embedding(motion)
        steps = self.step_units(embedded)
        if not self.info.model.temporal:
            b, t, m = embedded.shape[0], expected[0], self.info.model.transformer_dim
            return Encoded(embedded, moving, steps, embedded.new_zeros(b, m), embedded.new_zeros(b, t, m))
        return Encoded(embedded, moving, steps, *self.temporal(embedded))

    def fuse(self, encoded: Encoded, codes: Tensor | None = None) -> Fused:
        """Compute the graph, the fusion and the AU head, for one or more :meth:`classify`.

        Args:
            encoded: From :meth:`encode`.
            codes: ``(B, A)`` annotated codes that drive the edges of the graph; for a clip whose row has nan, and for
                all where ``None``, the model's own estimate of each step drives them.
        """
        self._check_units(codes, encoded)
        config = self.info.model
        if config.graph:
            units = driving_units(encoded.au_step_logits, codes)
            graph = self.spatial(encoded.embedded, encoded.moving, units)
        else:
            graph = self._no_graph(encoded.embedded)
        if config.graph and config.temporal and config.cross_attention:
            view = self.fusion(graph.tokens, encoded.frames, graph.feature, encoded.temporal)
        else:
            view = self._side_by_side(graph, encoded)
        return Fused(encoded, graph, view, self.au_head(self.dropout(view.feature)))

    def classify(self, fused: Fused, au: Tensor | None = None, *, return_attention: bool = False) -> StagOutput:
        """Compute the rest of :meth:`forward`; ``au`` as there."""
        encoded, graph, view, au_logits = fused
        self._check_units(au, encoded)
        if au is None:
            unit_feature = self.au_embedding.unknown.expand(view.feature.shape[0], -1)
        else:
            unit_feature = self.au_embedding(*separate_unknown(au.to(view.feature.dtype)))
        features = torch.cat([view.feature, unit_feature], dim=-1)  # Eq. 33
        output = StagOutput(
            logits=self.classifier(self.dropout(features)),
            au_logits=au_logits,
            au_step_logits=encoded.au_step_logits,
            features=features,
        )
        if not return_attention:
            return output
        b, t, r, _ = encoded.embedded.shape
        adjacency = [a.unsqueeze(1) for a in graph.adjacency]
        return output._replace(
            adjacency=torch.cat([encoded.embedded.new_zeros(b, 0, t, r, r), *adjacency], dim=1),
            temporal_attention=graph.temporal_attention,
            region_to_step=view.region_to_step,
            step_to_region=view.step_to_region,
        )

    def _check_units(self, au: Tensor | None, encoded: Encoded) -> None:
        expected = encoded.embedded.shape[0], len(self.info.au_vocabulary)
        if au is not None and tuple(au.shape) != expected:
            raise ModelError(f"au has shape {tuple(au.shape)}; expected (B={expected[0]}, A={expected[1]})")

    def _no_graph(self, embedded: Tensor) -> GraphView:
        """Return what replaces the graph branch where it is off: zeros, and equal weights of the steps."""
        b, t, r, d = embedded.shape
        nothing = embedded.new_zeros(b, self.info.model.graph_dim)
        return GraphView(nothing, embedded.new_zeros(b, r, d), embedded.new_full((b, t), 1 / t), ())

    def _side_by_side(self, graph: GraphView, encoded: Encoded) -> FusedView:
        """Concatenate both features, as Eq. 31 without Eq. 26-30; attention that is off is uniform."""
        b, t, r, _ = encoded.embedded.shape
        h = self.info.model.heads
        even = encoded.embedded.new_ones
        feature = torch.cat([graph.feature, encoded.temporal], dim=-1)
        return FusedView(feature, even(b, h, r, t) / t, even(b, h, t, r) / r)


def clip_rms(motion: Tensor, floor_px: float) -> Tensor:
    """Divide each clip ``(B, T, R, 2)`` by its RMS over steps, channels and components, ``floor_px`` at least.

    The floor acts on the square, so that the gradient at a still clip is finite.
    """
    mean_square = motion.square().mean(dim=(1, 2, 3), keepdim=True)
    return motion / mean_square.clamp_min(floor_px**2).sqrt()
