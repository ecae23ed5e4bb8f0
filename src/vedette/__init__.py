"""Incident operations as code for Microsoft Sentinel and Microsoft Defender XDR."""

__version__ = "0.1.0"
