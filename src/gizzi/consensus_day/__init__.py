"""Consensus Day: a network decides by signed, stake-weighted votes which models join. Pure: files in, findings out."""
