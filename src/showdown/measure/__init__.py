"""Instruments: named phases, memory, and where a run took place. They stand outside what they measure."""
