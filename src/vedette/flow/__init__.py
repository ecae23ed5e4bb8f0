"""
Conversations with a service, as generators: they yield what to say, are sent what was
heard, and return how it ended. They never wait, send or look at the clock.
"""
