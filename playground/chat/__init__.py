"""Conversations, assistants, and N of them answering side by side."""
