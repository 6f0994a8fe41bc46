"""Saving, loading and sharing a model: the model folder behind the usual names of huggingface_hub.

That library is imported where it is needed: it takes as long to load as the model takes to answer.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any, Self

from torch import nn

from stag.errors import ConfigError, ModelError
from stag.model.folder import CONFIG, WEIGHTS, ModelInfo, check_tensors, fresh_folder, read_folder, write_folder
from stag.model.held_out import KEY, HeldOut
from stag.model.shipped import local_folder

_HUB_NAME = re.compile(r"^[\w-][\w.-]*/[\w-][\w.-]*$")

_MODEL_CARD = """\
---
{{ card_data }}
---

# STAG micro-expression model

Classes: {{ classes }}. Region layout `{{ layout }}`, {{ steps }} motion steps.

Trained on: `{{ training }}`.
{% if tried %}
## What it did on clips that training has not seen
| | |
|---|---|
{% for name, text in tried %}| {{ name|trim }} | {{ text }} |
{% endfor %}{% endif %}
Load it with `STAG.from_pretrained(folder_or_hub_name)` from the `stag-mer` package. A micro-expression is weak evidence
about a feeling and none about intent: do not use this model to judge people.
"""


class PretrainedModule(nn.Module):
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
        repo_id: str | None = None,
        push_to_hub: bool = False,
        model_card_kwargs: dict[str, Any] | None = None,
        **push_to_hub_kwargs: Any,
    ) -> str | None:
        """Write the model folder: it appears whole, and an earlier model there is replaced whole.

        Args:
            save_directory: The model folder. Files in it that are not the model's are kept.
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
        record = self.info.training
        held_out = HeldOut.of(record)
        card = {
            "classes": ", ".join(self.info.classes),
            "layout": self.info.layout,
            "steps": self.info.steps,
            "training": {name: value for name, value in record.items() if name != KEY},
            "tried": list(held_out.rows()) if held_out else [],
            **(model_card_kwargs or {}),
        }
        with fresh_folder(folder) as fresh:
            write_folder(fresh, self.info, self.state_dict())
            _model_card(card).save(fresh / "README.md")
        if not push_to_hub:
            return None
        return self.push_to_hub(repo_id or folder.name, model_card_kwargs=model_card_kwargs, **push_to_hub_kwargs)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        commit_message: str = "Upload a model of stag",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
        model_card_kwargs: dict[str, Any] | None = None,
    ) -> str:
        """Upload the model folder; the arguments are those of huggingface_hub.

        Returns:
            Address of the commit.
        """
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        place = api.create_repo(repo_id=repo_id, private=private, exist_ok=True).repo_id
        with tempfile.TemporaryDirectory() as beside:
            folder = Path(beside) / "model"
            self.save_pretrained(folder, model_card_kwargs=model_card_kwargs)
            commit = api.upload_folder(
                repo_id=place,
                folder_path=folder,
                commit_message=commit_message,
                revision=branch,
                create_pr=create_pr,
            )
        return str(commit)

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
        folder = local_folder(name)
        if folder is None and (isinstance(pretrained_model_name_or_path, Path) or not _HUB_NAME.match(name)):
            folder = Path(name)
        if folder is not None:
            return cls._from_folder(folder)
        return cls._from_hub(
            name,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
        )

    @classmethod
    def _from_hub(
        cls,
        model_id: str,
        *,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
    ) -> Self:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError

        try:
            folder = huggingface_hub.snapshot_download(
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


def _model_card(values: dict[str, Any]) -> Any:
    from huggingface_hub import ModelCard, ModelCardData

    data = ModelCardData(library_name="stag", tags=["micro-expression", "facial-action-units"])
    return ModelCard.from_template(data, template_str=_MODEL_CARD, **values)
