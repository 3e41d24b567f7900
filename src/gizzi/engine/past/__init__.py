"""What was seen of every validator over the last month: sampled, packed, kept in the store, read back."""
