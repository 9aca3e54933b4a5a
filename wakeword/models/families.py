"""Imports every family, so that the registry knows them."""

from wakeword.models import bc_resnet, ds_tcn, speech_embedding, tc_resnet

__all__ = ["bc_resnet", "ds_tcn", "speech_embedding", "tc_resnet"]
