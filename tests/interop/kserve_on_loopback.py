# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/third-party/kserve/serve.py on loopback alone: KServe itself listens everywhere."""

import pathlib
import runpy

import uvicorn


class Config(uvicorn.Config):
    def __init__(self, app, host, **more):
        super().__init__(app, host="127.0.0.1", **more)


uvicorn.Config = Config
example = pathlib.Path(__file__).parents[2] / "docs" / "third-party" / "kserve" / "serve.py"
runpy.run_path(str(example), run_name="__main__")
