"""The pages: what the app knows, for people. See `pages.create_pages`."""
