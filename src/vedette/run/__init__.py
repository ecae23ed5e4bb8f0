"""
Where the waiting is: the network, the clock, chance, and who we are. Carries what the
rooms below decide; never parses a document by hand and never renders for a person.
"""
