"""Conditions that follow from more than one stage."""
