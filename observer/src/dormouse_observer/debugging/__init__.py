"""The code of one recorded execution, run again under a debugger."""
