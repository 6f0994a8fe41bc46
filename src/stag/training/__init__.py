"""Losses, augmentation, folds that train side by side, and the classifier for scikit-learn."""
