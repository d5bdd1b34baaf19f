"""The API types of group dormouse.dev, version v1alpha1."""
