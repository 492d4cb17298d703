Caps on connections: in all, for each address, and new ones a second; beyond them a 503.
