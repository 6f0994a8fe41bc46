"""Several evaluations of the same clips: ablation, leak audit, the tables of the paper."""
