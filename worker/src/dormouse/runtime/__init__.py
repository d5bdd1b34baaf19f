"""The main container: the engine under the contract of the pod."""
