"""Tests of what is deployed: images, compose files, configurations of the servers beside the node."""
