"""
Incident operations as code for Microsoft Sentinel and Microsoft Defender XDR.

    async with vedette.connect("soc") as soc:
        plan = await soc.plan(where='Severity == "High" and not(Owned)', owner="linda")
        done = await soc.apply(plan)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vedette.library import Connection, Found, connect

__version__ = "0.1.0"
__all__ = ["Connection", "Found", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    """Bring the library when it is asked for: `import vedette` alone costs nothing."""
    if name in __all__:
        from vedette import library  # noqa: PLC0415 - as above

        return getattr(library, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
