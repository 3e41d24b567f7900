ROWS = {
    "providers": {"acme": {"api": "openai", "url": "https://acme.example/v1", "key_env": "ACME_KEY"}},
    "models": {"acme/fast-1": {"tier": "standard", "price": {"input": 1, "output": 2, "checked": "2026-11-01"}}},
}
