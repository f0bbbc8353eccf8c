"""Which folder becomes which package; everything else about the project stands in pyproject.toml.

Three top-level folders of a clone travel in the wheel under names that cannot collide with anybody else's.
`audioformer.files` finds the folders in both places.
"""

from pathlib import Path

from setuptools import find_packages, setup

FOLDERS = {"audioformer_app": "app", "audioformer.data_samples": "data_samples", "audioformer.notebooks": "notebooks"}
mapped = {package: folder for package, folder in FOLDERS.items() if Path(folder).is_dir()}
app_parts = [f"audioformer_app.{name}" for name in find_packages("app")]

setup(packages=[*find_packages(include=["audioformer", "audioformer.*"]), *mapped, *app_parts], package_dir=mapped)
