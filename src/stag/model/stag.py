"""STAG: from regional motion to emotion, action units and the attention behind them (Eq. 12-33)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from stag.config import ModelConfig
from stag.errors import ConfigError, ModelError
from stag.facs import AU_VOCABULARY
from stag.model.action_units import ActionUnitEmbedding, anatomical_edges, separate_unknown
from stag.model.dropout import Dropout
from stag.model.folder import ModelInfo
from stag.model.fusion import CrossAttentionFusion, FusedView
from stag.model.graph import GraphBranch, GraphView, RoiEmbedding
from stag.model.hub import PretrainedModule
from stag.model.temporal import TemporalTransformer
from stag.motion.regions import LAYOUTS


class StagOutput(NamedTuple):
    """What the model says about a batch; attention only where it was asked for.

    Attributes:
        logits: ``(B, C)`` class scores before softmax.
        au_logits: ``(B, A)`` action-unit scores before sigmoid. They are a reading of the face only where the action
            units were unknown to the model; else they also read what was put in.
        features: ``(B, G + M + E)``, the final feature ``[z ; e_a]`` of Eq. 33.
        adjacency: ``(B, L, T, R, R)`` graph attention, rows sum to 1; row ``i`` tells where region ``i`` looks.
        temporal_attention: ``(B, T)`` weights of the graph branch over steps, sum to 1.
        region_to_step: ``(B, H, R, T)`` cross-attention of regions over steps, rows sum to 1.
        step_to_region: ``(B, H, T, R)`` cross-attention of steps over regions, rows sum to 1.
    """

    logits: Tensor
    au_logits: Tensor
    features: Tensor
    adjacency: Tensor | None = None
    temporal_attention: Tensor | None = None
    region_to_step: Tensor | None = None
    step_to_region: Tensor | None = None


class Seen(NamedTuple):
    """What does not depend on action units: embedding ``(B, T, R, D)``, ``z_t (B, M)``, frame tokens ``(B, T, M)``."""

    embedded: Tensor
    temporal: Tensor
    frames: Tensor


class STAG(PretrainedModule):
    """The whole model: graph branch, temporal branch, fusion, action units, two heads.

    The switches ``graph``, ``temporal``, ``cross_attention`` and ``evolving`` of the configuration take a part out of
    the computation for an ablation; its weights stay, unused, so that one model folder fits all of them.

    Everything in it is friendly to :func:`torch.func.vmap` over stacked parameters (dropout within
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
        info: What a model folder tells beside the weights. Training fills in ``motion`` and ``training``.

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
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self._build()

    def _build(self) -> None:
        config, regions, units = self.info.model, len(LAYOUTS[self.info.layout]), self.info.au_vocabulary
        self.embedding = RoiEmbedding(config.embed_hidden, config.embed_dim)
        # Not "graph": torch.export keeps a graph of its own under that name.
        self.spatial = GraphBranch(
            regions,
            config.embed_dim,
            config.graph_dim,
            heads=config.heads,
            layers=config.graph_layers,
            init_frames=config.init_frames,
            temperature=config.temperature,
            dropout=config.dropout,
            au_edges=anatomical_edges(self.info.layout, units) if config.au_edges else None,
            evolving=config.evolving,
        )
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
        """A model of that description, with initial weights."""
        model = cls(
            info.model,
            layout=info.layout,
            steps=info.steps,
            classes=info.classes,
            au_vocabulary=info.au_vocabulary,
        )
        model.info = info
        return model

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(T, R, 2)``, the shape of a clip's motion."""
        return self.info.steps, len(LAYOUTS[self.info.layout]), 2

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""
        return self.info.classes

    def forward(self, motion: Tensor, au: Tensor | None = None, *, return_attention: bool = False) -> StagOutput:
        """Judge a batch of clips.

        Args:
            motion: ``(B, T, R, 2)`` motion in crop pixels; it is normalised here.
            au: ``(B, A)`` presence of each action unit in [0, 1]; a row with nan is unknown. ``None``: all unknown.
            return_attention: Whether to return the attention too.

        Raises:
            ModelError: ``motion`` or ``au`` does not have the shape that this model was made for.
        """
        return self.judge(self.see(motion), au, return_attention=return_attention)

    def forward_with_predicted_aus(
        self, motion: Tensor, *, return_attention: bool = False, detach: bool = False
    ) -> StagOutput:
        """Judge twice: first without action units, then with the probabilities of those that the first pass saw.

        Only what depends on action units is computed twice.

        Args:
            motion: As in :meth:`forward`.
            return_attention: Whether to return the attention of the second pass.
            detach: Whether the classes' loss stops at the probabilities, so that in training it cannot turn the AU
                head into a channel of its own. Attribution wants the whole path, hence not the default.

        Returns:
            Everything from the second pass, but ``au_logits`` from the first.
        """
        seen = self.see(motion)
        au_logits = self.judge(seen).au_logits
        probabilities = torch.sigmoid(au_logits.detach() if detach else au_logits)
        return self.judge(seen, probabilities, return_attention=return_attention)._replace(au_logits=au_logits)

    def forward_from(
        self, motion: Tensor, au_source: str, au: Tensor | None = None, *, return_attention: bool = False
    ) -> StagOutput:
        """Judge with the action units of an AU source, in one pass for the answer and the attention behind it.

        Args:
            motion: As in :meth:`forward`.
            au_source: ``none``, ``annotated`` or ``predicted``.
            au: ``(B, A)``, read only under ``annotated``; a row with nan is unknown.
            return_attention: Whether to return the attention that led to the class.

        Returns:
            Everything under that source, but ``au_logits`` always without AU input.
        """
        if au_source == "predicted":
            return self.forward_with_predicted_aus(motion, return_attention=return_attention)
        seen = self.see(motion)
        if au_source == "none":
            return self.judge(seen, return_attention=return_attention)
        blind = self.judge(seen)
        return self.judge(seen, au, return_attention=return_attention)._replace(au_logits=blind.au_logits)

    def see(self, motion: Tensor) -> Seen:
        """The part of :meth:`forward` that does not depend on action units: :meth:`judge` it as often as needed."""
        expected = self.shape
        if motion.ndim != 4 or tuple(motion.shape[1:]) != expected:
            t, r, _ = expected
            raise ModelError(f"motion has shape {tuple(motion.shape)}; this model expects (B, T={t}, R={r}, 2)")
        if self.info.model.normalise == "clip-rms":
            motion = clip_rms(motion, self.info.model.rms_floor_px)
        embedded = self.embedding(motion)
        if not self.info.model.temporal:
            b, t, m = embedded.shape[0], expected[0], self.info.model.transformer_dim
            return Seen(embedded, embedded.new_zeros(b, m), embedded.new_zeros(b, t, m))
        temporal, frames = self.temporal(embedded)
        return Seen(embedded, temporal, frames)

    def judge(self, seen: Seen, au: Tensor | None = None, *, return_attention: bool = False) -> StagOutput:
        """The rest of :meth:`forward`, given what was seen; ``au`` as there."""
        clips, units = seen.temporal.shape[0], len(self.info.au_vocabulary)
        if au is not None and tuple(au.shape) != (clips, units):
            raise ModelError(f"au has shape {tuple(au.shape)}; expected (B={clips}, A={units})")
        if au is None:
            present = None
            unit_feature = self.au_embedding.unknown.expand(clips, -1)
        else:
            present, known = separate_unknown(au.to(seen.temporal.dtype))
            unit_feature = self.au_embedding(present, known)
        graph = self.spatial(seen.embedded, present) if self.info.model.graph else self._no_graph(seen.embedded)
        if self.info.model.graph and self.info.model.temporal and self.info.model.cross_attention:
            fused = self.fusion(graph.tokens, seen.frames, graph.feature, seen.temporal)
        else:
            fused = self._side_by_side(graph, seen)
        features = torch.cat([fused.feature, unit_feature], dim=-1)  # Eq. 33
        output = StagOutput(
            logits=self.classifier(self.dropout(features)),
            au_logits=self.au_head(self.dropout(fused.feature)),
            features=features,
        )
        if not return_attention:
            return output
        b, t, r, _ = seen.embedded.shape
        adjacency = [a.unsqueeze(1) for a in graph.adjacency]
        return output._replace(
            adjacency=torch.cat([seen.embedded.new_zeros(b, 0, t, r, r), *adjacency], dim=1),
            temporal_attention=graph.temporal_attention,
            region_to_step=fused.region_to_step,
            step_to_region=fused.step_to_region,
        )

    def _no_graph(self, embedded: Tensor) -> GraphView:
        """What takes the place of the graph branch where it is off: nothing seen, every step alike."""
        b, t, r, d = embedded.shape
        nothing = embedded.new_zeros(b, self.info.model.graph_dim)
        return GraphView(nothing, embedded.new_zeros(b, r, d), embedded.new_full((b, t), 1 / t), ())

    def _side_by_side(self, graph: GraphView, seen: Seen) -> FusedView:
        """Both features next to each other, as Eq. 31 without Eq. 26-30; an attention that is off is even."""
        b, t, r, _ = seen.embedded.shape
        h = self.info.model.heads
        even = seen.embedded.new_ones
        feature = torch.cat([graph.feature, seen.temporal], dim=-1)
        return FusedView(feature, even(b, h, r, t) / t, even(b, h, t, r) / r)


def clip_rms(motion: Tensor, floor_px: float) -> Tensor:
    """Divide each clip ``(B, T, R, 2)`` by its RMS over steps, channels and components, ``floor_px`` at least.

    The floor acts on the square, so that the gradient at a still clip is finite.
    """
    mean_square = motion.square().mean(dim=(1, 2, 3), keepdim=True)
    return motion / mean_square.clamp_min(floor_px**2).sqrt()
