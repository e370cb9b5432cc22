"""The virtual world: the real engine on a clock that jumps from one event to the next."""
