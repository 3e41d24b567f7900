"""What roles do: each task gathers its facts here, and a model may put them into words."""
