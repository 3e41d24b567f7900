"""What the API and the pages share: who asks, how often, and how events are sent."""
