"""Saving, loading and sharing a model: the model folder behind the usual names of huggingface_hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

from huggingface_hub import ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from torch import nn

from stag.errors import ConfigError, ModelError
from stag.model.folder import CONFIG, WEIGHTS, ModelInfo, check_tensors, fresh_folder, read_folder, write_folder
from stag.model.shipped import shipped_folder

_HUB_NAME = re.compile(r"^[\w-][\w.-]*/[\w-][\w.-]*$")

_MODEL_CARD = """\
---
{{ card_data }}
---

# STAG micro-expression model

Classes: {{ classes }}. Region layout `{{ layout }}`, {{ steps }} motion steps.

Trained on: `{{ training }}`.

Load it with `STAG.from_pretrained(folder_or_hub_name)` from the `stag` package. A micro-expression is weak evidence
about a feeling and none about intent: do not use this model to judge people.
"""


class PretrainedModule(
    nn.Module,
    ModelHubMixin,
    library_name="stag",
    tags=["micro-expression", "facial-action-units"],
    model_card_template=_MODEL_CARD,
):
    """A module that is kept in a model folder.

    Attributes:
        info: What the folder tells beside the weights.
    """

    info: ModelInfo

    @classmethod
    def from_info(cls, info: ModelInfo) -> Self:
        """A model of that description, with initial weights; its ``info`` is the one given."""
        raise NotImplementedError

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        config: Any = None,
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict[str, Any] | None = None,
        **push_to_hub_kwargs: Any,
    ) -> str | None:
        """Write the model folder: it appears whole, and an earlier model there is replaced whole.

        Args:
            save_directory: The model folder. Files in it that are not the model's are kept.
            config: Ignored; ``config.json`` is written from :attr:`info`.
            repo_id: Name on the hub, with ``push_to_hub``; the folder's name where not given.
            push_to_hub: Whether to upload the folder afterwards.
            model_card_kwargs: More values for the model card.
            push_to_hub_kwargs: Passed on to ``push_to_hub``.

        Returns:
            Address of the commit where the folder was uploaded, else ``None``.

        Raises:
            ModelError: The folder cannot be written, or a weight is not finite.
        """
        folder = Path(save_directory)
        told = {"layout": self.info.layout, "steps": self.info.steps, "training": dict(self.info.training)}
        card = {"classes": ", ".join(self.info.classes), **told, **(model_card_kwargs or {})}
        with fresh_folder(folder) as fresh:
            super().save_pretrained(fresh, model_card_kwargs=card)
        if not push_to_hub:
            return None
        return str(self.push_to_hub(repo_id or folder.name, model_card_kwargs=card, **push_to_hub_kwargs))

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **model_kwargs: Any,
    ) -> Self:
        """Load a model folder, a model that ships by its name, or one from the hub by its ``owner/name``.

        It is ready for evaluation. A local folder is read without any network, and goes before a shipped name.
        The other arguments matter to the hub only.

        Raises:
            ModelError: There is no such folder or hub model, or it does not fit this program; the message names what.
            TypeError: An argument that does not exist was given.
        """
        if model_kwargs:
            raise TypeError(f"from_pretrained() got an unexpected argument {next(iter(model_kwargs))!r}")
        name = str(pretrained_model_name_or_path)
        shipped = None if Path(name).exists() else shipped_folder(name)
        if shipped is not None:
            return cls._from_folder(shipped)
        local = isinstance(pretrained_model_name_or_path, Path) or Path(name).exists() or not _HUB_NAME.match(name)
        if local:
            return cls._from_folder(Path(name))
        return cls._from_pretrained(
            model_id=name,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
        )

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> Self:
        try:
            folder = snapshot_download(
                model_id,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
                allow_patterns=[CONFIG, WEIGHTS],
            )
        except (HfHubHTTPError, OSError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(
                f"{model_id}: no such folder here, and the hub did not give a model of that name ({reason})"
            ) from error
        return cls._from_folder(Path(folder))

    @classmethod
    def _from_folder(cls, folder: Path) -> Self:
        info, tensors = read_folder(folder)
        try:
            model = cls.from_info(info)
        except ConfigError as error:
            raise ModelError(f"{folder / CONFIG}: {error}; copy the model folder again") from error
        check_tensors(tensors, model.state_dict(), folder)
        model.load_state_dict(tensors)
        return model.eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        write_folder(save_directory, self.info, self.state_dict())
