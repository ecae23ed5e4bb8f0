"""
The command line: options in, text out, exit codes. It joins the other rooms and never
decides anything itself.
"""
