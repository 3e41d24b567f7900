"""What Gizzi can do to a validator. Each is one function, marked with `@action`."""
