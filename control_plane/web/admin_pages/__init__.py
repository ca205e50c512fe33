"""The pages of administration: the same acts as the API's, for people and without scripts."""
