"""The page for strangers: a Hugging Face Space, exported as a folder, run by its ``app.py``."""
