"""What requests and answers of the API say, once: structs whose fields say what they mean.

The service makes and encodes them, commands decode them, ``/openapi.json`` reads descriptions and examples from them.
They are data and know no HTTP.  Whoever decodes an answer passes over fields that it does not know, of a newer service;
a field that joins later has a default, so that an older service's answers can be read.
"""
