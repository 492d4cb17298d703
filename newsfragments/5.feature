Messages cost less. What is written goes out at once instead of in the next turn of the loop; whole compressed messages
take a fast way too; large frames are unmasked and checked 20 times as fast; a broadcast of several messages is one
write to each member; a handshake and an idle connection take much less time and memory. With the extra ``speed``, isal
compresses: four times as fast as zlib. ``compression_level`` is 1 by default now, and messages under
``compression_threshold`` (64 bytes) are sent as they are.
