"""Pluggy markers: `hookspec` declares a hook, `hookimpl` marks a plugin's function."""

import pluggy

hookspec = pluggy.HookspecMarker("nserbench")
hookimpl = pluggy.HookimplMarker("nserbench")
