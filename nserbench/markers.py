"""The markers of hooks: what a plugin offers, and what the benchmark asks for."""

import pluggy

hookspec = pluggy.HookspecMarker("nserbench")
hookimpl = pluggy.HookimplMarker("nserbench")
