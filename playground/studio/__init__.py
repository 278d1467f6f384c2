"""Looking at a prompt before it is sent: what is wrong with it, and what a change does to it."""
