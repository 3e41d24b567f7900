"""Chains, validators and observations become status. Pure: values and a time in, values out."""
