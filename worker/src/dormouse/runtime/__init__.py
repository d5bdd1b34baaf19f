"""The pod's main container: the user's code on the engine, behind HTTP, under the keeper's gate."""
