"""The face that language-model clients such as Claude Code use: tools that read, one that proposes, resources, prompts."""
