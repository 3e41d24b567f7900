"""The REST face: reads what the app knows. See `app.create_app` and `serve.serve`."""
