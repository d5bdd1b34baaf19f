"""What do the verbs ask of a cluster, and how is it shown?"""
