"""Losses, augmentation, folds that train side by side, inference, and the recipe of the weights that ship."""
