"""Sounds, rooms and microphones. All draw from a numpy Generator alone: the same seed, the same samples."""
