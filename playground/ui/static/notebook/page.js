// The notebook: text without any template, written by a person and a model in turn.

export function mount() {}
