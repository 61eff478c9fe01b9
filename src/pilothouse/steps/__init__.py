"""The playbook, one package a step, each importing only the steps before it."""
