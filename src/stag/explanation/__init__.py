"""Why a model said so: attribution over channels and time, and how far it can be believed."""
